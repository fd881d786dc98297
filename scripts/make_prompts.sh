#!/usr/bin/env bash
# Makes the recorded prompts of worker/prompts (committed, so a build needs neither program): eSpeak NG as a phoneme
# synthesiser, since its own Hebrew text rules drop vowels; sox for 8 kHz mu-law. Debian: espeak-ng sox.
set -euo pipefail
cd "$(dirname "$0")/../worker/prompts"

# name, what is said (vowelled), how it is pronounced (eSpeak phonemes)
say() {
    espeak-ng -v he+f3 -s 150 -a 80 --stdout "[[$3]]" |
        sox -q -t wav - -r 8000 -c 1 -e u-law -t wav "$1.wav" silence 1 0.01 0.1% norm -3
    printf '%s\t%s\n' "$1" "$2"
}

{
    say greeting 'שָׁלוֹם, כָּאן לֵאָה, הַסּוֹכֶנֶת הַדִּיגִיטָלִית. בַּמֶּה אֶפְשָׁר לַעֲזוֹר?' \
        "Sal'om _ k'an le?'a _ hasoX'enet hadigit'alit _: bam'e efS'aQ\" la?az'oQ\" _:"
    say heard_you 'תּוֹדָה, שָׁמַעְתִּי. נָשׁוּב אֲלֵיכֶם בְּהֶקְדֵּם.' \
        "tod'a _ Sam'ati _: naS'uv ?aleX'em behekd'em _:"
    say got_digit 'תּוֹדָה, הַהַקָּשָׁה נִקְלְטָה.' \
        "tod'a _ hahakaS'a niklet'a _:"
    say apology 'סְלִיחָה, יֵשׁ תַּקָּלָה קְטַנָּה. אֶפְשָׁר לַחֲזוֹר עַל זֶה?' \
        "sliX'a _ jeS takal'a ktan'a _: efS'aQ\" laXaz'oQ\" ?al z'e _:"
} >prompts.tsv
