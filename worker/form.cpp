#include "worker/form.hpp"

#include <algorithm>

#include "common/text.hpp"

namespace agentlocator {

namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char lower = to_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') {
            out.push_back(' ');
            continue;
        }
        if (text[i] == '%' && i + 2 < text.size()) {
            const int high = hex_digit(text[i + 1]);
            const int low = hex_digit(text[i + 2]);
            if (high >= 0 && low >= 0) {
                out.push_back(static_cast<char>(high * 16 + low));
                i += 2;
                continue;
            }
        }
        out.push_back(text[i]);
    }
    return out;
}

}  // namespace

Result<FormFields> parse_form(std::string_view text) {
    if (text.size() > form_bytes_max) {
        return error(Errc::too_large, "form of more than " + std::to_string(form_bytes_max) + " bytes");
    }
    FormFields fields;
    while (!text.empty()) {
        const auto end = std::min(text.find('&'), text.size());
        const std::string_view piece = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (piece.empty()) {
            continue;
        }
        if (fields.size() == form_fields_max) {
            return error(Errc::too_large, "form of more than " + std::to_string(form_fields_max) + " fields");
        }
        const auto equals = piece.find('=');
        const auto value = equals == std::string_view::npos ? std::string_view() : piece.substr(equals + 1);
        fields.push_back({decode(piece.substr(0, equals)), decode(value)});
    }
    return fields;
}

std::optional<std::string_view> find_field(const FormFields& fields, std::string_view name) {
    const auto found =
        std::find_if(fields.begin(), fields.end(), [name](const FormField& one) { return one.name == name; });
    if (found == fields.end()) {
        return std::nullopt;
    }
    return found->value;
}

std::string_view field(const FormFields& fields, std::string_view name) {
    return find_field(fields, name).value_or(std::string_view());
}

bool is_form_type(std::string_view content_type) {
    return equal_no_case(trim(content_type.substr(0, content_type.find(';'))), "application/x-www-form-urlencoded");
}

}  // namespace agentlocator
