#!/usr/bin/env bash
# Measures pulling against `sftp get` and `curl` on the same servers: one large
# recording over SFTP and FTP, and how long 50,000 files take to be listed.
# Usage: benches/pull/run.sh [--rounds N] [--megabytes N] [--files N]
# CALL_ANALYTICS names the program, BENCH_DIR where the files lie [/var/tmp].
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=benches/common/setup.sh
. "$here/../common/setup.sh"

need_tools python3 sftp ssh-keygen curl
[ -x /usr/sbin/sshd ] || die 'sshd is needed. On Debian: sudo apt-get install openssh-server'
[ -x /usr/sbin/vsftpd ] || die 'vsftpd is needed. On Debian: sudo apt-get install vsftpd'
[ -x "$CALL_ANALYTICS" ] || die "$CALL_ANALYTICS is missing: cargo build --release, or set CALL_ANALYTICS"
export BENCH_DIR=${BENCH_DIR:-/var/tmp}
exec python3 "$here/bench.py" "$@"
