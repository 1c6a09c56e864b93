#!/usr/bin/env bash
# Figure 4 of the paper. Options are those of `chainer-style reproduce`, such as --style.
set -euo pipefail
cd "$(dirname "$0")/.."
make -s venv
exec .venv/bin/chainer-style reproduce figure4 "$@"
