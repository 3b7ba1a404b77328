#!/usr/bin/env bash
# sftp_kill.sh PROGRAM [KILLS]: kill -9 while files are dropped over SFTP; every file
# whose closing was acknowledged is there, whole. 25 kills unless told otherwise.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
exec /usr/bin/python3 "$here/sftp_kill.py" "$(realpath "$1")" "${2:-25}"
