#include "supervisor/call/stream_verb.hpp"

namespace agentlocator::call {
namespace {

void check_parameters(const TwimlNode& stream, Violations& violations) {
    for (const TwimlNode& parameter : stream.children) {
        const auto name = parameter.attribute("name");
        const auto value = parameter.attribute("value");
        if (parameter.name != "Parameter" || !name || !value) {
            violations.add(Rule::schema, "<Stream> holds something else than <Parameter name value>", parameter.name);
        } else if (name->size() + value->size() >= parameter_chars_max) {
            violations.add(Rule::schema, "a <Parameter> has 500 characters or more", *name);
        }
    }
}

void check_callback(std::string_view callback, Violations& violations) {
    const auto url = parse_url(callback);
    if (!url) {
        violations.add(Rule::url_format, "statusCallback is not an absolute URL", callback);
    } else if (url->path().find("//") != std::string_view::npos) {
        violations.add(Rule::ours, "the statusCallback URL has a double slash", callback);
    }
}

}  // namespace

bool check_stream(const TwimlNode& stream, const Url& url, Violations& violations) {
    const bool openable = url.scheme == "wss";
    if (!openable) {
        violations.add(Rule::stream_scheme, "the stream URL is not wss://", url.text());
    }
    if (url.has_query()) {
        violations.add(Rule::stream_url, "the stream URL has a query, which Twilio drops", url.text());
    }
    if (url.path().find("//") != std::string_view::npos) {
        violations.add(Rule::ours, "the stream URL has a double slash", url.text());
    }
    if (const auto track = stream.attribute("track"); track && *track != "inbound_track") {
        violations.add(Rule::wrong_track, "<Stream> track is not inbound_track", *track);
    }
    if (const auto callback = stream.attribute("statusCallback")) {
        check_callback(*callback, violations);
    }
    check_parameters(stream, violations);
    return openable;
}

}  // namespace agentlocator::call
