#!/usr/bin/env bash
# schemathesis against the API as every role: see schemathesis.py.
#
# schemathesis.sh BINARY [SECONDS_A_ROLE]
set -euo pipefail
binary=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")"
tools=$(./tools.sh)
exec "$tools/python" schemathesis.py "$binary" "$tools" "${2:-30}"
