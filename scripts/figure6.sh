#!/usr/bin/env bash
# Figure 6 of the paper. Options are those of `chainer-style reproduce`, such as
# --full for a run of 4901 iterations.
set -euo pipefail
cd "$(dirname "$0")/.."
make -s venv
exec .venv/bin/chainer-style reproduce figure6 "$@"
