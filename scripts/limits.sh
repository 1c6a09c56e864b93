#!/usr/bin/env bash
# The 512 pixels that dumped core: what fits into which memory. Options are those of `chainer-style reproduce`.
set -euo pipefail
cd "$(dirname "$0")/.."
make -s venv
exec .venv/bin/chainer-style reproduce limits "$@"
