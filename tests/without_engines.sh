#!/usr/bin/env bash
# Builds the programs as where eSpeak NG, pocketsphinx, or both are not installed, and looks at what `say` and `hear` answer
# then. By hand: with a compiler cache it costs two files and some links, three times. What a caller hears without either is
# tested in every run (test_conversation.py).
#
#   tests/without_engines.sh
set -euo pipefail

root=$(dirname -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")")
cd "$root"
build=build/without-engines
log=$build/log
mkdir -p "$build"

# expect COMMAND CODE TEXT ARGUMENT...: the command ends so, and says so.
expect() {
    local command=$1 code=$2 text=$3 ended=0
    shift 3
    "$build/bin/agentlocator" "$command" "$@" >"$log" 2>&1 || ended=$?
    if [ "$ended" != "$code" ] || ! grep -q -- "$text" "$log"; then
        echo "without_engines: $command ended with $ended, not $code and '$text':"
        cat "$log"
        exit 1
    fi
}

for variant in OFF,ON ON,OFF OFF,OFF; do
    espeak=${variant%,*} pocketsphinx=${variant#*,}
    cmake --preset dev -B "$build" -DAGENTLOCATOR_ESPEAK="$espeak" -DAGENTLOCATOR_POCKETSPHINX="$pocketsphinx" \
        -DAGENTLOCATOR_TESTS=OFF >"$log" 2>&1 || { tail -n 20 "$log"; exit 1; }
    cmake --build "$build" >"$log" 2>&1 || { tail -n 40 "$log"; exit 1; }
    unavailable=69
    if [ "$espeak" = OFF ]; then
        expect say "$unavailable" 'install libespeak-ng-dev' goodbye --language en
    else
        expect say 0 's of speech' goodbye --language en --out "$build/goodbye.wav"
    fi
    if [ "$pocketsphinx" = OFF ]; then
        expect hear "$unavailable" 'install libpocketsphinx-dev' worker/prompts/greeting.wav --language en
    else
        expect hear 1 'none of the phrases' worker/prompts/greeting.wav --language en --phrases haifa,jerusalem
    fi
    echo "eSpeak NG $espeak, pocketsphinx $pocketsphinx: builds, and says what it cannot do"
done
