#!/usr/bin/env bash
# Docker, Apptainer and a four-node Slurm, for tests against the real things.
#
# Installs what is missing, starts what is stopped, says what is up. It installs and starts
# only as root on Debian, and never touches a service that already answers.
set -euo pipefail

readonly ALL_SERVICES=(docker apptainer slurm)
readonly SLURM_CONF=/etc/slurm/slurm.conf
readonly SLURM_MARK='# Written by scripts/services.sh; edits are lost at the next start.'
readonly APPTAINER_HOME=/opt/apptainer

usage() {
  cat <<'HELP'
Usage: scripts/services.sh up SERVICE...      install if missing, start if stopped
       scripts/services.sh status [SERVICE...]  say what is up
       scripts/services.sh down [SERVICE...]    stop what this script started

SERVICE is docker, apptainer or slurm; status and down take all three when none is named.
A service that already answers is used as it is. Logs, process ids and downloaded packages
lie in $CYTO_CACHE (else $XDG_CACHE_HOME/cyto, else ~/.cache/cyto).

Exit status: 0 done, 1 a service could not be brought up (status: one named is down),
2 wrong usage.
HELP
}

say() { printf '%s\n' "$*"; }
note() { printf '%s\n' "$*" >&2; }
die() { note "${0##*/}: $*"; exit 1; }

cache_folder() {
  local cache=${CYTO_CACHE:-${XDG_CACHE_HOME:-${HOME:?is not set; set CYTO_CACHE}/.cache}/cyto}
  mkdir -p "$cache"
  (cd "$cache" && pwd -P)
}

# ---------------------------------------------------------------- the machine

debian_codename() {
  # shellcheck source=/dev/null
  (. /etc/os-release 2>/dev/null && [ "${ID:-}" = debian ] && printf '%s' "${VERSION_CODENAME:-}")
}

require_root_debian() { # SERVICE WHAT_TO_DO
  if [ "$(id -u)" -ne 0 ] || [ -z "$(debian_codename)" ]; then
    die "$1 is not up, and only root on Debian may install and start it here: $2"
  fi
}

apt_install() { # PACKAGE... ; package lists are refreshed only when they turn out stale
  local log=$CACHE/apt.log
  local install=(apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends)
  note "installing: $*"
  if DEBIAN_FRONTEND=noninteractive "${install[@]}" "$@" >"$log" 2>&1 9>&-; then return; fi
  apt-get -o DPkg::Lock::Timeout=300 update >>"$log" 2>&1 || true
  if ! DEBIAN_FRONTEND=noninteractive "${install[@]}" "$@" >>"$log" 2>&1 9>&-; then
    tail -n 15 "$log" >&2
    die "apt-get could not install: $* (log: $log)"
  fi
}

# ------------------------------------------------------- processes of our own

pid_file() { printf '%s/run/%s.pid' "$CACHE" "$1"; }
log_file() { printf '%s/log/%s.log' "$CACHE" "$1"; }

own_pid() { # NAME PROGRAM ; prints the pid if the process that we started still runs
  local pid
  pid=$(cat "$(pid_file "$1")" 2>/dev/null) || return 1
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] || return 1
  printf '%s' "$pid"
}

start_detached() { # NAME COMMAND... ; its own session, so that it outlives the calling shell
  local name=$1 pid_path log_path
  shift
  pid_path=$(pid_file "$name")
  log_path=$(log_file "$name")
  mkdir -p "${pid_path%/*}" "${log_path%/*}"
  # shellcheck disable=SC2016  # expanded by the inner shell
  setsid bash -c 'echo $$ >"$1"; shift; exec "$@"' start "$pid_path" "$@" \
    </dev/null >"$log_path" 2>&1 9>&- &
}

stop_own() { # NAME PROGRAM ; TERM, then KILL after 30 s
  local pid
  if pid=$(own_pid "$1" "$2"); then
    kill "$pid"
    if ! wait_until 30 pid_gone "$pid"; then kill -KILL "$pid" 2>/dev/null || true; fi
    say "$1: stopped (pid $pid)"
  fi
  rm -f "$(pid_file "$1")"
}

pid_gone() { ! kill -0 "$1" 2>/dev/null; }

wait_until() { # SECONDS COMMAND...
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.2
  done
}

fail_with_log() { # SERVICE LOG MESSAGE
  note "--- last lines of $2"
  tail -n 20 "$2" >&2 || true
  die "$1: $3 (log: $2)"
}

# --------------------------------------------------------------------- docker

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
    start_detached dockerd dockerd --iptables=false --bridge=none
  fi
  wait_until 60 docker_version ||
    fail_with_log docker "$(log_file dockerd)" 'the daemon did not answer within 60 s'
  say "docker: up, $(docker_version), started"
}

status_docker() {
  local version
  if ! version=$(docker_version); then
    say 'docker: down'
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

# ------------------------------------------------------------------ apptainer

apptainer_version() {
  apptainer --version 2>/dev/null || singularity --version 2>/dev/null
}

up_apptainer() {
  local version
  if version=$(apptainer_version); then
    say "apptainer: present, $version, used as it is"
    return
  fi
  require_root_debian apptainer 'install Apptainer and try again'
  if [ "$(debian_codename)" = bookworm ]; then
    install_apptainer_bookworm
  else
    apt_install apptainer squashfs-tools squashfuse uidmap
  fi
  version=$(apptainer_version) || die 'apptainer: installed, but it does not start'
  say "apptainer: present, $version, installed"
}

# Bookworm has no Apptainer, and unstable's needs a newer libc than bookworm's. So: unstable's
# package beside the libraries that it needs from trixie, both private, bound by interpreter
# and RPATH (not RUNPATH: libsqlite3 would then find bookworm's libm).
install_apptainer_bookworm() {
  local folder=$CACHE/apptainer debs package loader libs new_home=$APPTAINER_HOME.new
  debs=$folder/debs
  mkdir -p "$debs"
  apt_install patchelf squashfs-tools squashfuse uidmap
  download_apptainer "$folder" "$debs"

  rm -rf "$new_home"
  mkdir -p "$new_home"
  for package in "$debs"/*.deb; do dpkg-deb -x "$package" "$new_home"; done
  rm -rf "$APPTAINER_HOME"
  mv "$new_home" "$APPTAINER_HOME"

  loader=$(find "$APPTAINER_HOME/usr/lib" -name 'ld-linux*.so.*' | head -n 1)
  [ -n "$loader" ] || die "apptainer: no loader in the libc6 package under $debs"
  libs=${loader%/*}
  bind_to_libraries "$APPTAINER_HOME/usr/bin/apptainer" "$loader" "$libs"
  bind_to_libraries "$libs/apptainer/bin/starter" "$loader" "$libs"

  mkdir -p /var/lib/apptainer/mnt/session "/usr/lib/${libs##*/}" /etc/apptainer
  cp -a "$APPTAINER_HOME/etc/apptainer/." /etc/apptainer/
  cp -a "$libs/apptainer" "/usr/lib/${libs##*/}/"
  cp -a "$APPTAINER_HOME/usr/bin/apptainer" /usr/bin/apptainer # last: its presence means done
  [ -e /usr/bin/singularity ] || ln -s apptainer /usr/bin/singularity
}

bind_to_libraries() { # FILE LOADER LIBRARY_FOLDER
  patchelf --set-interpreter "$2" "$1"
  patchelf --force-rpath --set-rpath "$3" "$1"
}

download_apptainer() { # FOLDER DEBS ; a private apt: the machine's own lists stay as they are
  local folder=$1 debs=$2 log=$1/apt.log
  local wanted=(apptainer/sid libc6/trixie libseccomp2/trixie libsqlite3-0/trixie)
  if has_debs "$debs"; then return; fi
  note 'downloading: apptainer and the libraries it needs'
  rm -rf "${folder:?}/apt" "${debs:?}"
  mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$debs"
  write_apt_sources >"$folder/apt/sources.list"
  cat >"$folder/apt/apt.conf" <<CONF
Dir::Etc::SourceList "$folder/apt/sources.list";
Dir::Etc::SourceParts "-";
Dir::Etc::PreferencesParts "-";
Dir::State::Lists "$folder/apt/lists";
Dir::Cache "$folder/apt/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
CONF
  if ! (cd "$debs" && export APT_CONFIG=$folder/apt/apt.conf &&
    apt-get update && apt-get download "${wanted[@]}") >"$log" 2>&1; then
    rm -f "$debs"/*.deb
    fail_with_log apptainer "$log" 'the packages could not be downloaded'
  fi
  rm -rf "$folder/apt"
}

has_debs() { # DEBS
  local name
  for name in apptainer libc6 libseccomp2 libsqlite3-0; do
    compgen -G "$1/${name}_*.deb" >/dev/null || return 1
  done
}

machine_mirror() { # the Debian archive that the machine's own apt uses
  local mirror
  # shellcheck disable=SC2016  # apt's own placeholders
  mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' \
    'Created-By: Packages' | awk -v c="$(debian_codename)" '$1 == c && $2 == "main" {print $3; exit}')
  [ -n "$mirror" ] || die "apt has no source for $(debian_codename) main (see /etc/apt)"
  printf '%s' "$mirror"
}

write_apt_sources() {
  local mirror options='' suite keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  mirror=$(machine_mirror)
  if [ -e "$keyring" ]; then options="[signed-by=$keyring] "; fi
  for suite in sid trixie; do printf 'deb %s%s %s main\n' "$options" "$mirror" "$suite"; done
}

status_apptainer() {
  local version
  if version=$(apptainer_version); then
    say "apptainer: present, $version"
  else
    say 'apptainer: absent'
    return 1
  fi
}

down_apptainer() { say 'apptainer: no daemon, nothing to stop'; }

# ---------------------------------------------------------------------- slurm
up_slurm() { die 'slurm: later'; }
status_slurm() { say 'slurm: down'; return 1; }
down_slurm() { :; }

# ----------------------------------------------------------------------- main

check_names() {
  local name
  for name in "$@"; do
    case $name in
      docker | apptainer | slurm) ;;
      *) note "services: no service named '$name' (docker, apptainer, slurm)"; exit 2 ;;
    esac
  done
}

main() {
  local action=${1:-} service failed=0
  case $action in
    -h | --help | help) usage; return ;;
    up | status | down) shift ;;
    *) usage >&2; exit 2 ;;
  esac
  case ${1:-} in -h | --help) usage; return ;; esac
  check_names "$@"
  if [ "$action" = up ] && [ "$#" -eq 0 ]; then
    note 'services: up needs at least one of docker, apptainer, slurm'
    exit 2
  fi
  local named=$#
  if [ "$named" -eq 0 ]; then set -- "${ALL_SERVICES[@]}"; fi
  CACHE=$(cache_folder)
  readonly CACHE
  if [ "$action" != status ]; then
    exec 9>"$CACHE/services.lock"
    flock 9
  fi
  for service in "$@"; do
    case $action in
      status) "status_$service" || failed=$named ;;
      *) "${action}_$service" ;; # no `||` here: it would switch `set -e` off inside
    esac
  done
  [ "$failed" -eq 0 ] # down counts only for services that were named
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then main "$@"; fi # sourced: only the functions
