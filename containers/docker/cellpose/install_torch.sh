#!/bin/sh
# Install torch into an image: the CPU build, or the CUDA build for Nvidia GPUs.
#
#   install_torch.sh cpu|gpu PINS
#
# PyPI has only the CUDA build (several GB). The CPU build is taken from pip's find-links or
# from $TORCH_INDEX, the CPU index that pytorch.org names; where neither has it, the CUDA build
# serves, since it computes on a CPU too. TORCH_FALLBACK=no makes that an error.
set -eu

case ${1:-} in
  -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
  cpu | gpu) device=$1 ;;
  *) echo "install_torch.sh: DEVICE is cpu or gpu, not '${1:-}'" >&2; exit 2 ;;
esac
pins=${2:?which file holds the pins (torch.txt)?}
torch=$(grep '^torch==' "$pins")

pip_install() {
  python3 -m pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -c "$pins" "$1"
}

if [ "$device" = cpu ]; then
  if pip_install "$torch+cpu"; then exit 0; fi
  if [ "${TORCH_FALLBACK:-yes}" = no ]; then
    echo "install_torch.sh: no CPU build of $torch in reach: set TORCH_INDEX to the CPU index" \
      "that pytorch.org names" >&2
    exit 1
  fi
  echo "install_torch.sh: no CPU build of $torch in reach, taking PyPI's, which is several GB;" \
    "TORCH_INDEX=<the CPU index that pytorch.org names> avoids it" >&2
fi
pip_install "$torch"
