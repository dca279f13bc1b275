# Docker: one daemon. Sourced by scripts/services.sh.
# shellcheck shell=bash

docker_version() { timeout 20 docker version --format '{{.Server.Version}}' 2>/dev/null; }

up_docker() {
  local version problem
  if version=$(docker_version); then
    say "docker: up, $version, used as it is"
    return
  fi
  problem=$(timeout 20 docker version 2>&1 >/dev/null || true)
  case $problem in
    *'permission denied'*)
      die "docker runs, but $(id -un) may not use it: sudo usermod -aG docker $(id -un), then log in again" ;;
  esac
  if [ -n "${DOCKER_HOST:-}" ]; then
    die "docker does not answer at DOCKER_HOST=$DOCKER_HOST: start it there, or unset DOCKER_HOST"
  fi
  require_root_debian docker 'start Docker and try again'
  command -v dockerd >/dev/null || apt_install docker.io
  if [ -d /run/systemd/system ]; then
    systemctl start docker || die 'docker: systemctl could not start it (see: journalctl -u docker)'
  elif ! own_pid dockerd dockerd >/dev/null && ! docker_version >/dev/null; then
    # No bridge and no iptables: neither is to be had without CAP_SYS_RESOURCE and modules,
    # and tasks run with --network none anyway.
    forget_dead dockerd /var/run/docker.pid
    forget_dead containerd /var/run/docker/containerd/containerd.pid
    start_detached dockerd dockerd --iptables=false --bridge=none
  fi
  wait_until 60 docker_version ||
    fail_with_log docker "$(log_file dockerd)" 'the daemon did not answer within 60 s'
  say "docker: up, $(docker_version), started"
}

# A machine that was cut off leaves pid files behind; a process that has the number since then
# would keep dockerd from starting.
forget_dead() { # PROGRAM PID_FILE
  if [ -e "$2" ] && ! runs_as "$(cat "$2")" "$1"; then rm -f "$2"; fi
}

status_docker() {
  local version
  if ! version=$(docker_version); then
    say "docker: does not answer to $(id -un)"
    return 1
  fi
  if own_pid dockerd dockerd >/dev/null; then
    say "docker: up, $version, started by this script (pid $(own_pid dockerd dockerd))"
  else
    say "docker: up, $version"
  fi
}

down_docker() {
  if own_pid dockerd dockerd >/dev/null; then
    stop_own dockerd dockerd
  else
    say 'docker: nothing of ours to stop'
  fi
}
