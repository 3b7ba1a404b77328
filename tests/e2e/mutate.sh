#!/usr/bin/env bash
# mutate.sh [COUNT] [SEED]: damages COUNT recordings of all formats at random (the
# same way for the same seed) and decodes them: each must end in sound or in a
# reason, within a time and a memory. The ordinary tests do it with 300.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export CALL_ANALYTICS_MUTANTS=${1:-10000}
export CALL_ANALYTICS_MUTATION_SEED=${2:-1}
exec ${CARGO:-cargo} test --release --locked --test hard_files -- --nocapture damaged
