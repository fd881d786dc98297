#!/usr/bin/env bash
# Makes the recorded speech that is built into the worker, by our own front end and voice (`agentlocator say`), so that it
# sounds like everything else the agent says. The recordings are committed: a build needs no voice.
#
#   scripts/make_prompts.sh [FOLDER OF THE PROGRAMS]     default: build/dev/bin
set -euo pipefail
root=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/..
say=$(readlink -f -- "${1:-$root/build/dev/bin}")/agentlocator

# Prompts: name, what is said (vowelled Hebrew).
while IFS=$'\t' read -r name text; do
    "$say" say "$text" --language he --out "$root/worker/prompts/$name.wav"
done <"$root/worker/prompts/prompts.tsv"

# What a caller hears when no voice can be had at all: raw mu-law, the file without its header.
wav_header_bytes=58
recording() { # name, language, text
    "$say" say "$3" --language "$2" --out - | tail -c +$((wav_header_bytes + 1)) >"$root/worker/agent/recordings/$1_$2.ulaw"
}
recording greeting he 'שָׁלוֹם, כָּאן לֵאָה, הַסּוֹכֶנֶת הַדִּיגִיטָלִית. בַּמֶּה אֶפְשָׁר לַעֲזוֹר?'
recording greeting en 'Hello, this is Leah, the digital assistant. How can I help you?'
recording noted he 'תּוֹדָה, שָׁמַעְתִּי. נָשׁוּב אֲלֵיכֶם בְּהֶקְדֵּם.'
recording noted en 'Thank you, I have heard you. We will call you back soon.'
recording sorry he 'סְלִיחָה, יֵשׁ תַּקָּלָה קְטַנָּה. אֶפְשָׁר לוֹמַר שׁוּב?'
recording sorry en 'Sorry, there is a small problem. Could you say that again, please?'
