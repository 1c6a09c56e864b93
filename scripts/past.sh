#!/usr/bin/env bash
# Past the paper: 512 and 1024 pixels within 2 GiB; with --full up to 8K. Options are those of `chainer-style reproduce`.
set -euo pipefail
cd "$(dirname "$0")/.."
make -s venv
exec .venv/bin/chainer-style reproduce past "$@"
