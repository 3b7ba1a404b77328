#!/usr/bin/env bash
# sftp_large.sh PROGRAM [MEGABYTES]: 1 GB to the server and back over SFTP with
# OpenSSH's client; the three checksums are equal.
set -euo pipefail

program=$(realpath "$1")
megabytes=${2:-1024}
place=$(mktemp -d -p /var/tmp)
server=
finish() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$place"
}
trap finish EXIT
cd "$place"
cat >config.toml <<TEXT
data_dir = "$place/data"
listen = "127.0.0.1:0"
log = "warn"
[sftp]
listen = "127.0.0.1:0"
TEXT
ssh-keygen -q -t ed25519 -N '' -f key
"$program" --config config.toml sftp-user add large --no-password
"$program" --config config.toml sftp-user key large add key.pub
"$program" --config config.toml serve >out 2>err &
server=$!
for _ in $(seq 100); do
    grep -q http:// out && break
    sleep 0.1
done
port=$(sed -n 's#.*sftp://127.0.0.1:##p' out)
[ -n "$port" ] || {
    echo 'FAIL: the server does not start:'
    cat out err
    exit 1
}
head -c "$((megabytes * 1024 * 1024))" /dev/urandom >there
sftp -q -F /dev/null -i key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
    -P "$port" -b - large@127.0.0.1 >/dev/null <<'TEXT'
put there
get there back
TEXT
sums=$(sha256sum there back data/sftp/files/large/there)
echo "$sums"
[ "$(cut -d ' ' -f 1 <<<"$sums" | sort -u | wc -l)" -eq 1 ] || {
    echo 'FAIL: the checksums differ'
    exit 1
}
