#include "common/log_line.hpp"

#include <algorithm>

#include "common/text.hpp"

namespace agentlocator {

std::string log_value(std::string_view value) {
    const auto plain = [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte > 0x20 && byte != 0x7f && c != '"' && c != '\\' && c != '=';
    };
    if (!value.empty() && std::all_of(value.begin(), value.end(), plain)) {
        return std::string(value);
    }
    std::string out = "\"";
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (byte < 0x20 || byte == 0x7f) {
            out += "\\x" + hex(&byte, 1);
        } else {
            out += c;
        }
    }
    out += '"';
    return out;
}

std::string log_line(std::string_view event, std::initializer_list<LogField> fields) {
    std::string out = "event=";
    out += event;
    for (const LogField& field : fields) {
        out += ' ';
        out += field.key;
        out += '=';
        out += log_value(field.value);
    }
    return out;
}

}  // namespace agentlocator
