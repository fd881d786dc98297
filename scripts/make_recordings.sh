#!/usr/bin/env bash
# Makes the recorded apologies of worker/agent/recordings (committed, so a build needs neither program): what a caller
# hears when no voice can be had at all. Debian: espeak-ng sox.
set -euo pipefail
cd "$(dirname "$0")/../worker/agent/recordings"

say() { # name, voice, speed, what eSpeak is given
    espeak-ng -v "$2" -s "$3" -a 80 --stdout "$4" |
        sox -q -t wav - -r 8000 -c 1 -e u-law -t raw "$1.ulaw" silence 1 0.01 0.1% norm -3
}

# סְלִיחָה, יֵשׁ תַּקָּלָה קְטַנָּה. אֶפְשָׁר לוֹמַר שׁוּב?
say sorry_he he+f3 150 "[[sliX'a _ j'eS takal'a ktan'a _: efS'aQ\" lom'aQ\" S'uv _:]]"
say sorry_en en-us+f3 150 "Sorry, there is a small problem. Could you say that again, please?"
