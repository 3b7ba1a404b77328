#!/usr/bin/env bash
# Measures the SFTP server against OpenSSH's internal-sftp with OpenSSH's client:
# 1 GB and 1,000 small files both ways, memory a connection. Prints a table.
# Usage: benches/sftp/run.sh [--rounds N] [--megabytes N] [--small N] [--connections N]
# CALL_ANALYTICS names the program, BENCH_DIR where the files lie [/var/tmp].
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=benches/common/setup.sh
. "$here/../common/setup.sh"

need_tools python3 sftp ssh-keygen
[ -x /usr/sbin/sshd ] || die 'sshd is needed. On Debian: sudo apt-get install openssh-server'
[ -x "$CALL_ANALYTICS" ] || die "$CALL_ANALYTICS is missing: cargo build --release, or set CALL_ANALYTICS"
export BENCH_DIR=${BENCH_DIR:-/var/tmp}
exec python3 "$here/bench.py" "$@"
