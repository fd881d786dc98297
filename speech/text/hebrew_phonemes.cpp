#include "speech/text/hebrew_phonemes.hpp"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace agentlocator::speech {
namespace {

using namespace niqqud;

constexpr char32_t alef = U'א';
constexpr char32_t he = U'ה';
constexpr char32_t vav = U'ו';
constexpr char32_t het = U'ח';
constexpr char32_t yod = U'י';
constexpr char32_t ayin = U'ע';
constexpr std::string_view hiatus = "?";

bool is_one_of(char32_t code, std::u32string_view set) {
    return set.find(code) != std::u32string_view::npos;
}

std::string_view consonant_of(const HebrewLetter& letter) {
    switch (letter.base) {
        case U'א':
        case U'ע':
            return hiatus;
        case U'ב':
            return letter.dagesh ? "b" : "v";
        case U'ג':
            return letter.geresh ? "dZ" : "g";
        case U'ד':
            return "d";
        case U'ה':
            return "h";
        case U'ו':
            return "v";
        case U'ז':
            return letter.geresh ? "Z" : "z";
        case U'ח':
            return "X";
        case U'ט':
        case U'ת':
            return "t";
        case U'י':
            return "j";
        case U'כ':
        case U'ך':
            return letter.dagesh ? "k" : "X";
        case U'ל':
            return "l";
        case U'מ':
        case U'ם':
            return "m";
        case U'נ':
        case U'ן':
            return "n";
        case U'ס':
            return "s";
        case U'פ':
        case U'ף':
            return letter.dagesh ? "p" : "f";
        case U'צ':
        case U'ץ':
            return letter.geresh ? "tS" : "ts";
        case U'ק':
            return "k";
        case U'ר':
            return "Q\"";
        case U'ש':
            return letter.sin ? "s" : "S";
        default:
            return "";
    }
}

std::string_view vowel_of(char32_t mark) {
    switch (mark) {
        case patah:
        case qamats:
        case hataf_patah:
            return "a";
        case segol:
        case tsere:
        case hataf_segol:
            return "e";
        case hiriq:
            return "i";
        case holam:
        case qamats_qatan:
        case hataf_qamats:
            return "o";
        case qubuts:
            return "u";
        default:
            return "";
    }
}

struct Sound {
    std::string_view phoneme;
    bool vowel = false;
    char32_t mark = 0;       // Of a vowel: what wrote it. holam also for vav, qubuts for shuruk.
    std::size_t letter = 0;  // Where it was written.
    bool ganuv = false;      // Patah under a final guttural, said before it.
};

// Reads the letters of one vowelled word from left to right.
class VowelledReader {
public:
    explicit VowelledReader(const HebrewWord& word) : word_(word) {}

    std::vector<Sound> read() {
        for (at_ = 0; at_ < word_.size(); ++at_) {
            const HebrewLetter& letter = word_[at_];
            if (letter.base == vav && read_vav()) {
                continue;
            }
            if (letter.base == yod && is_silent_yod()) {
                continue;
            }
            if (letter.base == he && is_last() && !letter.dagesh && letter.vowel == 0) {
                continue;
            }
            if (is_ganuv()) {
                add_vowel("a", patah, true);
                add_consonant(letter);
                continue;
            }
            if (const bool bare_aleph = letter.base == alef && letter.vowel == 0 && !next_is_vowel_letter();
                !bare_aleph) {
                add_consonant(letter);
            }
            if (letter.vowel == sheva) {
                if (is_vocal_sheva()) {
                    add_vowel("e", sheva);
                }
            } else if (letter.vowel == qamats && next() != nullptr && next()->vowel == hataf_qamats) {
                add_vowel("o", qamats_qatan);  // צָהֳרַיִם: an o before an o.
            } else if (letter.vowel != 0) {
                add_vowel(vowel_of(letter.vowel), letter.vowel);
            }
        }
        return std::move(sounds_);
    }

private:
    [[nodiscard]] const HebrewLetter* previous() const { return at_ == 0 ? nullptr : &word_[at_ - 1]; }
    [[nodiscard]] const HebrewLetter* next() const { return is_last() ? nullptr : &word_[at_ + 1]; }
    [[nodiscard]] bool is_last() const { return at_ + 1 == word_.size(); }
    void add_consonant(const HebrewLetter& letter) { sounds_.push_back({consonant_of(letter), false, 0, at_, false}); }
    void add_vowel(std::string_view phoneme, char32_t mark, bool ganuv = false) {
        sounds_.push_back({phoneme, true, mark, at_, ganuv});
    }

    // Vav as a vowel, or one that another letter has said already.
    bool read_vav() {
        const HebrewLetter& letter = word_[at_];
        const HebrewLetter* before = previous();
        const bool open = before != nullptr && before->vowel == 0;
        if (letter.vowel == holam && open) {
            add_vowel("o", holam);
            return true;
        }
        if (letter.vowel == 0 && letter.dagesh && (open || before == nullptr)) {
            add_vowel("u", qubuts);
            return true;
        }
        const bool after_its_vowel = before != nullptr && (before->vowel == holam || before->vowel == qubuts);
        return letter.vowel == 0 && !letter.dagesh && after_its_vowel;
    }

    [[nodiscard]] bool is_silent_yod() const {
        const HebrewLetter& letter = word_[at_];
        const HebrewLetter* before = previous();
        if (letter.vowel != 0 || letter.dagesh || before == nullptr || next_is_vowel_letter()) {
            return false;
        }
        if (before->vowel == hiriq || (before->base == yod && before->vowel != 0 && !is_last())) {
            return true;  // Also the second of two in full spelling: בִּנְיָין.
        }
        if (before->vowel == qamats && next() != nullptr && next()->base == vav && at_ + 2 == word_.size()) {
            return true;  // -av: דְּבָרָיו
        }
        return (before->vowel == tsere || before->vowel == segol) && !is_last();
    }

    // A vav that is a vowel follows: this letter begins its syllable.
    [[nodiscard]] bool next_is_vowel_letter() const {
        const HebrewLetter* after = next();
        return after != nullptr && after->base == vav && word_[at_].vowel == 0 &&
               (after->vowel == holam || (after->vowel == 0 && after->dagesh));
    }

    [[nodiscard]] bool is_ganuv() const {
        const HebrewLetter& letter = word_[at_];
        const bool guttural = letter.base == het || letter.base == ayin || (letter.base == he && letter.dagesh);
        return is_last() && letter.vowel == patah && guttural && !sounds_.empty() && sounds_.back().vowel;
    }

    [[nodiscard]] bool is_vocal_sheva() const {
        const HebrewLetter& letter = word_[at_];
        const HebrewLetter* before = previous();
        const HebrewLetter* after = next();
        if (after == nullptr) {
            return false;
        }
        if (before == nullptr) {
            return is_one_of(letter.base, U"ילמנרבוכ") || is_one_of(after->base, U"אהע");
        }
        const bool after_and = at_ == 1 && before->base == vav && before->dagesh && before->vowel == 0;  // וּלְ...
        if (after_and && is_one_of(letter.base, U"ילמנרבכ")) {
            return true;
        }
        const bool second_of_two = before->vowel == sheva;
        return second_of_two || after->base == letter.base;
    }

    const HebrewWord& word_;
    std::size_t at_ = 0;
    std::vector<Sound> sounds_;
};

bool ends_with(const HebrewWord& word, std::u32string_view bases) {
    if (word.size() < bases.size()) {
        return false;
    }
    for (std::size_t i = 0; i < bases.size(); ++i) {
        if (word[word.size() - bases.size() + i].base != bases[i]) {
            return false;
        }
    }
    return true;
}

// Which of the vowels (as indices into `sounds`) is stressed.
class StressRules {
public:
    StressRules(const HebrewWord& word, const std::vector<Sound>& sounds) : word_(word), sounds_(sounds) {
        for (std::size_t i = 0; i < sounds.size(); ++i) {
            if (sounds[i].vowel) {
                vowels_.push_back(i);
            }
        }
    }

    [[nodiscard]] std::optional<std::size_t> stressed() const {
        if (vowels_.empty()) {
            return std::nullopt;
        }
        for (std::size_t i = 0; i < word_.size(); ++i) {
            if (word_[i].stressed) {
                return vowel_at(i);
            }
        }
        const bool earlier = vowels_.size() > 1 && is_on_last_but_one();
        return vowels_[vowels_.size() - (earlier ? 2 : 1)];
    }

private:
    [[nodiscard]] std::size_t vowel_at(std::size_t letter) const {
        for (const std::size_t vowel : vowels_) {
            if (sounds_[vowel].letter >= letter) {
                return vowel;
            }
        }
        return vowels_.back();
    }

    [[nodiscard]] bool is_on_last_but_one() const {
        const Sound& last = sounds_[vowels_.back()];
        const Sound& before = sounds_[vowels_[vowels_.size() - 2]];
        if (last.ganuv) {
            return true;
        }
        const auto ends_in_em = [&] {  // -tem -ten -xem -xen are always stressed themselves.
            return last.mark == segol && (ends_with(word_, U"תם") || ends_with(word_, U"תן") ||
                                          ends_with(word_, U"כם") || ends_with(word_, U"כן"));
        };
        if (ends_in_em()) {
            return false;
        }
        if (is_first_person(before)) {
            return true;
        }
        const bool closed = vowels_.back() + 1 < sounds_.size();
        if (last.mark == hiriq && word_[last.letter].base == yod && before.mark == patah && closed &&
            last.letter == before.letter + 1) {
            return true;  // -ayim, בַּיִת
        }
        const bool neighbours = last.letter == before.letter + 1;
        if (!closed || !neighbours) {
            return false;
        }
        const bool full = before.mark == segol || before.mark == tsere || before.mark == holam;
        if (last.mark == segol) {
            return full || before.mark == qamats;
        }
        return last.mark == patah && (full || before.mark == patah) && has_late_guttural();
    }

    // דיברתי, שלנו: verbs and pronouns of the first person.
    [[nodiscard]] bool is_first_person(const Sound& before) const {
        const std::size_t size = word_.size();
        if (ends_with(word_, U"נו") && word_[size - 1].dagesh && sounds_.back().vowel) {
            return true;
        }
        if (!ends_with(word_, U"תי") || word_[size - 2].vowel != hiriq || vowels_.size() < 3) {
            return false;
        }
        const HebrewLetter& third = word_[size - 3];
        return third.vowel == sheva || (third.base == yod && third.vowel == 0 && before.mark == hiriq);
    }

    [[nodiscard]] bool has_late_guttural() const {
        const std::size_t size = word_.size();
        return is_one_of(word_[size - 1].base, U"אהחע") || is_one_of(word_[size - 2].base, U"אהחע");
    }

    const HebrewWord& word_;
    const std::vector<Sound>& sounds_;
    std::vector<std::size_t> vowels_;
};

std::string to_text(const std::vector<Sound>& sounds, std::optional<std::size_t> stressed) {
    std::string text;
    for (std::size_t i = 0; i < sounds.size(); ++i) {
        if (sounds[i].phoneme == hiatus) {
            const bool between = i > 0 && sounds[i - 1].vowel && i + 1 < sounds.size() && sounds[i + 1].vowel;
            if (!between) {
                continue;
            }
        }
        if (i == stressed) {
            text += '\'';
        }
        text += sounds[i].phoneme;
    }
    return text;
}

// Consonants of a plain word with its vowel letters, before vowels are put between.
std::vector<Sound> plain_sounds(const HebrewWord& word) {
    std::vector<Sound> sounds;
    for (std::size_t i = 0; i < word.size(); ++i) {
        HebrewLetter letter = word[i];
        const bool first = i == 0;
        const bool last = i + 1 == word.size();
        const bool doubled = !last && word[i + 1].base == letter.base;
        const auto vowel = [&](std::string_view phoneme) { sounds.push_back({phoneme, true, 0, i, false}); };
        const auto consonant = [&](std::string_view phoneme) { sounds.push_back({phoneme, false, 0, i, false}); };
        if (letter.base == vav || letter.base == yod) {
            const std::string_view as_consonant = letter.base == vav ? "v" : "j";
            if (doubled && !first) {
                consonant(as_consonant);
                ++i;
            } else if (first || (!sounds.empty() && sounds.back().vowel)) {
                consonant(as_consonant);
            } else {
                vowel(letter.base == vav ? "o" : "i");
            }
        } else if (letter.base == he && last && !first) {
            if (sounds.empty() || !sounds.back().vowel) {
                vowel("a");
            }
        } else if ((letter.base == alef || letter.base == ayin) && !first) {
            if (sounds.back().vowel && last && letter.base == alef) {
                continue;
            }
            const bool vowel_follows = !last && (word[i + 1].base == vav || word[i + 1].base == yod);
            consonant(hiatus);
            if (!vowel_follows && !last) {
                vowel("a");
            }
        } else {
            letter.dagesh = first && is_one_of(letter.base, U"בכפ");
            consonant(consonant_of(letter));
        }
    }
    return sounds;
}

// Puts vowels between bare consonants: "a" after the first, "e" before the last; three consonants alone are most often
// a noun with two "e" (SemeS, delet), and a final het brings its own "a".
std::vector<Sound> with_guessed_vowels(const HebrewWord& word, const std::vector<Sound>& bare) {
    const bool three_alone = bare.size() == 3 && !bare[0].vowel && !bare[1].vowel && !bare[2].vowel;
    std::vector<Sound> sounds;
    for (std::size_t i = 0; i < bare.size(); ++i) {
        sounds.push_back(bare[i]);
        const bool next_bare = i + 1 < bare.size() && !bare[i + 1].vowel;
        if (bare[i].vowel || !next_bare) {
            continue;
        }
        const auto vowel = [&](std::string_view phoneme) {
            sounds.push_back({phoneme, true, 0, bare[i].letter, false});
        };
        const bool next_is_last = i + 2 == bare.size();
        const bool opened = i > 0 && sounds[sounds.size() - 2].vowel;
        if (next_is_last) {
            vowel("e");
            if (word.back().base == het) {
                vowel("a");
            }
        } else if (!opened) {
            vowel(three_alone ? "e" : "a");
        }
    }
    return sounds;
}

}  // namespace

std::string vowelled_phonemes(const HebrewWord& word) {
    const std::vector<Sound> sounds = VowelledReader(word).read();
    return to_text(sounds, StressRules(word, sounds).stressed());
}

std::string guessed_phonemes(const HebrewWord& word) {
    const std::vector<Sound> sounds = with_guessed_vowels(word, plain_sounds(word));
    std::optional<std::size_t> stressed;
    for (std::size_t i = 0; i < sounds.size(); ++i) {
        stressed = sounds[i].vowel ? std::optional(i) : stressed;
    }
    return to_text(sounds, stressed);
}

}  // namespace agentlocator::speech
