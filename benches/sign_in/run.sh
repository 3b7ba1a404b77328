#!/usr/bin/env bash
# run.sh [PROGRAM] [SECONDS]: how many guesses at passwords the limits let through, while the owner signs in.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "${1:-$here/../../target/x86_64-unknown-linux-gnu/release/call-analytics}")
exec python3 "$here/bench.py" "$program" "${2:-20}"
