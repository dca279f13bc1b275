#!/usr/bin/env bash
# Build Apptainer images (SIF) into containers/images/.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: bash containers/apptainer/build.sh [OPTION]... [TOOL]...

Builds containers/images/TOOL.sif from containers/apptainer/TOOL.def; without TOOL, cyto-gpu.
Tools: cellpose, stardist, tasks, cyto-gpu. Works with apptainer or singularity, from any folder.

  --from-docker IMAGE   convert IMAGE of the local Docker daemon, instead of the .def file
                        (exactly one TOOL; it names the result)
  --base SOURCE         another base than the .def file names, e.g. docker-daemon:IMAGE,
                        docker:IMAGE or localimage:FILE
  --device cpu|gpu      which build of torch (cellpose) or TensorFlow (stardist); default cpu
  --torch-index URL     cellpose: the CPU index that pytorch.org names
  --models "NAME ..."   cellpose, stardist: weights to put into the image; "" for none
  --lz4                 compress quickly: a third of the time, a larger file
  --output FILE         another place for the result (exactly one TOOL)
  --force               build again where the result exists
  --help                show this
HELP
}

note() { printf '%s\n' "$*" >&2; }
die() { note "build.sh: $*"; exit 1; }
wrong() { note "build.sh: $* (see --help)"; exit 2; }

find_builder() {
  local name
  for name in apptainer singularity; do
    if command -v "$name"; then return; fi
  done
  die 'neither apptainer nor singularity is installed here'
}

adapted_definition() { # DEFINITION ; prints it with the options put in
  local text
  text=$(cat "$1")
  if [ -n "$base" ]; then
    text=$(sed -e "1,/^From:/s|^Bootstrap:.*|Bootstrap: ${base%%:*}|" \
      -e "1,/^From:/s|^From:.*|From: ${base#*:}|" <<<"$text")
  fi
  local setting
  # They go through sed, and into single quotes in a shell script.
  case "$base${settings[*]}" in *[\'\|\&\\]*) wrong "no quote, |, & or \\ in values" ;; esac
  for setting in "${settings[@]}"; do
    grep -q "^ *${setting%%=*}=" <<<"$text" || die "$1 has no setting ${setting%%=*}"
    # shellcheck disable=SC2001  # a pattern with a group
    text=$(sed "s|^\( *\)${setting%%=*}=.*|\1${setting%%=*}='${setting#*=}'|" <<<"$text")
  done
  printf '%s\n' "$text"
}

build() { # TOOL OUTPUT
  local tool=$1 output=$2 source definition=containers/apptainer/$1.def
  if [ -e "$output" ] && [ "$force" = no ]; then
    note "build.sh: $output exists, left as it is (--force builds it again)"
    return
  fi
  # A dot in front and a rename at the end: a build that was stopped leaves no half image.
  unfinished=${output%/*}/.${output##*/}.$$
  mkdir -p "${output%/*}"
  if [ -n "$from_docker" ]; then
    source=docker-daemon:$from_docker
  else
    [ -e "$definition" ] || wrong "no tool named '$tool': $definition does not exist"
    adapted_definition "$definition" >"$unfinished.def"
    source=$unfinished.def
  fi
  local hint=''
  if [ -z "$from_docker" ]; then
    hint=' (%post runs for an ordinary user with an entry in /etc/subuid, or for a root who has
every capability; --from-docker needs neither)'
  fi
  note "build.sh: building $output from ${source/#$unfinished.def/$definition}"
  "$builder" build --disable-cache "${build_options[@]}" "$unfinished" "$source" >&2 ||
    die "$builder could not build $output$hint"
  mv -f "$unfinished" "$output"
  rm -f "$unfinished.def"
  note "build.sh: done, $output ($(du -h "$output" | cut -f 1))"
}

main() {
  base='' from_docker='' force=no unfinished=''
  settings=() build_options=()
  local output='' tools=() tool
  while [ "$#" -gt 0 ]; do
    case $1 in
      -h | --help) usage; return ;;
      --lz4) build_options+=(--mksquashfs-args "-comp lz4 -processors $(nproc)") ;;
      --force) force=yes ;;
      --from-docker | --base | --device | --torch-index | --models | --output)
        [ "$#" -ge 2 ] || wrong "$1 needs a value"
        case $1 in
          --from-docker) from_docker=$2 ;;
          --base) base=$2 ;;
          --device) settings+=("DEVICE=$2") ;;
          --torch-index) settings+=("TORCH_INDEX=$2") ;;
          --models) settings+=("MODELS=$2") ;;
          --output) output=$(realpath -m "$2") ;;
        esac
        shift ;;
      -*) wrong "no option $1" ;;
      *) tools+=("$1") ;;
    esac
    shift
  done
  if [ "${#tools[@]}" -eq 0 ]; then tools=(cyto-gpu); fi
  if [ "${#tools[@]}" -ne 1 ] && [ -n "$output$from_docker" ]; then
    wrong '--output and --from-docker go with exactly one TOOL'
  fi
  cd "$(dirname "${BASH_SOURCE[0]}")/../.."
  builder=$(find_builder)
  trap 'if [ -n "$unfinished" ]; then rm -f "$unfinished" "$unfinished.def"; fi' EXIT
  for tool in "${tools[@]}"; do build "$tool" "${output:-$PWD/containers/images/$tool.sif}"; done
}

main "$@"
