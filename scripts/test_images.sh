#!/usr/bin/env bash
# Make the container images that the tests run in, once per content.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly ROOT
# shellcheck source=scripts/services.sh
. "$ROOT/scripts/services.sh"

readonly TOOLS=(tasks cellpose stardist)
readonly KEPT_UNUSED_S=7200

usage() {
  cat <<'HELP'
Usage: scripts/test_images.sh NAME...

NAME is base, or one of tasks, cellpose, stardist, tasks-sif, cellpose-sif and stardist-sif.
Prints one NAME=REFERENCE line each on stdout: an image tag such as cyto-test-tasks:3f2a..., or
the absolute path of a SIF file. What exists is used again; the tag is a hash of what the image
is made of. The SIFs hold the libraries and not cyto, so a change of code never makes them anew.
After an image was built, tags of the same name that were not asked for in two hours go, unless
a container uses them.

base is a Debian 12 with Python 3.11, made on the spot (root on Debian); CYTO_BASE_IMAGE=IMAGE,
e.g. python:3.11-slim, takes that image in its place. TORCH_INDEX=URL: where pip finds the CPU
build of torch, if not in its find-links folder. SIFs and locks lie in the cache folder:
$CYTO_CACHE, else $XDG_CACHE_HOME/cyto, else ~/.cache/cyto.
HELP
}

# ------------------------------------------------------------- names by content

short_hash() { sha256sum | cut -c 1-12; }

hash_files() { # FOLDER... ; names and contents below them, in a fixed order
  (cd "$ROOT" && find "$@" -type f ! -name '*.py[co]' -print0 2>/dev/null |
    LC_ALL=C sort -z | xargs -0 -r sha256sum)
}

base_recipe() { printf '%s\n' "${CYTO_BASE_IMAGE:-}"; declare -f make_base_root import_base; }

libs_key() { { base_recipe; hash_files "containers/docker/$1"; } | short_hash; }

make_reference() { # NAME
  case $1 in
    # The bundle of certificates is in the key of the base alone: what was once built stays good.
    base)
      if [ -n "${CYTO_BASE_IMAGE:-}" ]; then printf '%s' "$CYTO_BASE_IMAGE"; return; fi
      printf 'cyto-test-base:%s' "$({ base_recipe; cat "$CA_BUNDLE"; } | short_hash)" ;;
    *-libs) printf 'cyto-test-%s:%s' "$1" "$(libs_key "${1%-libs}")" ;;
    *-sif) printf '%s/sif/%s-%s.sif' "$CACHE" "${1%-sif}" "$(libs_key "${1%-sif}")" ;;
    *)
      printf 'cyto-test-%s:%s' "$1" \
        "$({ libs_key "$1"; hash_files cyto .dockerignore; } | short_hash)" ;;
  esac
}

# Once, at the start: code that is edited during a build must not change what is asked for.
declare -A REFERENCES
remember_references() {
  local name
  for name in base "${TOOLS[@]}" "${TOOLS[@]/%/-libs}" "${TOOLS[@]/%/-sif}"; do
    REFERENCES[$name]=$(make_reference "$name")
  done
}

reference() { printf '%s' "${REFERENCES[$1]}"; } # NAME

exists() { # NAME
  case $1 in
    *-sif) [ -s "$(reference "$1")" ] ;;
    *) docker image inspect "$(reference "$1")" >/dev/null 2>&1 ;;
  esac
}

# ------------------------------------------------------------------------ base

make_base_root() { # FOLDER
  debootstrap --variant=minbase --cache-dir="$CACHE/debootstrap" \
    --include=ca-certificates,python3,python3-pip,python-is-python3 \
    bookworm "$1" "$(machine_mirror)" &&
    rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/* \
      "$1"/usr/share/{doc,man,info,locale} &&
    cp "$CA_BUNDLE" "$1/etc/ssl/certs/ca-certificates.crt"
}

import_base() { # FOLDER REFERENCE
  tar -C "$1" -c . | docker import \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_BREAK_SYSTEM_PACKAGES=1' \
    --change 'CMD ["python3"]' - "$2"
}

build_base() {
  local folder
  if [ -n "${CYTO_BASE_IMAGE:-}" ]; then docker pull "$CYTO_BASE_IMAGE"; return; fi
  require_root_debian base "name an image with Python 3.11 in CYTO_BASE_IMAGE"
  command -v debootstrap >/dev/null || apt_install debootstrap
  mkdir -p "$CACHE/debootstrap"
  folder=$(mktemp -d /var/tmp/cyto-base.XXXXXX) # debootstrap knows no spaces in paths
  TEMPORARY+=("$folder")
  make_base_root "$folder" >"$CACHE/log/debootstrap.log" 2>&1 ||
    fail_with_log base "$CACHE/log/debootstrap.log" 'debootstrap failed'
  import_base "$folder" "$(reference base)"
}

wheel_folders() { # the machine's local wheels, if any: pip's find-links
  local entry links
  links=${PIP_FIND_LINKS:-$(python3 -m pip config get global.find-links 2>/dev/null || true)}
  for entry in $links; do if [ -d "$entry" ]; then printf '%s\n' "$entry"; fi; done
}

# The base with the local wheels of torch: apart, as 200 MB that the other images do not need.
build_base_with_wheels() { # prints its reference
  local context folder reference
  reference=$(reference base)
  context=$CACHE/wheels.context # the lock is held
  rm -rf "$context"
  mkdir -p "$context/wheels"
  while read -r folder; do
    find "$folder" -maxdepth 1 -name 'torch-*.whl' -exec cp -n {} "$context/wheels/" \;
  done < <(wheel_folders)
  if [ -n "$(ls "$context/wheels")" ]; then
    printf 'FROM %s\nCOPY wheels /opt/local-wheels\nENV PIP_FIND_LINKS=/opt/local-wheels\n' \
      "$reference" >"$context/Dockerfile"
    reference=cyto-test-base-wheels:${reference##*:}
    logged base-wheels docker build -t "$reference" "$context" >&2
  fi
  rm -rf "$context"
  printf '%s' "$reference"
}

# ---------------------------------------------------------------------- images

logged() { # NAME COMMAND... ; its output is seen only when it fails
  local log=$CACHE/log/build-$1.log
  shift
  "$@" >"$log" 2>&1 || fail_with_log images "$log" "failed: $1 ${2:-}"
}

docker_build() { # TOOL BASE OPTION...
  local tool=$1 base=$2
  shift 2
  local options=(--network host --build-arg "BASE_IMAGE=$base")
  case $tool in
    cellpose)
      options+=(--build-arg TORCH_FALLBACK=no --build-arg MODELS=
        --build-arg "TORCH_INDEX=${TORCH_INDEX:-}") ;;
    stardist) options+=(--build-arg MODELS=) ;;
  esac
  logged "$tool" docker build "${options[@]}" "$@" -f "$ROOT/containers/docker/$tool/Dockerfile" "$ROOT"
}

build_libs() { # TOOL
  local base
  need base
  base=$(reference base)
  if [ "$1" = cellpose ]; then base=$(build_base_with_wheels); fi
  docker_build "$1" "$base" --target libs --label "cyto.base=$base" \
    -t "$(reference "$1-libs")"
}

built_on() { # NAME
  docker image inspect -f '{{index .Config.Labels "cyto.base"}}' "$(reference "$1")"
}

build_image() { # TOOL ; only cyto's own layer is new: the rest comes from Docker's build cache
  local base
  need "$1-libs"
  base=$(built_on "$1-libs")
  if ! docker image inspect "$base" >/dev/null 2>&1; then # pruned since
    build_libs "$1"
    base=$(built_on "$1-libs")
  fi
  docker_build "$1" "$base" -t "$(reference "$1")"
}

build_sif() { # TOOL
  need "$1-libs"
  if ! apptainer_version >/dev/null; then "$ROOT/scripts/services.sh" up apptainer; fi
  mkdir -p "$CACHE/tmp"
  APPTAINER_TMPDIR=$CACHE/tmp SINGULARITY_TMPDIR=$CACHE/tmp \
    "$ROOT/containers/apptainer/build.sh" --lz4 --from-docker "$(reference "$1-libs")" \
    --output "$(reference "$1-sif")" "$1"
}

# ------------------------------------------------------------------------ prune

seconds_since_tag() { # REFERENCE
  local tagged
  tagged=$(docker image inspect -f '{{.Metadata.LastTagTime.Format "2006-01-02T15:04:05Z07:00"}}' \
    "$1") && tagged=$(date -d "$tagged" +%s) && printf '%s' "$(($(date +%s) - tagged))"
}

# Tags of the same name that no run asked for lately. Another checkout may still want one: it then
# builds it again. What a container uses stays, and so does what has another tag.
prune_older() { # NAME
  local reference unused
  while read -r reference; do
    if [ "$reference" = "$(reference "$1")" ]; then continue; fi
    unused=$(seconds_since_tag "$reference" 2>/dev/null) || continue
    if [ "$unused" -lt "$KEPT_UNUSED_S" ]; then continue; fi
    if [ -n "$(docker ps --all --quiet --filter "ancestor=$reference" 2>&1)" ]; then continue; fi
    if docker image rm "$reference" >/dev/null 2>&1; then note "removed $reference"; fi
  done < <(docker image ls --format '{{.Repository}}:{{.Tag}}' "cyto-test-$1" 2>/dev/null || true)
}

wanted_and_there() { # NAME ; says when it was last wanted, so that no other run removes it now
  exists "$1" || return 1
  case $1 in *-sif) ;; *) docker tag "$(reference "$1")" "$(reference "$1")" || true ;; esac
}

need() { # NAME ; builds it where it is missing
  if wanted_and_there "$1"; then return; fi
  local start=$SECONDS
  note "building $1: $(reference "$1")"
  case $1 in
    base) build_base ;;
    *-libs) build_libs "${1%-libs}" ;;
    *-sif) build_sif "${1%-sif}" ;;
    *) build_image "$1" ;;
  esac
  note "built $1 in $((SECONDS - start)) s"
  case $1 in base | *-sif) ;; *) prune_older "$1" || true ;; esac
}

make_available() { # NAME ; two at once: the second waits and finds it made
  if wanted_and_there "$1"; then return; fi
  exec 8>"$CACHE/test-images.lock"
  flock 8
  need "$1"
  exec 8>&-
}

remove_temporary() {
  if [ "${#TEMPORARY[@]}" -gt 0 ]; then rm -rf "${TEMPORARY[@]}"; fi
}

main_images() {
  local name
  case ${1:-} in
    -h | --help) usage; return ;;
    '') usage >&2; exit 2 ;;
  esac
  for name in "$@"; do
    case $name in
      base | tasks | cellpose | stardist | tasks-sif | cellpose-sif | stardist-sif) ;;
      *) note "${0##*/}: no image named '$name' (see --help)"; exit 2 ;;
    esac
  done
  CACHE=$(cache_folder)
  mkdir -p "$CACHE/log"
  CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt
  TEMPORARY=()
  remember_references
  trap remove_temporary EXIT
  if ! docker_version >/dev/null; then "$ROOT/scripts/services.sh" up docker >&2; fi
  for name in "$@"; do
    make_available "$name" >&2
    printf '%s=%s\n' "$name" "$(reference "$name")"
  done
}

main_images "$@"
