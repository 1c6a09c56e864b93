#!/usr/bin/env bash
# 512 pixels within the 2 GiB that they crashed in. Options are those of `chainer-style reproduce`.
set -euo pipefail
cd "$(dirname "$0")/.."
make -s venv
exec .venv/bin/chainer-style reproduce px512 "$@"
