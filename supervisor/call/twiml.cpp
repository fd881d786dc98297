#include "supervisor/call/twiml.hpp"

#include <expat.h>

#include <algorithm>
#include <array>
#include <memory>

#include "common/text.hpp"

namespace agentlocator::call {
namespace {

struct Builder {
    XML_Parser parser;
    TwimlNode document;  // Holds the root as its only child.
    std::vector<TwimlNode*> open{&document};
    std::string refused;  // Why we stopped a parse that Expat would have gone on with.

    void refuse(std::string why) {
        refused = std::move(why);
        XML_StopParser(parser, XML_FALSE);
    }
};

void on_element(void* user, const XML_Char* name, const XML_Char** attributes) {
    auto& builder = *static_cast<Builder*>(user);
    if (builder.open.size() > static_cast<std::size_t>(twiml_depth_max)) {
        return builder.refuse("nested deeper than " + std::to_string(twiml_depth_max));
    }
    TwimlNode node;
    node.name = name;
    for (const XML_Char** at = attributes; at[0] != nullptr; at += 2) {
        node.attributes.emplace_back(at[0], at[1]);
    }
    // Only the innermost open node grows, so pointers to the outer ones stay valid.
    auto& siblings = builder.open.back()->children;
    siblings.push_back(std::move(node));
    builder.open.push_back(&siblings.back());
}

void on_element_end(void* user, const XML_Char*) {
    static_cast<Builder*>(user)->open.pop_back();
}

void on_text(void* user, const XML_Char* text, int size) {
    static_cast<Builder*>(user)->open.back()->text.append(text, static_cast<std::size_t>(size));
}

void on_doctype(void* user, const XML_Char*, const XML_Char*, const XML_Char*, int) {
    static_cast<Builder*>(user)->refuse("has a DOCTYPE");
}

std::string_view media_type(std::string_view content_type) {
    return trim(content_type.substr(0, content_type.find(';')));
}

}  // namespace

std::optional<std::string_view> TwimlNode::attribute(std::string_view wanted) const {
    for (const auto& [key, value] : attributes) {
        if (key == wanted) {
            return value;
        }
    }
    return std::nullopt;
}

std::optional<std::vector<TwimlNode>> parse_twiml(std::string_view body, Violations& violations) {
    if (body.empty()) {
        violations.add(Rule::parse_failure, "TwiML is empty");
        return std::nullopt;
    }
    // A blank before a document without declaration is legal XML, but Twilio's callers learned to fear it (F: 12100).
    const char first = body.front();
    if (first == ' ' || first == '\t' || first == '\r' || first == '\n' || body.starts_with("\xEF\xBB\xBF")) {
        violations.add(Rule::parse_failure, "TwiML begins with a blank or a byte order mark", body);
    }
    const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser(XML_ParserCreate("UTF-8"),
                                                                              &XML_ParserFree);
    Builder builder{parser.get(), {}, {}, {}};
    builder.open = {&builder.document};
    XML_SetUserData(parser.get(), &builder);
    XML_SetElementHandler(parser.get(), on_element, on_element_end);
    XML_SetCharacterDataHandler(parser.get(), on_text);
    XML_SetStartDoctypeDeclHandler(parser.get(), on_doctype);
    if (XML_Parse(parser.get(), body.data(), static_cast<int>(body.size()), XML_TRUE) != XML_STATUS_OK) {
        const std::string why =
            !builder.refused.empty() ? builder.refused : XML_ErrorString(XML_GetErrorCode(parser.get()));
        violations.add(
            Rule::parse_failure,
            "TwiML is not well-formed at byte " + std::to_string(XML_GetCurrentByteIndex(parser.get())) + ": " + why,
            body);
        return std::nullopt;
    }
    TwimlNode& root = builder.document.children.front();  // Expat refuses a document without a root.
    if (root.name != "Response") {
        violations.add(Rule::wrong_root, "TwiML root is <" + root.name + ">, not <Response>", body);
        return std::nullopt;
    }
    return std::move(root.children);
}

std::optional<std::vector<TwimlNode>> read_twiml(const HttpAnswer& answer, Violations& violations) {
    if (answer.status == 0) {
        violations.add(Rule::http_connect, "no answer: " + answer.failure);
        return std::nullopt;
    }
    if (answer.status < 200 || answer.status > 299) {
        violations.add(Rule::http_status, "answered " + std::to_string(answer.status) + " where TwiML was wanted",
                       answer.body);
        return std::nullopt;
    }
    if (answer.body.size() > twiml_bytes_max) {
        violations.add(Rule::body_too_large,
                       "TwiML of " + std::to_string(answer.body.size()) + " bytes; at most 64 kB");
        return std::nullopt;
    }
    if (answer.body.empty()) {  // Whatever its type: the 204 that ended calls of the original in 12100.
        violations.add(Rule::parse_failure, "answered " + std::to_string(answer.status) + " without a body");
        return std::nullopt;
    }
    const std::string_view type = media_type(answer.content_type);
    constexpr std::array<std::string_view, 4> accepted{"text/xml", "application/xml", "text/html", "text/plain"};
    if (std::none_of(accepted.begin(), accepted.end(), [&](std::string_view t) { return equal_no_case(t, type); })) {
        violations.add(Rule::content_type,
                       type.empty() ? "no Content-Type" : "Content-Type is " + std::string(type) + ", not text/xml",
                       answer.body);
        return std::nullopt;
    }
    if (answer.chunked) {
        // Older Twilio pages: a chunked answer longer than one chunk was cut short. The product never sends one.
        violations.add(Rule::parse_failure, "TwiML is sent chunked, without Content-Length");
    }
    auto verbs = parse_twiml(answer.body, violations);
    for (const TwimlNode& verb : verbs.value_or(std::vector<TwimlNode>{})) {
        if (!is_known_verb(verb.name)) {
            violations.add(Rule::schema, "unknown verb <" + verb.name + ">; the rest still runs");
        }
    }
    return verbs;
}

bool is_known_verb(std::string_view name) {
    constexpr std::array<std::string_view, 18> verbs{"Connect",  "Dial",  "Enqueue", "Gather", "Hangup", "Leave",
                                                     "Pause",    "Pay",   "Play",    "Prompt", "Queue",  "Record",
                                                     "Redirect", "Refer", "Reject",  "Say",    "Start",  "Stop"};
    return std::find(verbs.begin(), verbs.end(), name) != verbs.end();
}

void check_callback_answer(const HttpAnswer& answer, std::string_view which, Violations& violations) {
    const std::string name(which);
    if (answer.status == 0) {
        violations.add(Rule::callback_answer, name + " had no answer: " + answer.failure);
    } else if (answer.status < 200 || answer.status > 299) {
        violations.add(Rule::callback_answer, name + " was answered " + std::to_string(answer.status), answer.body);
    } else if (answer.status == 204 ? !answer.body.empty() : answer.body.empty()) {
        violations.add(Rule::callback_answer, name + " was answered " + std::to_string(answer.status) +
                                                  (answer.body.empty() ? " without a body" : " with a body"));
    } else if (answer.status != 204) {
        (void)read_twiml(answer, violations);
    }
}

}  // namespace agentlocator::call
