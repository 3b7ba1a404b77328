#!/usr/bin/env bash
# Makes a virtual environment with the pinned tools of .ci/requirements.txt, where
# there is none yet, and prints its directory of programs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
mark=$(sha256sum .ci/requirements.txt | cut -c 1-16)
dir=${CALL_ANALYTICS_TOOLS:-${TMPDIR:-/tmp}/call-analytics-tools-$(id -u)}-$mark
if [ ! -e "$dir/complete" ]; then
    rm -rf "$dir"
    python3 -m venv "$dir" >&2
    "$dir/bin/pip" install --quiet --disable-pip-version-check -r .ci/requirements.txt >&2
    touch "$dir/complete"
fi
echo "$dir/bin"
