#include "worker/twiml.hpp"

#include <cstdint>

namespace agentlocator {

namespace {

constexpr std::string_view declaration = R"(<?xml version="1.0" encoding="UTF-8"?>)";
constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

struct CodePoint {
    std::uint32_t value = 0;
    std::size_t bytes = 0;  // 0: not UTF-8.
};

// The first code point of a text that is not empty. RFC 3629: shortest form, no surrogates, up to U+10FFFF.
CodePoint first_code_point(std::string_view text) {
    const auto byte = [&](std::size_t at) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[at])); };
    const std::uint32_t lead = byte(0);
    if (lead < 0x80) {
        return {lead, 1};
    }
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 0;
    if (length == 0 || lead >= 0xf8 || text.size() < length) {
        return {};
    }
    std::uint32_t value = lead & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) {
            return {};
        }
        value = value << 6 | (byte(i) & 0x3f);
    }
    constexpr std::uint32_t shortest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < shortest[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
        return {};
    }
    return {value, length};
}

// XML 1.0 2.2, production Char.
bool xml_can_hold(std::uint32_t code) {
    return code == '\t' || code == '\n' || code == '\r' || (code >= 0x20 && code != 0xfffe && code != 0xffff);
}

std::string_view entity(std::uint32_t code) {
    switch (code) {
        case '&':
            return "&amp;";
        case '<':
            return "&lt;";
        case '>':
            return "&gt;";
        case '"':
            return "&quot;";
        case '\'':
            return "&apos;";
        case '\t':  // Blanks of other kinds would be read as spaces in an attribute.
            return "&#9;";
        case '\n':
            return "&#10;";
        case '\r':
            return "&#13;";
        default:
            return {};
    }
}

void add_attribute(std::string& xml, std::string_view name, std::string_view value) {
    xml.append(" ").append(name).append("=\"").append(xml_escape(value)).append("\"");
}

void add_parameter(ConnectDocument& document, std::string_view name, std::string_view value) {
    if (value.empty()) {
        return;
    }
    if (name.size() + value.size() > parameter_bytes_max) {
        document.dropped.push_back(name);
        return;
    }
    document.xml += "<Parameter";
    add_attribute(document.xml, "name", name);
    add_attribute(document.xml, "value", value);
    document.xml += "/>";
}

}  // namespace

ConnectDocument connect_document(const ConnectCall& call) {
    const std::string http = call.base.http();
    ConnectDocument document;
    std::string& xml = document.xml;
    xml.reserve(1024);
    xml.append(declaration).append("<Response><Connect");
    add_attribute(xml, "action", http + "/webhook/stream_ended");
    add_attribute(xml, "method", "POST");
    xml += "><Stream";
    add_attribute(xml, "url", call.base.websocket() + "/ws/twilio-media");
    add_attribute(xml, "statusCallback", http + "/webhook/stream_status");
    add_attribute(xml, "statusCallbackMethod", "POST");
    xml += ">";
    // Both spellings were in use by the programs around the original; neither costs anything.
    add_parameter(document, "call_sid", call.call_sid);
    add_parameter(document, "CallSid", call.call_sid);
    add_parameter(document, "from", call.from);
    add_parameter(document, "to", call.to);
    add_parameter(document, "token", call.token);
    add_parameter(document, "resume", call.resume);
    xml += "</Stream></Connect><Hangup/></Response>";
    return document;
}

std::string_view empty_document() {
    return R"(<?xml version="1.0" encoding="UTF-8"?><Response/>)";
}

std::string_view busy_document() {
    return R"(<?xml version="1.0" encoding="UTF-8"?><Response>)"
           R"(<Say language="he-IL" voice="Google.he-IL-Wavenet-A">)"
           "שלום. כל הקווים תפוסים כרגע. אנא נסו שוב בעוד כמה דקות. תודה.</Say>"
           R"(<Say language="en-US" voice="Google.en-US-Wavenet-F">)"
           "Hello. All our lines are busy right now. Please call again in a few minutes. Thank you.</Say>"
           "<Hangup/></Response>";
}

std::string xml_escape(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 16);
    while (!text.empty()) {
        const CodePoint code = first_code_point(text);
        if (code.bytes == 0 || !xml_can_hold(code.value)) {
            out += replacement;
        } else if (const std::string_view escaped = entity(code.value); !escaped.empty()) {
            out += escaped;
        } else {
            out += text.substr(0, code.bytes);
        }
        text.remove_prefix(code.bytes == 0 ? 1 : code.bytes);
    }
    return out;
}

}  // namespace agentlocator
