#!/usr/bin/env bash
# Builds every fuzz target and runs each for some seconds (60), from the committed corpus. Stops with 1 when one finds a
# fault; its input is then in build/fuzz/found. usage: tests/fuzz/run.sh [SECONDS [TARGET...]]
set -euo pipefail

root=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../..
cd "$root"
seconds=${1:-60}
shift || true
if [ $# -eq 0 ]; then
    for source in tests/fuzz/*_fuzz.cpp; do
        set -- "$@" "$(basename -- "$source" _fuzz.cpp)"
    done
fi

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz
faults=0
for target in "$@"; do
    found=build/fuzz/found/$target
    log=build/fuzz/found/$target.log
    mkdir -p "$found"
    if "build/fuzz/bin/${target}_fuzz" -max_total_time="$seconds" -artifact_prefix="build/fuzz/found/$target-" \
        "$found" "tests/fuzz/corpus/$target" >"$log" 2>&1; then
        echo "$target: $(grep '^Done' "$log")"
    else
        echo "$target: FAULT"
        grep -E 'does not hold|ERROR:|runtime error|Assertion|Test unit written' "$log" || tail -20 "$log"
        faults=1
    fi
done
exit "$faults"
