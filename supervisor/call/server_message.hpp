#pragma once
// Reads what the server sends on a media stream and holds it against Twilio's rules (Twilio docs: Media Streams,
// "Messages to Twilio"; warnings 31950 and 31951): exactly three shapes, no field more or less. A message that breaks
// a rule is reported and dropped, as Twilio does. Pure.
#include <string>
#include <string_view>
#include <variant>

#include "supervisor/call/violation.hpp"

namespace agentlocator::call {

struct Dropped {};
struct ServerMedia {
    std::string_view audio;  // mu-law; valid until the next read().
};
struct ServerMark {
    std::string name;
};
struct ServerClear {};
using ServerMessage = std::variant<Dropped, ServerMedia, ServerMark, ServerClear>;

class ServerMessageReader {
public:
    // `stream_sid` empty: a start without ids was sent, the server cannot know one (any is then foreign).
    explicit ServerMessageReader(std::string stream_sid);
    [[nodiscard]] ServerMessage read(std::string_view text, Violations& violations);

private:
    [[nodiscard]] ServerMessage read_slowly(std::string_view text, Violations& violations);
    [[nodiscard]] ServerMessage take_audio(std::string_view payload, std::string_view text, Violations& violations);

    std::string stream_sid_;
    std::string usual_head_;  // The usual spelling of a media message up to its payload.
    std::string audio_;
};

}  // namespace agentlocator::call
