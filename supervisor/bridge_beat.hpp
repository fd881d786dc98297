#pragma once
// What the bridge says of itself once a second, in a line of its output that is read here and not logged:
//
//   event=bridge_beat connected=true paired=true can_send=true state=open reason=-
//
// That the line comes proves that its event loop turns, which is all the supervisor judges it by: a bridge without a
// phone, or without a network, is healthy, and restarting it would break a pairing in progress (F-42, F-43). Pure.
#include <optional>
#include <string>
#include <string_view>

#include "common/time.hpp"

namespace agentlocator {

struct BridgeBeat {
    bool connected = false;
    bool paired = false;
    bool can_send = false;
    std::string state;
    std::string reason;  // Empty: none.
    friend bool operator==(const BridgeBeat&, const BridgeBeat&) = default;
};

// Not a beat: nothing, and the line is an ordinary one.
[[nodiscard]] std::optional<BridgeBeat> parse_bridge_beat(std::string_view line);

// One line for people: what the link is like and what to do about it.
[[nodiscard]] std::string describe(const BridgeBeat& beat);

// Twenty missed beats. A database write on a dying disk has been seen to take seconds; nothing healthy takes this long.
inline constexpr Duration bridge_silence_max = 20s;

// Only a bridge that has begun to beat can stop: before that npm may be installing its packages, for minutes.
[[nodiscard]] constexpr bool bridge_is_hung(std::optional<TimePoint> last_beat, TimePoint now) {
    return last_beat && now - *last_beat >= bridge_silence_max;
}

}  // namespace agentlocator
