#!/usr/bin/env bash
# An 8K picture, 7680x4320, within 4 GiB; takes some minutes. Options are those of `chainer-style reproduce`.
set -euo pipefail
cd "$(dirname "$0")/.."
make -s venv
exec .venv/bin/chainer-style reproduce px8k "$@"
