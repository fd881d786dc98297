#pragma once
// The JSON messages of Twilio Media Streams, in and out (Twilio docs: Media Streams, WebSocket messages). Pure.
//
// `media` arrives 50 times a second and call, so it is read by a scanner that builds no tree and allocates nothing.
// Everything else, and whatever the scanner declines (escapes in a string, a shape it does not know), goes through the
// JSON library.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentlocator {

// What the hot path needs of a `media` message. The views point into the message.
struct MediaFrame {
    std::string_view stream_sid;
    std::string_view payload;  // Base64, not yet checked.
};

// True when `text` is a well-formed `media` message of the inbound track (or none). Key order and blanks are free.
[[nodiscard]] bool scan_media(std::string_view text, MediaFrame& frame);

enum class StreamEvent : std::uint8_t { connected, start, media, mark, dtmf, stop, unknown };

// Any message, from the JSON library. Fields that do not belong to the event are empty.
struct StreamMessage {
    StreamEvent event = StreamEvent::unknown;
    std::string stream_sid;  // Of the message, or of its `start`.
    std::string call_sid;    // start.callSid, else a custom parameter CallSid, call_sid or CALL_SID.
    std::string payload;
    bool outbound_track = false;  // media of a track we do not use.
    std::string mark;
    char digit = 0;        // dtmf
    std::string encoding;  // start.mediaFormat; empty when absent.
    std::int64_t sample_rate = 0;
    std::int64_t channels = 0;
    std::vector<std::pair<std::string, std::string>> parameters;  // start.customParameters

    [[nodiscard]] std::string_view parameter(std::string_view name) const;
};

// False for text that is not a JSON object or has no `event` string (WS_BAD_JSON). Wrong types of single fields leave
// the field empty.
[[nodiscard]] bool parse_message(std::string_view text, StreamMessage& message);

// What we send: exactly these three shapes, always with the stream's own id (31951, F-11). Each function writes whole
// JSON into `out` and returns its size; `out` must hold message_size_max(...) bytes.
[[nodiscard]] std::size_t write_clear(std::string_view stream_sid, char* out);
[[nodiscard]] std::size_t write_mark(std::string_view stream_sid, std::string_view name, char* out);
[[nodiscard]] std::size_t write_media_text(std::string_view stream_sid, std::string_view base64, char* out);

// Most bytes a message needs beyond its payload: keys, a stream id and a mark name.
inline constexpr std::size_t message_overhead_max = 256;

// True when the id may stand in our messages without escaping: printable ASCII without quotes and backslashes.
[[nodiscard]] bool plain_id(std::string_view id);

}  // namespace agentlocator
