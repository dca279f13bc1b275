#!/usr/bin/env bash
# Docker, Apptainer, a four-node Slurm and Chromium, for tests against the real things.
#
# Installs what is missing, starts what is stopped, says what is up. It installs and starts
# only as root on Debian, and never touches a service that already answers.
set -euo pipefail

readonly ALL_SERVICES=(docker apptainer slurm chromium)

usage() {
  cat <<'HELP'
Usage: scripts/services.sh up SERVICE...      install if missing, start if stopped
       scripts/services.sh status [SERVICE...]  say what is up
       scripts/services.sh down [SERVICE...]    stop what this script started

SERVICE is docker, apptainer, slurm or chromium; status and down take all when none is named.
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

apt_mirror() {
  # shellcheck disable=SC2016  # apt's own placeholders
  apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
    awk -v c="$(debian_codename)" '$1 == c && $2 == "main" && !found {print $3; found = 1}'
}

machine_mirror() { # the Debian archive that the machine's own apt uses
  local mirror
  mirror=$(apt_mirror)
  if [ -z "$mirror" ]; then # apt names its sources only once it has their lists
    apt-get -o DPkg::Lock::Timeout=300 update >"$CACHE/apt.log" 2>&1 || true
    mirror=$(apt_mirror)
  fi
  [ -n "$mirror" ] || die "apt has no source for $(debian_codename) main (see /etc/apt)"
  printf '%s' "$mirror"
}

# ------------------------------------------------------- processes of our own

pid_file() { printf '%s/run/%s.pid' "$CACHE" "$1"; }
log_file() { printf '%s/log/%s.log' "$CACHE" "$1"; }

runs_as() { # PID PROGRAM ; a zombie does not run, and the number may be another's by now
  [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$2" ] &&
    ! grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"
}

own_pid() { # NAME PROGRAM ; prints the pid if the process that we started still runs
  local pid
  pid=$(cat "$(pid_file "$1")" 2>/dev/null) || return 1
  runs_as "$pid" "$2" || return 1
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
    if ! wait_until 30 is_gone "$pid" "$2"; then kill -KILL "$pid" 2>/dev/null || true; fi
    say "$1: stopped (pid $pid)"
  fi
  rm -f "$(pid_file "$1")"
}

is_gone() { ! runs_as "$1" "$2"; }

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

# -------------------------------------------------------------- the services
# Each file has up_NAME, status_NAME and down_NAME.

SERVICES_FOLDER=$(dirname "${BASH_SOURCE[0]}")/services
# shellcheck source=scripts/services/docker.sh
. "$SERVICES_FOLDER/docker.sh"
# shellcheck source=scripts/services/apptainer.sh
. "$SERVICES_FOLDER/apptainer.sh"
# shellcheck source=scripts/services/slurm.sh
. "$SERVICES_FOLDER/slurm.sh"
# shellcheck source=scripts/services/chromium.sh
. "$SERVICES_FOLDER/chromium.sh"

# ----------------------------------------------------------------------- main

check_names() {
  local name
  for name in "$@"; do
    case $name in
      docker | apptainer | slurm | chromium) ;;
      *) note "services: no service named '$name' (docker, apptainer, slurm, chromium)"; exit 2 ;;
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
    note 'services: up needs at least one of docker, apptainer, slurm, chromium'
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
