#!/usr/bin/env bash
# Figure 8 of the paper, the chart of Table 5. Options are those of `chainer-style reproduce`.
set -euo pipefail
cd "$(dirname "$0")/.."
make -s venv
exec .venv/bin/chainer-style reproduce figure8 "$@"
