#!/usr/bin/env bash
# Figure 7 of the paper, the chart of Table 4. Options are those of `chainer-style reproduce`.
set -euo pipefail
cd "$(dirname "$0")/.."
make -s venv
exec .venv/bin/chainer-style reproduce figure7 "$@"
