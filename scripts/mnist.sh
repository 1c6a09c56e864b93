#!/usr/bin/env bash
# The companion document's experiment: a small network learns MNIST's digits. Options
# are those of `chainer-style reproduce`, such as --mnist DIR, or --full for all digits.
set -euo pipefail
cd "$(dirname "$0")/.."
make -s venv
exec .venv/bin/chainer-style reproduce mnist "$@"
