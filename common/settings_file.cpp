// parse_settings_file of config.hpp: the usual .env form, read without a shell, so nothing in it is ever executed or
// expanded (F-6).
#include "common/config.hpp"
#include "common/text.hpp"

namespace agentlocator {
namespace {

bool is_name(std::string_view text) {
    if (text.empty() || (text.front() >= '0' && text.front() <= '9')) {
        return false;
    }
    for (const char c : text) {
        const char lower = to_lower(c);
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '_') {
            return false;
        }
    }
    return true;
}

struct Value {
    std::string text;
    std::string_view problem;
};

bool ends_the_value(std::string_view rest) {
    rest = trim(rest);
    return rest.empty() || rest.starts_with('#');
}

Value single_quoted(std::string_view text) {
    const auto close = text.find('\'', 1);
    if (close == std::string_view::npos) {
        return {{}, "the quote is not closed on the same line"};
    }
    if (!ends_the_value(text.substr(close + 1))) {
        return {{}, "unexpected text after the closing quote"};
    }
    return {std::string(text.substr(1, close - 1)), {}};
}

Value double_quoted(std::string_view text) {
    Value value;
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '"') {
            return ends_the_value(text.substr(i + 1)) ? value : Value{{}, "unexpected text after the closing quote"};
        }
        if (text[i] != '\\' || i + 1 == text.size()) {
            value.text.push_back(text[i]);
            continue;
        }
        const char next = text[++i];
        switch (next) {
            case 'n':
                value.text.push_back('\n');
                break;
            case 't':
                value.text.push_back('\t');
                break;
            case '"':
            case '\\':
            case '$':
                value.text.push_back(next);
                break;
            default:  // As in a shell: the backslash stands for itself.
                value.text.push_back('\\');
                value.text.push_back(next);
        }
    }
    return {{}, "the quote is not closed on the same line"};
}

Value unquoted(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        // '#' begins a comment only after a blank: colours and URL fragments hold one.
        if (text[i] == '#' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\t')) {
            text = text.substr(0, i);
            break;
        }
    }
    return {std::string(trim(text)), {}};
}

Value read_value(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) {
        return {{}, "holds a NUL byte"};
    }
    if (text.starts_with('\'')) {
        return single_quoted(text);
    }
    return text.starts_with('"') ? double_quoted(text) : unquoted(text);
}

}  // namespace

SettingsFile parse_settings_file(std::string_view text, std::string_view path) {
    SettingsFile file;
    if (text.starts_with("\xef\xbb\xbf")) {  // Some editors begin a file with a byte order mark.
        text.remove_prefix(3);
    }
    std::size_t number = 0;
    for (std::string_view line : split(text, '\n')) {
        ++number;
        const std::string where = std::string(path) + ":" + std::to_string(number);
        line = trim(line);
        if (line.empty() || line.starts_with('#')) {
            continue;
        }
        if (line.starts_with("export ") || line.starts_with("export\t")) {
            line = trim(line.substr(7));
        }
        const auto equals = line.find('=');
        if (equals == std::string_view::npos) {
            file.faults.push_back({{}, where + ": no '='; valid: NAME=VALUE, a comment that begins with #"});
            continue;
        }
        const std::string name(trim(line.substr(0, equals)));
        if (!is_name(name)) {
            file.faults.push_back({{}, where + ": the name before '=' is not one; valid: letters, digits and _"});
            continue;
        }
        Value value = read_value(trim(line.substr(equals + 1)));
        if (!value.problem.empty()) {
            // Never the value: the line may be a secret.
            file.faults.push_back({name, where + ": " + name + ": " + std::string(value.problem)});
            continue;
        }
        const auto [entry, added] = file.inputs.insert_or_assign(name, SettingInput{value.text, SettingSource::file});
        if (!added) {
            file.warnings.push_back(where + ": " + name + " is set again; this last one counts");
        }
    }
    return file;
}

}  // namespace agentlocator
