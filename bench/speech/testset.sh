#!/usr/bin/env bash
# Lists human recordings with their transcripts, for recognise_bench: the voice prompts of Debian's Asterisk packages
# (one speaker, 8 kHz; CC-BY-SA-3.0, so they are installed to measure and never committed).
#
#   bench/speech/testset.sh words     file <TAB> word      single words without ordinals, letters and spelling names
#   bench/speech/testset.sh phrases   file <TAB> phrase    two to nine words
set -euo pipefail

kind=${1:?words or phrases}
sounds=/usr/share/asterisk/sounds/en_US_f_Allison
texts=/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz
if [ ! -r "$texts" ] || [ ! -d "$sounds" ]; then
    echo "install asterisk-core-sounds-en and asterisk-core-sounds-en-wav first" >&2
    exit 69
fi

# "digits/1: one" -> digits/1 <TAB> one, in lower case and without punctuation; one recording for each text.
zcat "$texts" | tr -d '\r' |
    awk -F ': ' -v kind="$kind" '
        # A digit or a sign is read aloud in words that are not written; [tones] and (this is a tone) are no words at all.
        /^;/ || NF < 2 || $2 ~ /[0-9*#()\[\]]/ || $1 ~ /beep|tone|ascending|descending/ { next }
        {
            text = tolower($2)
            gsub(/[^a-z'"'"' ]/, " ", text)
            gsub(/^ +| +$/, "", text)
            gsub(/ +/, " ", text)
            words = split(text, unused, " ")
            single = words == 1 && length(text) > 1 && $1 !~ /^(letters|phonetic)\// && $1 !~ /\/h-/
            phrase = words >= 2 && words <= 9
            if ((kind == "words" ? single : phrase) && !seen[text]++) print $1 "\t" text
        }' |
    while IFS=$'\t' read -r name text; do
        [ -f "$sounds/$name.wav" ] && printf '%s\t%s\n' "$sounds/$name.wav" "$text"
    done
