#!/usr/bin/env bash
# Figure 2 of the paper. Options are those of `chainer-style reproduce`, such as
# --full for every network of the package.
set -euo pipefail
cd "$(dirname "$0")/.."
make -s venv
exec .venv/bin/chainer-style reproduce figure2 "$@"
