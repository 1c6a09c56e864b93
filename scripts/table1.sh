#!/usr/bin/env bash
# Table 1 of the paper. Options are those of `chainer-style reproduce`, such as --full
# for the benchmark's own batches on a CPU too.
set -euo pipefail
cd "$(dirname "$0")/.."
make -s venv
exec .venv/bin/chainer-style reproduce table1 "$@"
