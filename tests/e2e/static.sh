#!/usr/bin/env bash
# static.sh PROGRAM: it is one static file that runs in a directory holding
# nothing else, and resolves names there: from /etc/hosts, and through the server
# that /etc/resolv.conf names. Everything happens in a network of its own with
# nothing but loopback, so no other resolver can have answered.
set -euo pipefail

program=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
chroot=$(command -v chroot)

if [ "${2:-}" != inside ]; then
    ldd "$program" 2>&1 | grep -Eq 'statically linked|not a dynamic executable' || {
        echo 'FAIL: not statically linked:'
        ldd "$program"
        exit 1
    }
    if file "$program" 2>/dev/null | grep -q 'interpreter'; then
        echo 'FAIL: it asks for a dynamic loader'
        exit 1
    fi
    # Root of a user namespace is enough; a real root needs none.
    if [ "$(id -u)" -eq 0 ]; then
        exec unshare --net --mount -- "$0" "$program" inside
    fi
    exec unshare --map-root-user --net --mount -- "$0" "$program" inside
fi

ip link set lo up
root=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$root"
}
trap finish EXIT
mkdir "$root/jail"
cp "$program" "$root/jail/call-analytics"

# Nothing but the program: not /dev, not /proc, not /etc.
env -i "$chroot" "$root/jail" /call-analytics version
env -i "$chroot" "$root/jail" /call-analytics --help >/dev/null

python3 "$here/names.py" "$root/ready" >"$root/log" 2>&1 &
server=$!
for _ in $(seq 100); do
    [ -s "$root/ready" ] && break
    sleep 0.1
done
port=$(cat "$root/ready")
mkdir "$root/jail/etc"

# The download asks the test's web server, which has no models: HTTP 404 means
# that the name was resolved and the connection made.
asks() {
    local name=$1 out
    out=$(env -i CALL_ANALYTICS_MODEL_MIRROR="http://$name:$port" \
        "$chroot" "$root/jail" /call-analytics --data-dir /data model pull tiny 2>&1) && {
        echo "FAIL: a model came from nowhere: $out"
        exit 1
    }
    if ! grep -q "GET $name:$port /ggml-tiny.bin" "$root/log"; then
        echo "FAIL: $name was not reached: $out"
        cat "$root/log"
        exit 1
    fi
    echo "ok: $name"
}

echo '127.0.0.1 models.in-hosts.test' >"$root/jail/etc/hosts"
asks models.in-hosts.test

rm "$root/jail/etc/hosts"
echo 'nameserver 127.0.0.1' >"$root/jail/etc/resolv.conf"
asks models.in-dns.test
grep -q 'DNS models.in-dns.test' "$root/log" || {
    echo 'FAIL: the name server of resolv.conf was not asked'
    exit 1
}

out=$(env -i CALL_ANALYTICS_MODEL_MIRROR="http://nowhere.test:$port" \
    "$chroot" "$root/jail" /call-analytics --data-dir /data model pull tiny 2>&1) && exit 1
grep -q 'cannot download' <<<"$out" || {
    echo "FAIL: an unknown name gives: $out"
    exit 1
}
echo 'ok: an unknown name is an error in words'
