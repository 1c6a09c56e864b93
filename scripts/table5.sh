#!/usr/bin/env bash
# Table 5 of the paper. Options are those of `chainer-style reproduce`, such as
# --full for the five minutes per cell of the paper.
set -euo pipefail
cd "$(dirname "$0")/.."
make -s venv
exec .venv/bin/chainer-style reproduce table5 "$@"
