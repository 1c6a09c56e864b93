#!/usr/bin/env bash
# What each device of this machine can do at most: matrix products and memory. Options
# are those of `chainer-style reproduce`.
set -euo pipefail
cd "$(dirname "$0")/.."
make -s venv
exec .venv/bin/chainer-style reproduce ceilings "$@"
