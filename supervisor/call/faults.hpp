#pragma once
// The wrong things this caller can do on purpose (--fault NAME[=VALUE]), to see what the server makes of them. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace agentlocator::call {

enum class FaultKind : std::uint8_t {
    drop_tcp,            // At a moment: the connection is cut, no close frame.
    cut_once,            // The same, in the call's first stream only.
    leave_once,          // At a moment of the first stream: it is over for us, but its connection stays open.
    close_without_stop,  // At a moment: a close frame, but no stop before it.
    freeze,              // At a moment: nothing is sent or answered any more; the socket stays open.
    delay_marks,         // Every mark is echoed late.
    lose_marks,          // No mark is ever echoed.
    duplicate_media,     // Every n-th media message is sent twice.
    skip_sequence,       // Every n-th sequence number is left out.
    burst,               // At a moment: two seconds of nothing, then all of it at once.
    fragment,            // Every message in n fragments, a ping between them.
    junk_before_start,   // Unknown events, a mark and a DTMF digit before start.
    media_before_start,  // Half a second of media before start.
    start_without_ids,   // start, and everything after it, without streamSid and callSid.
    parameters_raw,      // A custom parameter in Hebrew, as UTF-8.
    parameters_escaped,  // The same as \uXXXX.
    slash_signature,     // The upgrade is signed over the URL with a trailing slash (Twilio sometimes does).
    bad_signature,       // Everything is signed with another token.
    binary,              // From here on one message at a moment: a binary frame,
    wrong_stream_sid,    //   media with a foreign streamSid,
    invalid_json,        //   broken JSON,
    bad_base64,          //   a payload that is not base64,
    unknown_event,       //   an event nobody knows,
    oversized,           //   a text message of n bytes (must be refused with 1009, or read),
    unmasked,            //   an unmasked frame (must be refused with 1002),
    reserved_bit,        //   a frame with RSV1 (1002),
    fragmented_ping,     //   a control frame in fragments (1002),
    invalid_utf8,        //   text that is not UTF-8 (1007).
};

struct FaultInfo {
    FaultKind kind;
    std::string_view name;
    double value;           // When none is given.
    std::string_view unit;  // "s", "ms", "n", "bytes"; empty: takes no value.
    std::string_view help;
};
[[nodiscard]] const std::vector<FaultInfo>& fault_table();

class Faults {
public:
    // "delay-marks=300". Error: unknown name, or a value that is not a positive number.
    [[nodiscard]] Result<bool> add(std::string_view text);
    void remove(FaultKind kind);
    [[nodiscard]] bool has(FaultKind kind) const { return value(kind).has_value(); }
    [[nodiscard]] std::optional<double> value(FaultKind kind) const;
    [[nodiscard]] bool empty() const { return list_.empty(); }
    // A close code the server is right to answer one of these faults with.
    [[nodiscard]] bool excuse_close(std::uint16_t code) const;
    // The connection may also end without a close frame, because we cut or froze it.
    [[nodiscard]] bool excuse_loss() const;

private:
    struct Fault {
        FaultKind kind;
        double value;
    };
    std::vector<Fault> list_;
};

}  // namespace agentlocator::call
