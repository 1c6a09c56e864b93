#!/usr/bin/env bash
# Figure 3 of the paper. Options are those of `chainer-style reproduce`, such as
# --full for larger pictures and all iterations.
set -euo pipefail
cd "$(dirname "$0")/.."
make -s venv
exec .venv/bin/chainer-style reproduce figure3 "$@"
