#pragma once
// Reads an answer to a TwiML request as Twilio does: status, content type, size, well-formedness, root, schema. Pure.
// Expat does the XML: it accepts what XML 1.0 allows and nothing else, which is the question here (12100). The whole
// document is one tree; it is bounded by Twilio's 64 kB.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/time.hpp"
#include "supervisor/call/violation.hpp"

namespace agentlocator::call {

// An HTTP answer as the shell hands it over. status 0: there was none, `failure` says why.
struct HttpAnswer {
    unsigned status = 0;
    std::string content_type;
    bool chunked = false;
    std::string body;
    std::string failure;
    Duration took{};
};

struct TwimlNode {
    std::string name;
    std::vector<std::pair<std::string, std::string>> attributes;
    std::string text;
    std::vector<TwimlNode> children;

    [[nodiscard]] std::optional<std::string_view> attribute(std::string_view name) const;
};

constexpr std::size_t twiml_bytes_max = 64 * 1024;  // Twilio error 11750.
constexpr int twiml_depth_max = 16;                 // Response/Dial/Conference/... is 4; recursion stays small.

// Well-formed XML with the root <Response>: its verbs. Faults go to `violations` as 12100 or 12102.
[[nodiscard]] std::optional<std::vector<TwimlNode>> parse_twiml(std::string_view body, Violations& violations);

// The whole judgement of an answer that must be TwiML. Nothing: the call fails, as Twilio's would.
[[nodiscard]] std::optional<std::vector<TwimlNode>> read_twiml(const HttpAnswer& answer, Violations& violations);

// Twilio's own list of verbs; anything else is skipped with warning 12200.
[[nodiscard]] bool is_known_verb(std::string_view name);

// The answer to a callback that does not control the call: 204 with no body, or TwiML (Twilio error 15003).
void check_callback_answer(const HttpAnswer& answer, std::string_view which, Violations& violations);

}  // namespace agentlocator::call
