#include "common/ws_mode.hpp"

#include "common/ensure.hpp"
#include "common/text.hpp"

namespace agentlocator {

std::string_view to_string(WsMode mode) {
    switch (mode) {
        case WsMode::ai:
            return "AI";
        case WsMode::echo:
            return "ECHO";
        case WsMode::sink:
            return "SINK";
    }
    ensure_failed("WsMode has a name", __FILE__, __LINE__);
}

std::optional<WsMode> parse_ws_mode(std::string_view text) {
    for (const WsMode mode : {WsMode::ai, WsMode::echo, WsMode::sink}) {
        if (equal_no_case(text, to_string(mode))) {
            return mode;
        }
    }
    return std::nullopt;
}

}  // namespace agentlocator
