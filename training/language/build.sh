#!/bin/sh
# Makes models/parlance-tiny-1.gguf from the public data sets: data, vocabulary, training, export.
#
#   training/language/build.sh [DATA] [RUN]
#
# DATA  folder of the public data sets (default ../shared/data, seen from the root of the repository; or $DATA)
# RUN   folder for what lies in between: training data, weights, log (default training/language/out, not in git; or $RUN)
#
# Needs Node 24, xz, and a Python with PyTorch and numpy ($PYTHON, default /usr/bin/python3; Debian: python3-torch,
# python3-numpy, libopenblas0-pthread). One core, about 1.5 GB of memory, 50 to 60 minutes.
set -eu
cd "$(dirname "$0")/../.."
PATH="$PWD/node_modules/.bin:$PATH"
data=${1:-${DATA:-../shared/data}}
run=${2:-${RUN:-training/language/out}}
python=${PYTHON:-/usr/bin/python3}
tokens=${TOKENS:-13000000}

# One thread without spinning, and memory that is kept instead of given back to the system after every step: ten times
# faster on a shared machine.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=passive
export MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000 MALLOC_TOP_PAD_=500000000

mkdir -p "$run"
node training/language/generate.ts --data "$data" --out "$run" --tokens "$tokens"
"$python" training/language/train.py --data "$run" --out "$run" ${TRAIN_OPTIONS:-} | tee "$run/log.txt"
node training/language/export.ts --run "$run" --out "${OUT:-models/parlance-tiny-1.gguf}"
