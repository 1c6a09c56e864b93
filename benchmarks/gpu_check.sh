#!/usr/bin/env bash
# All that needs a card, in one go: tests, ceilings, races, kernels, tiles, the paper's
# columns.
#
#   benchmarks/gpu_check.sh FOLDER [STEP...]
#
# Each step's output goes to FOLDER/STEP.log, and the records to FOLDER/results; with
# RESULTS=results to where the documentation finds them. A step that fails or takes too
# long does not stop the others. Nothing is fetched. Variables:
#
#   PYTHON      the interpreter that has all that is needed; python3
#   RESULTS     folder of the records, one folder per machine below it
#   REFERENCES  folder with what `gpu.py --only-references` computed before, without a
#               card; what is not there is computed, which takes long
#   SCALE       all bounds of time are multiplied by it; 1
set -u
: "${1:?say which folder the logs go to}"
mkdir -p "$1" || exit
FOLDER=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/.." || exit
PYTHON=${PYTHON:-python3}
RESULTS=${RESULTS:-$FOLDER/results}
REFERENCES=${REFERENCES:-$FOLDER/references}
MACHINE=$("$PYTHON" -c 'from chainer_style import provenance as p; print(p.machine_name())') || exit
BENCHMARKS=$RESULTS/$MACHINE/benchmarks
RACE=("$PYTHON" benchmarks/gpu.py --references "$REFERENCES" --results "$BENCHMARKS/gpu")
export PYTHONUNBUFFERED=1

step() { # name, seconds, command...
  local name=$1 seconds=$(($2 * ${SCALE:-1})) begun=$SECONDS code
  shift 2
  [[ -z ${CHOSEN:-} || " $CHOSEN " == *" $name "* ]] || return 0
  timeout --kill-after=5 "$seconds" "$@" >"$FOLDER/$name.log" 2>&1
  code=$?
  case $code in
    0) code=done ;;
    124 | 137) code="stopped after $seconds s" ;;
    *) code="failed with code $code" ;;
  esac
  echo "$name: $code, $((SECONDS - begun)) s"
  tail -n "${LINES_SHOWN:-25}" "$FOLDER/$name.log" | sed 's/^/  | /'
}

CHOSEN=$*
# Most of their time is cuDNN's compiler's, on one core each.
step tests 240 "$PYTHON" -m pytest -q -n 8 -p no:cacheprovider -p no:benchmark \
  -m 'gpu and not slow'
step small 240 "${RACE[@]}" --sizes 64 128
# What torch.compile gains at these is asked for nowhere, and compiling takes long.
step large 240 "${RACE[@]}" --sizes 1024 512 256 \
  --contenders cuda torch-eager torch-graph chainer-gpu chainer-cudnn
step kernels 120 "$PYTHON" benchmarks/gpu_kernels.py --results "$BENCHMARKS/gpu_kernels"
step tiles 300 "$PYTHON" benchmarks/gpu_tiles.py \
  --record "$BENCHMARKS/gpu_tiles/tiles.json"
step pictures 240 "$PYTHON" benchmarks/precision.py --gpu 0 --networks vgg16 \
  --sizes 512 --iterations 500 --record "$BENCHMARKS/gpu_precision/precision.json"
step columns 150 "$PYTHON" benchmarks/gpu_columns.py --seconds 4 --results "$RESULTS"
step precisions 200 "${RACE[@]}" --precisions bf16 fp16 float32 --sizes 64 1024 \
  --contenders cuda torch-eager torch-graph
step nin 120 "${RACE[@]}" --networks nin --sizes 128 512 \
  --contenders cuda torch-eager torch-graph
