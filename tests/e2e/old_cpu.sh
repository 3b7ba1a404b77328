#!/usr/bin/env bash
# old_cpu.sh PROGRAM: on a processor without AVX2 every command that would touch
# the models ends with one sentence and an exit code, never with SIGILL.
# Needs qemu-user.
set -euo pipefail

program=$1
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

try() {
    local cpu=$1
    shift
    code=0
    qemu-x86_64 -cpu "$cpu" "$program" --data-dir "$temp/data" "$@" >"$temp/out" 2>"$temp/all" || code=$?
    # What qemu says of its own emulation is not the program's.
    grep -v '^qemu-x86_64: warning' "$temp/all" >"$temp/err" || true
}

fail() {
    echo "FAIL: $1 (exit code $code)"
    cat "$temp/out" "$temp/err"
    exit 1
}

# Westmere has SSE 4.2 but no AVX at all; IvyBridge has AVX and F16C, not AVX2.
for cpu in Westmere IvyBridge; do
    for command in serve 'analyze none.wav' speech-worker; do
        # shellcheck disable=SC2086 # a command and its argument
        try "$cpu" $command
        # 128 + signal: qemu dies of what its guest dies of.
        [ "$code" -gt 0 ] || fail "$command on $cpu"
        [ "$code" -lt 128 ] || fail "$command on $cpu"
        [ "$(cat "$temp/out" "$temp/err" | wc -l)" -eq 1 ] || fail "$command on $cpu says more than one line"
        grep -qi avx2 "$temp/err" || fail "$command on $cpu does not name AVX2"
    done
    echo "ok: $(cat "$temp/err")"
    try "$cpu" version
    [ "$code" -eq 0 ] || fail "version on $cpu"
done
try Haswell version
[ "$code" -eq 0 ] || fail 'version on Haswell'
