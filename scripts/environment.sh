#!/usr/bin/env bash
# Tables 2 and 3 of the paper: what this machine is and has. Options are those of
# `chainer-style reproduce`.
set -euo pipefail
cd "$(dirname "$0")/.."
make -s venv
exec .venv/bin/chainer-style reproduce table2 table3 "$@"
