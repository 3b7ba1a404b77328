#!/usr/bin/env bash
# browser.sh PROGRAM MODEL_FILE: a call through the page in a real Chromium, on a
# fresh data directory and a free port. AUDIO names another recording, SHOTS a
# directory for screenshots.
set -euo pipefail

program=$(realpath "$1")
model=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
data=$(mktemp -d)
server=
finish() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$data"
}
trap finish EXIT

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cd "$data"
env -u CALL_ANALYTICS_DATA_DIR -u CALL_ANALYTICS_LISTEN CALL_ANALYTICS_CONFIG=/dev/null CALL_ANALYTICS_MODEL="$model" \
    CALL_ANALYTICS_SFTP_LISTEN=127.0.0.1:0 \
    "$program" --data-dir "$data/store" serve --listen "127.0.0.1:$port" >"$data/out" 2>"$data/err" &
server=$!

for _ in $(seq 150); do
    if ! kill -0 "$server" 2>/dev/null; then
        echo 'FAIL: the server ended:'
        cat "$data/out" "$data/err"
        exit 1
    fi
    curl -fsS --max-time 1 "http://127.0.0.1:$port/api/v1/health" >/dev/null 2>&1 && break
    sleep 0.2
done
password=$(sed -n 's/.*password[^:]* \([^ ]*\)$/\1/p' "$data/out" | head -n 1)
[ -n "$password" ] || {
    echo 'FAIL: the first start did not print a password:'
    cat "$data/out" "$data/err"
    exit 1
}

cd "$root/web"
code=0
BASE_URL="http://127.0.0.1:$port" ADMIN_PASSWORD="$password" AUDIO="${AUDIO:-$here/call.mp3}" node e2e/e2e.mjs || code=$?
if [ "$code" -ne 0 ]; then
    echo '--- the last lines of the server:'
    tail -n 40 "$data/err"
fi
[ "$code" -eq 0 ]
