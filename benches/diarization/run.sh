#!/usr/bin/env bash
# Measures how well and how fast speakers are told apart, and prints tables.
# Usage: benches/diarization/run.sh (see bench.py). Settings: ../common/setup.sh.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=benches/common/setup.sh
. "$here/../common/setup.sh"

need_tools python3 ffmpeg ffprobe
need_program
prepare_python tools numpy num2words==0.5.14
exec "$PYTHON" "$here/bench.py"
