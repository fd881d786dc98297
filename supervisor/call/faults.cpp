#include "supervisor/call/faults.hpp"

#include <algorithm>
#include <charconv>
#include <string>

namespace agentlocator::call {

const std::vector<FaultInfo>& fault_table() {
    using enum FaultKind;
    static const std::vector<FaultInfo> table{
        {drop_tcp, "drop-tcp", 2, "s", "cut the connection after this long, no close frame"},
        {cut_once, "cut-once", 2, "s", "the same, in the call's first stream only"},
        {leave_once, "leave-once", 2, "s", "leave the first stream after this long, its connection stays open"},
        {close_without_stop, "close-without-stop", 2, "s", "close frame after this long, but no stop"},
        {freeze, "freeze", 2, "s", "after this long send and answer nothing, socket open"},
        {delay_marks, "delay-marks", 500, "ms", "echo every mark this much late"},
        {lose_marks, "lose-marks", 0, "", "never echo a mark"},
        {duplicate_media, "duplicate-media", 10, "n", "send every n-th media message twice"},
        {skip_sequence, "skip-sequence", 10, "n", "leave out every n-th sequence number"},
        {burst, "burst", 1, "s", "after this long stall 2 s, then send the backlog at once"},
        {fragment, "fragment", 3, "n", "every message in n fragments, a ping between them"},
        {junk_before_start, "junk-before-start", 0, "", "unknown events, a mark and a digit before start"},
        {media_before_start, "media-before-start", 0, "", "half a second of media before start"},
        {start_without_ids, "start-without-ids", 0, "", "no streamSid and no callSid anywhere"},
        {parameters_raw, "parameters-raw", 0, "", "a custom parameter in Hebrew as UTF-8"},
        {parameters_escaped, "parameters-escaped", 0, "", "the same as \\uXXXX"},
        {slash_signature, "slash-signature", 0, "", "sign the upgrade over the URL with a trailing slash"},
        {bad_signature, "bad-signature", 0, "", "sign everything with a wrong token"},
        {binary, "binary", 1, "s", "one binary frame after this long"},
        {wrong_stream_sid, "wrong-stream-sid", 1, "s", "one media message of a foreign stream"},
        {invalid_json, "invalid-json", 1, "s", "one message of broken JSON"},
        {bad_base64, "bad-base64", 1, "s", "one payload that is not base64"},
        {unknown_event, "unknown-event", 1, "s", "one event that nobody knows"},
        {oversized, "oversized", 1'048'576, "bytes", "after 1 s one text message of this size"},
        {unmasked, "unmasked", 1, "s", "one unmasked frame"},
        {reserved_bit, "reserved-bit", 1, "s", "one frame with a reserved bit"},
        {fragmented_ping, "fragmented-ping", 1, "s", "one ping in fragments"},
        {invalid_utf8, "invalid-utf8", 1, "s", "one text frame that is not UTF-8"},
    };
    return table;
}

Result<bool> Faults::add(std::string_view text) {
    const std::string_view name = text.substr(0, text.find('='));
    const auto& table = fault_table();
    const auto info = std::find_if(table.begin(), table.end(), [&](const FaultInfo& i) { return i.name == name; });
    if (info == table.end()) {
        std::string names;
        for (const FaultInfo& known : table) {
            names += (names.empty() ? "" : ", ") + std::string(known.name);
        }
        return error(Errc::bad_config, "unknown fault " + std::string(name) + "; valid: " + names);
    }
    double value = info->value;
    if (name.size() < text.size()) {
        const std::string_view digits = text.substr(name.size() + 1);
        const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (code != std::errc() || end != digits.data() + digits.size() || !(value > 0) || value > 1e8 ||
            info->unit.empty()) {
            return error(Errc::bad_config, "fault " + std::string(text) + ": " +
                                               (info->unit.empty() ? "takes no value" : "needs a positive number"));
        }
    }
    list_.push_back({info->kind, value});
    return true;
}

void Faults::remove(FaultKind kind) {
    std::erase_if(list_, [kind](const Fault& fault) { return fault.kind == kind; });
}

std::optional<double> Faults::value(FaultKind kind) const {
    const auto found = std::find_if(list_.begin(), list_.end(), [&](const Fault& f) { return f.kind == kind; });
    return found == list_.end() ? std::nullopt : std::optional<double>(found->value);
}

bool Faults::excuse_close(std::uint16_t code) const {
    using enum FaultKind;
    switch (code) {
        case 1002:  // RFC 6455 7.4.1: protocol error.
            return has(unmasked) || has(reserved_bit) || has(fragmented_ping);
        case 1003:  // Data it cannot accept.
            return has(binary);
        case 1007:
            return has(invalid_utf8);
        case 1008:  // Policy: a stream nobody can be matched with, or silence for too long.
            return has(start_without_ids) || has(media_before_start) || has(junk_before_start) || has(freeze);
        case 1009:
            return has(oversized);
        default:
            return false;
    }
}

bool Faults::excuse_loss() const {
    using enum FaultKind;
    return has(drop_tcp) || has(cut_once) || has(leave_once) || has(freeze);
}

}  // namespace agentlocator::call
