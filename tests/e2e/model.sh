#!/usr/bin/env bash
# model.sh PROGRAM: what `model` says when nothing works: an unreachable source, a
# source without the model, a source with wrong bytes, a directory that is no model.
set -euo pipefail

program=$(realpath "$1")
temp=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$temp"
}
trap finish EXIT

# refused WORDS COMMAND…: the command fails, in one line that holds the words.
refused() {
    local words=$1 code=0
    shift
    env -u CALL_ANALYTICS_MODEL CALL_ANALYTICS_CONFIG=/dev/null no_proxy='*' \
        "$program" --data-dir "$temp/data" "$@" >"$temp/out" 2>&1 || code=$?
    if [ "$code" -eq 0 ] || [ "$code" -ge 128 ] || ! grep -q "$words" "$temp/out"; then
        echo "FAIL: $* (exit code $code) does not say: $words"
        cat "$temp/out"
        exit 1
    fi
    echo "ok: $words"
}

mkdir "$temp/www"
head -c 77691713 /dev/zero >"$temp/www/ggml-tiny.bin"
python3 -u -m http.server --bind 127.0.0.1 --directory "$temp/www" 0 >"$temp/log" 2>&1 &
server=$!
for _ in $(seq 100); do
    port=$(sed -n 's/.*port \([0-9]*\) .*/\1/p' "$temp/log")
    [ -z "$port" ] || break
    sleep 0.1
done

export CALL_ANALYTICS_MODEL_MIRROR=http://127.0.0.1:$port
refused 'no model "nonsense"' model pull nonsense
refused 'HTTP 404' model pull base-q8_0
refused 'other bytes than published' model pull tiny
[ -z "$(ls "$temp/data/models")" ] || {
    echo 'FAIL: something is left of refused downloads'
    ls "$temp/data/models"
    exit 1
}
CALL_ANALYTICS_MODEL_MIRROR=http://127.0.0.1:1 refused 'check the network' model pull tiny
mkdir "$temp/empty"
refused 'expected a directory with' model import "$temp/empty"
head -c 1000 /dev/zero >"$temp/zeros.bin"
refused 'does not begin like' model import "$temp/zeros.bin"
refused 'model pull' model remove base-q8_0
