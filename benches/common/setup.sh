# shellcheck shell=bash
# What the measurements share; sourced by each run.sh. Everything that is fetched
# or made lies outside the tree, in CACHE.
#
# Environment:
#   CALL_ANALYTICS              the program [target/x86_64-unknown-linux-gnu/release/call-analytics]
#   CALL_ANALYTICS_MODEL_FILE   its speech model [data/models/ggml-base-q8_0.bin]
#   CALL_ANALYTICS_AUDIO        recordings to measure with [../shared/audio]
#   CALL_ANALYTICS_BENCH_CACHE  Python and weights [~/.cache/call-analytics-bench]

BENCHES=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
ROOT=$(dirname "$BENCHES")
CACHE=${CALL_ANALYTICS_BENCH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/call-analytics-bench}

export CALL_ANALYTICS=${CALL_ANALYTICS:-$ROOT/target/x86_64-unknown-linux-gnu/release/call-analytics}
export CALL_ANALYTICS_MODEL_FILE=${CALL_ANALYTICS_MODEL_FILE:-$ROOT/data/models/ggml-base-q8_0.bin}
export CALL_ANALYTICS_AUDIO=${CALL_ANALYTICS_AUDIO:-$ROOT/../shared/audio}
export PYTHONPATH=$BENCHES/common PYTHONDONTWRITEBYTECODE=1

die() {
    printf '%s: %s\n' "$0" "$*" >&2
    exit 1
}

# need_tools TOOL…: stops where one is missing.
need_tools() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || die "$tool is needed. On Debian: sudo apt-get install $tool"
    done
}

# need_program: stops where the program or its model is missing.
need_program() {
    [ -x "$CALL_ANALYTICS" ] || die "$CALL_ANALYTICS is missing: cargo build --release, or set CALL_ANALYTICS"
    [ -f "$CALL_ANALYTICS_MODEL_FILE" ] ||
        die "$CALL_ANALYTICS_MODEL_FILE is missing: call-analytics model pull, or set CALL_ANALYTICS_MODEL_FILE"
    [ -d "$CALL_ANALYTICS_AUDIO" ] || die "$CALL_ANALYTICS_AUDIO is missing: set CALL_ANALYTICS_AUDIO"
}

# prepare_python NAME PACKAGE…: sets PYTHON to an environment with these packages,
# which is made again when the list changes.
prepare_python() {
    local place=$CACHE/$1
    shift
    # shellcheck disable=SC2034 # for run.sh
    PYTHON=$place/bin/python3
    if [ "$(cat "$place/packages" 2>/dev/null)" != "$*" ]; then
        echo "Installing $* into $place" >&2
        python3 -m venv --clear "$place" || die 'python3-venv is needed: sudo apt-get install python3-venv'
        "$place/bin/pip" install --quiet --disable-pip-version-check "$@" >&2
        echo "$*" >"$place/packages"
    fi
}
