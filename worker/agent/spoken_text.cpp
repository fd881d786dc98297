#include "worker/agent/spoken_text.hpp"

#include <algorithm>

namespace agentlocator {
namespace {

constexpr char32_t replacement = 0xfffd;

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// Hebrew points and cantillation (Unicode: Hebrew block); the maqaf U+05BE joins words and is a gap.
bool is_hebrew_mark(char32_t c) {
    return c >= 0x0591 && c <= 0x05c7 && c != 0x05be && c != 0x05c0 && c != 0x05c3 && c != 0x05c6;
}

// Inside a word they belong to it: geresh, gershayim, and what keyboards put in their place.
bool is_inner_quote(char32_t c) {
    return c == '\'' || c == '"' || c == 0x05f3 || c == 0x05f4 || c == 0x2019 || c == 0x201d;
}

bool is_emoji(char32_t c) {
    return c >= 0x1f000 || (c >= 0x2600 && c <= 0x27bf) || c == 0xfe0f || c == 0x200d;
}

std::vector<char32_t> decode(std::string_view text) {
    std::vector<char32_t> out;
    out.reserve(text.size());
    while (!text.empty()) {
        out.push_back(take_code_point(text));
    }
    return out;
}

char32_t lower(char32_t c) {
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

}  // namespace

char32_t take_code_point(std::string_view& text) {
    const auto lead = static_cast<unsigned char>(text.front());
    text.remove_prefix(1);
    if (lead < 0x80) {
        return lead;
    }
    const int more = lead >= 0xf0 && lead < 0xf8 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc2 ? 1 : 0;
    if (more == 0 || lead >= 0xf8) {
        return replacement;
    }
    auto value = static_cast<char32_t>(lead & (0x3f >> more));
    for (int i = 0; i < more; ++i) {
        if (text.empty() || !is_continuation(text.front())) {
            return replacement;
        }
        value = value << 6 | (static_cast<unsigned char>(text.front()) & 0x3f);
        text.remove_prefix(1);
    }
    return value;
}

void append_code_point(std::string& out, char32_t c) {
    const auto byte = [&](char32_t value) { out.push_back(static_cast<char>(value)); };
    if (c < 0x80) {
        byte(c);
    } else if (c < 0x800) {
        byte(0xc0 | c >> 6);
        byte(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        byte(0xe0 | c >> 12);
        byte(0x80 | (c >> 6 & 0x3f));
        byte(0x80 | (c & 0x3f));
    } else {
        byte(0xf0 | c >> 18);
        byte(0x80 | (c >> 12 & 0x3f));
        byte(0x80 | (c >> 6 & 0x3f));
        byte(0x80 | (c & 0x3f));
    }
}

std::size_t count_code_points(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

std::string_view cut_utf8(std::string_view text, std::size_t bytes) {
    if (text.size() <= bytes) {
        return text;
    }
    while (bytes > 0 && is_continuation(text[bytes])) {
        --bytes;
    }
    return text.substr(0, bytes);
}

bool is_hebrew_letter(char32_t c) {
    return c >= 0x05d0 && c <= 0x05ea;
}

bool is_letter(char32_t c) {
    return is_hebrew_letter(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0x24f);
}

bool is_digit(char32_t c) {
    return c >= '0' && c <= '9';
}

bool is_space(char32_t c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == 0xa0 || c == 0x200e || c == 0x200f;
}

std::vector<std::string> heard_words(std::string_view text) {
    const auto code_points = decode(text);
    std::vector<std::string> words;
    std::string word;
    const auto at = [&](std::size_t i) { return i < code_points.size() ? code_points[i] : U' '; };
    for (std::size_t i = 0; i < code_points.size(); ++i) {
        const char32_t c = code_points[i];
        const bool inside_number = i > 0 && is_digit(at(i - 1)) && is_digit(at(i + 1));
        if (is_letter(c) || is_digit(c)) {
            append_code_point(word, lower(c));
        } else if (c == '.' && inside_number) {
            word.push_back('.');
        } else if (is_hebrew_mark(c) || (c == ',' && inside_number) || (is_inner_quote(c) && !word.empty())) {
            continue;
        } else if (!word.empty()) {
            words.push_back(std::move(word));
            word.clear();
        }
    }
    if (!word.empty()) {
        words.push_back(std::move(word));
    }
    return words;
}

std::string heard_key(std::string_view text) {
    std::string key;
    for (const auto& word : heard_words(text)) {
        key += (key.empty() ? "" : " ") + word;
    }
    return key;
}

std::string speakable(std::string_view text) {
    std::string out;
    bool blank = false;
    while (!text.empty()) {
        char32_t c = take_code_point(text);
        if (c == '*' || c == '#' || c == '`' || c == '_' || c == replacement || is_emoji(c) || c == 0x200e ||
            c == 0x200f || c < 0x20) {
            blank = blank || c == '\n' || c == '\t' || c == '\r';
            continue;
        }
        if (is_space(c)) {
            blank = true;
            continue;
        }
        if (blank && !out.empty()) {
            out.push_back(' ');
        }
        blank = false;
        append_code_point(out, c);
    }
    // A bullet is no word.
    return out.starts_with("- ") ? out.substr(2) : out;
}

std::string_view heard_part(std::string_view text, std::int64_t heard, std::int64_t whole) {
    if (heard <= 0 || whole <= 0) {
        return {};
    }
    if (heard >= whole) {
        return text;
    }
    const auto reach = static_cast<std::size_t>(static_cast<std::int64_t>(text.size()) * heard / whole);
    const auto cut = text.substr(0, std::min(reach + 1, text.size())).find_last_of(' ');
    return cut == std::string_view::npos ? std::string_view{} : text.substr(0, cut);
}

std::string_view unsaid_part(std::string_view text, std::int64_t said, std::int64_t whole) {
    const auto spoken = heard_part(text, said, whole);
    if (spoken.size() == text.size()) {
        return {};
    }
    const auto back = spoken.find_last_of(' ');
    return back == std::string_view::npos ? text : text.substr(back + 1);
}

std::int64_t estimated_speech_ms(std::string_view text) {
    constexpr std::int64_t ms_per_character = 70;
    std::int64_t characters = 0;
    while (!text.empty()) {
        characters += is_hebrew_mark(take_code_point(text)) ? 0 : 1;
    }
    return characters * ms_per_character;
}

}  // namespace agentlocator
