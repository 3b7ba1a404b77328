#!/usr/bin/env bash
# A certificate for a bare address with the profile `shortlived` and the authority's own word
# on renewal, from a real authority that has all three (acme2certifier, behind Caddy for its
# own HTTPS), by both challenges on the real ports: acme.sh BINARY
set -euo pipefail

BINARY=$(realpath "$1")
if [ "${IN_NAMESPACE:-}" != yes ]; then
    # Ports 80 and 443 of a loopback of our own, without root and without anybody else there.
    VENV=$(mktemp -d)
    trap 'rm -rf "$VENV"' EXIT
    python3 -m venv "$VENV"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check acme2certifier==0.46.3
    IN_NAMESPACE=yes VENV=$VENV unshare --map-root-user --net "$0" "$BINARY"
    exit
fi
ip link set lo up
WORK=$(mktemp -d)
PIDS=()
finish() {
    kill "${PIDS[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$WORK"
}
trap finish EXIT
fail() {
    echo "acme.sh: $*" >&2
    tail -n 20 "$WORK"/*.log >&2
    exit 1
}
cd "$WORK"

openssl req -x509 -newkey rsa:2048 -nodes -subj '/CN=Test root' -days 30 -out ca.crt -keyout ca.key 2>/dev/null
touch index.txt
echo 01 >number
printf '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha256\ndefault_crl_days=30\n' >ca.cnf
openssl ca -gencrl -config ca.cnf -keyfile ca.key -cert ca.crt -out ca.crl 2>/dev/null
cat >acme_srv.cfg <<TEXT
[DEFAULT]
debug: False
[CAhandler]
handler_module: acme2certifier.cahandlers.openssl_ca_handler
issuing_ca_key: $WORK/ca.key
issuing_ca_cert: $WORK/ca.crt
issuing_ca_crl: $WORK/ca.crl
cert_validity_days: 6
cert_save_path: $WORK/certs
[DBhandler]
handler: wsgi
dbfile: $WORK/acme.db
[Order]
profiles: {"classic": "https://ca.test/classic", "shortlived": "https://ca.test/shortlived"}
TEXT
cat >authority.py <<'TEXT'
from wsgiref.simple_server import make_server
import acme2certifier.share.acme2certifier_wsgi as authority
make_server("127.0.0.1", 8300, authority.application).serve_forever()
TEXT
mkdir certs
ACME_SRV_CONFIGFILE=$WORK/acme_srv.cfg "$VENV/bin/python" authority.py >>authority.log 2>&1 &
PIDS+=($!)
cat >Caddyfile <<TEXT
{
 admin off
 skip_install_trust
 https_port 8443
 http_port 8080
 storage file_system $WORK/caddy
}
https://localhost:8443 {
 tls internal
 reverse_proxy 127.0.0.1:8300
}
TEXT
HOME=$WORK caddy run --adapter caddyfile --config Caddyfile >caddy.log 2>&1 &
PIDS+=($!)
ROOT=$WORK/caddy/pki/authorities/local/root.crt
for _ in $(seq 120); do
    curl -fsS --cacert "$ROOT" https://localhost:8443/directory >directory.json 2>/dev/null && break
    sleep 0.5
done
grep -q shortlived directory.json || fail 'the authority does not serve'

for challenge in http-01 tls-alpn-01; do
    cat >config.toml <<TEXT
listen = "127.0.0.1:8001"
[sftp]
enabled = false
[https]
enabled = true
listen = "127.0.0.1:443"
redirect_from = "127.0.0.1:80"
domains = ["127.0.0.1"]
[https.acme]
enabled = true
agree_to_terms = true
directory = "https://localhost:8443/directory"
ca_file = "$ROOT"
contact = "admin@calls.test"
challenge = "$challenge"
TEXT
    rm -rf data
    "$BINARY" --config config.toml --data-dir data serve >"server-$challenge.log" 2>&1 &
    server=$!
    PIDS+=("$server")
    for _ in $(seq 120); do
        curl -fsS --cacert ca.crt https://127.0.0.1/api/v1/health >/dev/null 2>&1 && break
        sleep 0.5
    done
    curl -fsS --cacert ca.crt https://127.0.0.1/api/v1/health >/dev/null || fail "no certificate by $challenge"
    left=$(openssl s_client -connect 127.0.0.1:443 </dev/null 2>/dev/null | openssl x509 -noout -checkend $((7 * 86400)) || true)
    case $left in *'will expire'*) ;; *) fail "the certificate is not a short-lived one: $left" ;; esac
    for _ in $(seq 60); do
        grep -q 'GET /acme/renewal-info/.* 200' authority.log && break
        sleep 0.5
    done
    grep -q 'GET /acme/renewal-info/.* 200' authority.log || fail 'nobody asked when to renew'
    kill "$server"
    wait "$server" 2>/dev/null || true
    : >authority.log
    echo "    a bare address by $challenge, profile shortlived, renewal information"
done
profiles=$("$VENV/bin/python" -c "
import sqlite3
print(*[row[0] for row in sqlite3.connect('acme.db').execute('select profile from orders where status_id = 5')])")
[ "$profiles" = 'shortlived shortlived' ] || fail "orders were made with: $profiles"
