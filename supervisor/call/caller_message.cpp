#include "supervisor/call/caller_message.hpp"

#include <nlohmann/json.hpp>

#include "supervisor/call/base64.hpp"

namespace agentlocator::call {
namespace {

using Json = nlohmann::ordered_json;

void add_stream_sid(Json& message, const StreamIds& ids) {
    if (!ids.stream_sid.empty()) {
        message["streamSid"] = ids.stream_sid;
    }
}

std::string dump(const Json& message, TextForm form = TextForm::utf8) {
    return message.dump(-1, ' ', form == TextForm::escaped, Json::error_handler_t::replace);
}

}  // namespace

std::string connected_message() {
    return R"({"event":"connected","protocol":"Call","version":"1.0.0"})";
}

std::string start_message(const StreamIds& ids, std::uint64_t sequence, const FormParameters& parameters,
                          TextForm form) {
    Json start = {{"accountSid", ids.account_sid}};
    if (!ids.stream_sid.empty()) {
        start["streamSid"] = ids.stream_sid;
    }
    if (!ids.call_sid.empty()) {
        start["callSid"] = ids.call_sid;
    }
    start["tracks"] = {"inbound"};
    start["mediaFormat"] = {{"encoding", "audio/x-mulaw"}, {"sampleRate", 8000}, {"channels", 1}};
    start["customParameters"] = Json::object();
    for (const auto& [name, value] : parameters) {
        start["customParameters"][name] = value;
    }
    Json message = {{"event", "start"}, {"sequenceNumber", std::to_string(sequence)}, {"start", start}};
    add_stream_sid(message, ids);
    return dump(message, form);
}

std::string dtmf_message(const StreamIds& ids, std::uint64_t sequence, char digit) {
    Json message = {{"event", "dtmf"}};
    add_stream_sid(message, ids);
    message["sequenceNumber"] = std::to_string(sequence);
    message["dtmf"] = {{"track", "inbound_track"}, {"digit", std::string(1, digit)}};
    return dump(message);
}

std::string mark_message(const StreamIds& ids, std::uint64_t sequence, std::string_view name) {
    Json message = {{"event", "mark"}, {"sequenceNumber", std::to_string(sequence)}};
    add_stream_sid(message, ids);
    message["mark"] = {{"name", std::string(name)}};
    return dump(message);
}

std::string stop_message(const StreamIds& ids, std::uint64_t sequence) {
    Json message = {{"event", "stop"}, {"sequenceNumber", std::to_string(sequence)}};
    add_stream_sid(message, ids);
    message["stop"] = {{"accountSid", ids.account_sid}};
    if (!ids.call_sid.empty()) {
        message["stop"]["callSid"] = ids.call_sid;
    }
    return dump(message);
}

void media_message(std::string& out, const StreamIds& ids, MediaNumbers numbers, std::string_view payload) {
    out = R"({"event":"media","sequenceNumber":")";
    out += std::to_string(numbers.sequence);
    out += R"(","media":{"track":"inbound","chunk":")";
    out += std::to_string(numbers.chunk);
    out += R"(","timestamp":")";
    out += std::to_string(numbers.timestamp_ms);
    out += R"(","payload":")";
    append_base64(out, payload);
    out += "\"}";
    if (!ids.stream_sid.empty()) {
        out += R"(,"streamSid":")";
        out += ids.stream_sid;
        out += '"';
    }
    out += '}';
}

}  // namespace agentlocator::call
