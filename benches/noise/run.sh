#!/usr/bin/env bash
# Counts words in sounds without speech, then looks whether speech is dropped.
# Usage: benches/noise/run.sh [--quick]
#   --quick  30 s of each kind of sound only, for CI; under two minutes
# Exit status 1 if a word appears where nobody speaks. Settings: ../common/setup.sh.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=benches/common/setup.sh
. "$here/../common/setup.sh"

need_tools python3 ffmpeg ffprobe
need_program
prepare_python tools numpy num2words==0.5.14

status=0
"$PYTHON" "$here/noise.py" "$@" || status=$?
if [ $# -eq 0 ]; then
    need_tools espeak-ng
    "$PYTHON" "$here/speech_kept.py"
fi
exit "$status"
