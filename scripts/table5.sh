#!/usr/bin/env bash
# Table 5 of the paper. Options are those of `chainer-style reproduce`, such as
# --minutes 5 for the paper's own protocol.
set -euo pipefail
cd "$(dirname "$0")/.."
make -s venv
exec .venv/bin/chainer-style reproduce --table 5 "$@"
