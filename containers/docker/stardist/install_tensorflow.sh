#!/bin/sh
# Install TensorFlow into an image: the CPU build, or the build for Nvidia GPUs with its CUDA.
#
#   install_tensorflow.sh cpu|gpu PINS
set -eu

case ${1:-} in
  -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
  cpu) name=tensorflow-cpu extra='' ;;
  gpu) name=tensorflow extra='[and-cuda]' ;;
  *) echo "install_tensorflow.sh: DEVICE is cpu or gpu, not '${1:-}'" >&2; exit 2 ;;
esac
pins=${2:?which file holds the pins (tensorflow.txt)?}
version=$(sed -n "s/^$name==//p" "$pins")
python3 -m pip install -c "$pins" "$name$extra==$version"
