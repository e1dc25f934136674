#!/bin/sh
# Makes models/parlance-tiny-1.gguf from the public data sets: data, vocabulary, training in two phases, export.
#
#   training/language/build.sh [DATA] [RUN]
#
# DATA  folder of the public data sets (default ../shared/data, seen from the root of the repository; or $DATA)
# RUN   folder for what lies in between: RUN/1 and RUN/2 with training data, weights and log of each phase (default
#       training/language/out, not in git; or $RUN)
#
# An interrupted build goes on where it stopped; to begin anew, remove RUN. $TOKENS and $MORE_TOKENS change the length of
# the phases, $OUT the model file.
#
# Needs Node 24, xz, and a Python with PyTorch and numpy ($PYTHON, default /usr/bin/python3; Debian: python3-torch,
# python3-numpy, libopenblas0-pthread). One core, about 1.5 GB of memory; well under two hours on two cores.
set -eu
cd "$(dirname "$0")/../.."
PATH="$PWD/node_modules/.bin:$PATH"
data=${1:-${DATA:-../shared/data}}
run=${2:-${RUN:-training/language/out}}
python=${PYTHON:-/usr/bin/python3}

# One thread without spinning, and memory that is kept instead of given back to the system after every step: ten times
# faster on a shared machine.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=passive
export MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000 MALLOC_TOP_PAD_=500000000

# generate FOLDER OPTION...: training data, unless it is complete (lengths.bin is written last).
generate() {
  folder=$1
  shift
  mkdir -p "$folder"
  [ -f "$folder/lengths.bin" ] || node training/language/generate.ts --data "$data" --out "$folder" "$@"
}

# train FOLDER OPTION...: one phase, from its last saved state if there is one.
train() {
  folder=$1
  shift
  [ ! -f "$folder/state.pt" ] || set -- "$@" --resume
  "$python" training/language/train.py --data "$folder" --out "$folder" "$@"
}

# 1: everything from nothing. 2: new documents and the same vocabulary, at a smaller rate that falls from the beginning.
generate "$run/1" --tokens "${TOKENS:-13000000}"
train "$run/1"
generate "$run/2" --tokens 6600000 --seed 2 --vocabulary "$run/1/vocabulary.json"
train "$run/2" --init "$run/1" --tokens "${MORE_TOKENS:-5460000}" --lr 1.8e-3 --matrix-lr 0.012 --decay 1 --warmup 20
node training/language/export.ts --run "$run/2" --out "${OUT:-models/parlance-tiny-1.gguf}"
