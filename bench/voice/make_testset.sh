#!/usr/bin/env bash
# Builds a labelled set of telephone speech for vad_bench: DIR/manifest.tsv and DIR/**/*.ulaw.
#
#   bench/voice/make_testset.sh DIR [--held-out]
#
# Real recordings of people from Debian packages (telephone prompts, read speech, music on hold), mixed with noise at
# stated ratios by bench/voice/testset.cpp; the same packages give the same bytes. --held-out: three other languages
# (French and Russian by other speakers, Spanish by the English one), never used for tuning. Most recordings are
# CC-BY-SA: build the set, do not ship it.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:?usage: make_testset.sh DIR [--held-out]}
which=tuning
languages=(en it)
[ "${2:-}" = --held-out ] && which=held-out && languages=(es fr ru)

packages=(asterisk-moh-opsound-wav)
for language in "${languages[@]}"; do packages+=("asterisk-core-sounds-$language-wav"); done
[ $which = tuning ] && packages+=(pocketsphinx-testdata)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Every prompt of a person's voice; those of a word or two are what the short end of the set is about.
for language in "${languages[@]}"; do
    # By the speaker's folder: the link "en" is another package's.
    find /usr/share/asterisk/sounds/"$language"_* -name '*.wav' \
        ! -path '*/silence/*' ! -name '*beep*' ! -name '*tone*' ! -name 'ascending*' ! -name 'descending*'
done | LC_ALL=C sort >"$work/speech.txt"
[ $which = tuning ] && find /usr/share/pocketsphinx/test/data -name '*.wav' | LC_ALL=C sort >>"$work/speech.txt"
find /usr/share/asterisk/moh -name '*.wav' | LC_ALL=C sort >"$work/music.txt"
"${CXX:-c++}" -std=c++20 -O2 -I. -o "$work/testset" bench/voice/testset.cpp
mkdir -p "$out"
"$work/testset" "$out" "$work/speech.txt" "$work/music.txt"
