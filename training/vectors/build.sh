#!/bin/sh
# Makes models/parlance-embed-1.bin from the raw data sets: build.sh [data folder]
# Needs Node 24, xz, unzip and a python3 with torch (Debian's python3-torch will do). About five minutes of one core's time.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
data=${1:-$root/../shared/data}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PATH="$root/node_modules/.bin:$PATH"
# One thread, and memory that stays with the process: several times faster than the defaults on small virtual machines.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=passive
export MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000 MALLOC_TOP_PAD_=500000000
node "$here/prepare.ts" "$data" "$work"
"${PYTHON:-/usr/bin/python3}" "$here/train.py" "$work"
node "$here/pack.ts" "$work" "$root/models/parlance-embed-1.bin"
