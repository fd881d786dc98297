#include "speech/grammar.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "common/text.hpp"
#include "speech/text/hebrew_front_end.hpp"
#include "speech/text/utf8.hpp"

namespace agentlocator::speech {
namespace {

// Names and words of the country that CMUdict lacks.
constexpr std::string_view own_words =
    "acre AA K ER\n"
    "afula AH F UW L AH\n"
    "ashdod AE SH D AO D\n"
    "ashkelon AE SH K AH L AO N\n"
    "avner AA V N EH R\n"
    "bat B AA T\n"
    "beersheba B IH R SH IY B AH\n"
    "beersheva B EH R SH EH V AH\n"
    "beer(2) B EH EH R\n"
    "binyamina B IH N Y AH M IY N AH\n"
    "bnei B N EY\n"
    "brak B R AA K\n"
    "caesarea K EY S AA R IY AH\n"
    "dimona D IH M OW N AH\n"
    "eilat EY L AA T\n"
    "gan G AA N\n"
    "givatayim G IY V AA T AA Y IH M\n"
    "hadera HH AA D EH R AH\n"
    "hasharon HH AA SH AA R OW N\n"
    "herzliya HH EH R T S L IY Y AH\n"
    "herzliya(2) HH ER T S L IY AH\n"
    "hod HH OW D\n"
    "holon HH OW L OW N\n"
    "karmiel K AA R M IY EH L\n"
    "kfar K F AA R\n"
    "kiryat K IH R Y AA T\n"
    "leah L EY AH\n"
    "leah(2) L IY AH\n"
    "lezion L EH T S IY OW N\n"
    "lod L OW D\n"
    "modiin M OW D IY IY N\n"
    "nahariya N AA HH AA R IY Y AH\n"
    "nazareth N AE Z ER AH TH\n"
    "netanya N AH T AA N Y AH\n"
    "petah P EH T AA HH\n"
    "petah(2) P EH T AA K\n"
    "petah(3) P EH T AH\n"
    "raanana R AA AA N AA N AH\n"
    "ramla R AA M L AH\n"
    "rehovot R EH HH OW V OW T\n"
    "rehovot(2) R AH K OW V OW T\n"
    "rishon R IY SH OW N\n"
    "saba S AA B AH\n"
    "sheva SH EH V AH\n"
    "shmona SH M OW N AH\n"
    "tiberias T AY B IH R IY AH S\n"
    "tikva T IH K V AH\n"
    "yam Y AA M\n"
    "yam(2) Y AE M\n"
    "yavne Y AA V N EH\n"
    "zion(2) T S IY OW N\n";

constexpr std::array number_words{
    std::string_view("zero"),     std::string_view("one"),      std::string_view("two"),
    std::string_view("three"),    std::string_view("four"),     std::string_view("five"),
    std::string_view("six"),      std::string_view("seven"),    std::string_view("eight"),
    std::string_view("nine"),     std::string_view("ten"),      std::string_view("eleven"),
    std::string_view("twelve"),   std::string_view("thirteen"), std::string_view("fourteen"),
    std::string_view("fifteen"),  std::string_view("sixteen"),  std::string_view("seventeen"),
    std::string_view("eighteen"), std::string_view("nineteen"), std::string_view("twenty")};

// The name in front of a line, without the number of a variant.
std::string_view name_of(std::string_view line) {
    return line.substr(0, line.find_first_of(" (\t"));
}

std::string_view phones_of(std::string_view line) {
    const auto blank = line.find_first_of(" \t");
    return blank == std::string_view::npos ? "" : trim(line.substr(blank + 1));
}

// "Tel-Aviv, 2 rooms" -> tel aviv two rooms
std::vector<std::string> english_words(std::string_view phrase) {
    std::string spaced;
    for (const char c : phrase) {
        const char low = to_lower(c);
        const bool kept = (low >= 'a' && low <= 'z') || (low >= '0' && low <= '9') || low == '\'';
        spaced += kept ? low : ' ';
    }
    std::vector<std::string> words;
    for (const std::string_view word : split(spaced, ' ')) {
        if (word.empty() || word == "'") {
            continue;
        }
        const auto number = parse_integer(word);
        if (number && *number >= 0 && *number < static_cast<std::int64_t>(number_words.size())) {
            words.emplace_back(number_words.at(static_cast<std::size_t>(*number)));
        } else if (number) {
            for (const char digit : word) {
                words.emplace_back(number_words.at(static_cast<std::size_t>(digit - '0')));
            }
        } else {
            words.emplace_back(word);
        }
    }
    return words;
}

// One way of writing Hebrew sounds in English phones.
struct Variant {
    bool open_vowels = false;  // AH EY AO instead of AA EH OW.
    bool hard_khaf = false;    // K instead of HH.
    bool soft_resh = false;    // HH instead of R: it is said in the throat.
};

void append_phone(std::string& phones, std::string_view phone) {
    phones += phones.empty() ? "" : " ";
    phones += phone;
}

std::string english_phones(std::string_view hebrew, Variant variant) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 26> plain{{
        {"ts", "T S"}, {"tS", "CH"}, {"dZ", "JH"}, {"b", "B"},  {"v", "V"}, {"g", "G"}, {"d", "D"},
        {"h", "HH"},   {"z", "Z"},   {"Z", "ZH"},  {"t", "T"},  {"j", "Y"}, {"k", "K"}, {"l", "L"},
        {"m", "M"},    {"n", "N"},   {"s", "S"},   {"S", "SH"}, {"p", "P"}, {"f", "F"}, {"i", "IY"},
        {"u", "UW"},   {"?", ""},    {"'", ""},    {" ", ""},   {"\"", ""},
    }};
    std::string phones;
    while (!hebrew.empty()) {
        const char sound = hebrew.front();
        std::size_t taken = 1;
        if (sound == 'a') {
            append_phone(phones, variant.open_vowels ? "AH" : "AA");
        } else if (sound == 'e') {
            append_phone(phones, variant.open_vowels ? "EY" : "EH");
        } else if (sound == 'o') {
            append_phone(phones, variant.open_vowels ? "AO" : "OW");
        } else if (sound == 'X') {
            append_phone(phones, variant.hard_khaf ? "K" : "HH");
        } else if (sound == 'Q') {
            append_phone(phones, variant.soft_resh ? "HH" : "R");
        } else {
            for (const auto& [written, phone] : plain) {
                if (hebrew.starts_with(written)) {
                    taken = written.size();
                    if (!phone.empty()) {
                        append_phone(phones, phone);
                    }
                    break;
                }
            }
        }
        hebrew.remove_prefix(taken);
    }
    return phones;
}

std::vector<std::string> hebrew_pronunciations(std::string_view phonemes) {
    std::vector<std::string> list;
    for (int bits = 0; bits < 8; ++bits) {
        std::string phones = english_phones(phonemes, {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0});
        if (!phones.empty() && std::find(list.begin(), list.end(), phones) == list.end()) {
            list.push_back(std::move(phones));
        }
    }
    return list;
}

class GrammarBuilder {
public:
    GrammarBuilder(Language language, const PronunciationDictionary& dictionary)
        : language_(language), dictionary_(dictionary), own_(own_words) {}

    void add(const std::string& phrase) {
        std::vector<std::size_t> indices;
        for (const std::string& word : words_of(phrase)) {
            const auto index = index_of(word);
            if (!index) {
                indices.clear();
                break;
            }
            indices.push_back(*index);
        }
        grammar_.phrases.push_back(std::move(indices));
    }
    Grammar take() { return std::move(grammar_); }

private:
    [[nodiscard]] std::vector<std::string> words_of(const std::string& phrase) const {
        if (language_ == Language::english) {
            return english_words(phrase);
        }
        std::vector<std::string> words;
        for (const Clause& clause : hebrew_clauses(phrase)) {
            if (clause.language == Language::hebrew) {
                const std::string_view inside = std::string_view(clause.text).substr(2, clause.text.size() - 4);
                for (const std::string_view word : split(inside, ' ')) {
                    words.emplace_back(word);
                }
            }
        }
        return words;
    }

    std::optional<std::size_t> index_of(const std::string& word) {
        if (const auto known = indices_.find(word); known != indices_.end()) {
            return known->second;
        }
        GrammarWord entry{word, {}};
        if (language_ == Language::hebrew) {
            entry.name = "he_" + std::to_string(grammar_.words.size());
            entry.pronunciations = hebrew_pronunciations(word);
        } else {
            for (const PronunciationDictionary* dictionary : {&dictionary_, &std::as_const(own_)}) {
                for (const std::string_view phones : dictionary->find(word)) {
                    entry.pronunciations.emplace_back(phones);
                }
            }
        }
        if (entry.pronunciations.empty()) {
            grammar_.unknown.push_back(word);
            return std::nullopt;
        }
        grammar_.words.push_back(std::move(entry));
        indices_[word] = grammar_.words.size() - 1;
        return grammar_.words.size() - 1;
    }

    Language language_;
    const PronunciationDictionary& dictionary_;
    PronunciationDictionary own_;
    Grammar grammar_;
    std::map<std::string, std::size_t> indices_;
};

}  // namespace

PronunciationDictionary::PronunciationDictionary(std::string_view text) {
    for (const std::string_view line : split(text, '\n')) {
        if (!line.empty() && line.front() != ';') {
            lines_.push_back(line);
        }
    }
    std::stable_sort(lines_.begin(), lines_.end(),
                     [](std::string_view a, std::string_view b) { return name_of(a) < name_of(b); });
}

std::vector<std::string_view> PronunciationDictionary::find(std::string_view word) const {
    auto at = std::lower_bound(lines_.begin(), lines_.end(), word,
                               [](std::string_view line, std::string_view wanted) { return name_of(line) < wanted; });
    std::vector<std::string_view> found;
    for (; at != lines_.end() && name_of(*at) == word; ++at) {
        found.push_back(phones_of(*at));
    }
    return found;
}

std::optional<std::size_t> Grammar::phrase_of(const std::vector<std::string_view>& names) const {
    for (std::size_t i = 0; i < phrases.size(); ++i) {
        const auto same = [&](std::size_t word, std::string_view name) { return words[word].name == name; };
        if (!phrases[i].empty() && std::equal(phrases[i].begin(), phrases[i].end(), names.begin(), names.end(), same)) {
            return i;
        }
    }
    return std::nullopt;
}

Result<Grammar> make_grammar(Language language, const std::vector<std::string>& phrases,
                             const PronunciationDictionary& dictionary) {
    GrammarBuilder builder(language, dictionary);
    for (const std::string& phrase : phrases) {
        builder.add(phrase);
    }
    Grammar grammar = builder.take();
    bool any = false;
    for (std::size_t i = 0; i < phrases.size(); ++i) {
        any = any || !grammar.phrases[i].empty();
        if (grammar.phrases[i].size() > phrase_words_max) {
            return error(Errc::too_large, "a phrase has more than " + std::to_string(phrase_words_max) + " words");
        }
    }
    if (!any) {
        return error(Errc::bad_message, grammar.unknown.empty() ? "there is no phrase to recognise"
                                                                : "no phrase can be recognised: nobody told how \"" +
                                                                      grammar.unknown.front() + "\" is pronounced");
    }
    return grammar;
}

const std::vector<std::string_view>& all_phones() {
    static const std::vector<std::string_view> phones{"AA", "AE", "AH", "AO", "AW", "AY", "B",  "CH", "D",  "DH",
                                                      "EH", "ER", "EY", "F",  "G",  "HH", "IH", "IY", "JH", "K",
                                                      "L",  "M",  "N",  "NG", "OW", "OY", "P",  "R",  "S",  "SH",
                                                      "T",  "TH", "UH", "UW", "V",  "W",  "Y",  "Z",  "ZH"};
    return phones;
}

}  // namespace agentlocator::speech
