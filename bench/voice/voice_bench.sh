#!/usr/bin/env bash
# Builds the labelled set (once) and judges the voice detector on it. Arguments go to vad_bench.
#
#   bench/voice/voice_bench.sh [--held-out] [--hangover MS] [--start N,OF] [--files]
set -euo pipefail
cd "$(dirname "$0")/../.."
set_name=tuning
[ "${1:-}" = --held-out ] && set_name=held-out && shift
folder=${AGENTLOCATOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/agentlocator}/speech-$set_name
if [ ! -s "$folder/manifest.tsv" ]; then
    bench/voice/make_testset.sh "$folder" $([ $set_name = tuning ] || echo --held-out)
fi
cmake --preset release >/dev/null
cmake --build --preset release --target vad_bench >/dev/null
build/release/bin/vad_bench "$folder" "$@"
