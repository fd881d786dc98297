// TwiML from what a caller may send: no value leaves its attribute, and the document stays UTF-8.
#include <nlohmann/json.hpp>
#include <string>

#include "common/text.hpp"
#include "tests/fuzz/check.hpp"
#include "worker/twiml.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace agentlocator;
    const std::string_view text = text_of(data, size);
    const std::string escaped = xml_escape(text);
    MUST(escaped.find_first_of("<>\"'") == std::string::npos);
    for (const char c : escaped) {
        MUST(static_cast<unsigned char>(c) >= 0x20);
    }
    // Another program's idea of UTF-8.
    MUST(nlohmann::json::parse(nlohmann::json(escaped).dump(), nullptr, false).is_string());
    auto parts = split(text, '\n');
    parts.resize(3);
    static const BaseUrl base = *parse_base_url("https://voice.example.com");
    const auto document =
        connect_document({.base = base, .call_sid = parts[0], .from = parts[1], .to = parts[2], .token = "t1.5.x"});
    MUST(document.xml.ends_with("</Stream></Connect><Hangup/></Response>"));
    MUST(document.xml.size() < 64 * 1024);  // Twilio docs: 11750.
    std::size_t tags = 0;
    for (const char c : document.xml) {
        tags += c == '<' ? 1U : 0U;
    }
    const std::size_t parameters = 2 * !parts[0].empty() + !parts[1].empty() + !parts[2].empty() + 1U;
    const std::size_t dropped = document.dropped.size();
    MUST(tags == 8 + parameters - dropped);
    return 0;
}
