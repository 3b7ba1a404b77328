#!/usr/bin/env bash
# browser.sh PROGRAM MODEL_FILE: a call through the page in a real Chromium, on a
# fresh data directory and free ports, with a real identity provider. AUDIO names
# another recording, SHOTS a directory for screenshots.
set -euo pipefail

program=$(realpath "$1")
model=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
data=$(mktemp -d)
server=
provider=
finish() {
    local process
    for process in $server $provider; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$data"
}
trap finish EXIT

read -r port at_provider < <(python3 -c '
import socket
ends = [socket.socket() for _ in range(2)]
for end in ends:
    end.bind(("127.0.0.1", 0))
print(*(end.getsockname()[1] for end in ends))')

# To a browser "localhost" is another site than 127.0.0.1, as a provider is.
[ -d "$here/oidc/node_modules/oidc-provider" ] || npm --prefix "$here/oidc" ci --no-audit --no-fund --silent
node "$here/oidc/provider.mjs" "$at_provider" "http://127.0.0.1:$port/api/v1/auth/oidc/callback" localhost \
    >"$data/provider" 2>&1 &
provider=$!
cat >"$data/config.toml" <<TOML
[oidc]
enabled = true
issuer = "http://localhost:$at_provider"
client_id = "calls"
client_secret = "a secret of the tests"
public_url = "http://127.0.0.1:$port"
label = "Войти через Тест"
create = true
default_role = "viewer"
default_teams = ["*"]
TOML

cd "$data"
env -u CALL_ANALYTICS_DATA_DIR -u CALL_ANALYTICS_LISTEN CALL_ANALYTICS_CONFIG="$data/config.toml" CALL_ANALYTICS_MODEL="$model" \
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
