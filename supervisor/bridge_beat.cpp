#include "supervisor/bridge_beat.hpp"

#include <vector>

#include "common/text.hpp"

namespace agentlocator {
namespace {

constexpr std::string_view prefix = "event=bridge_beat ";
constexpr std::size_t word_bytes_max = 64;  // The bridge's words are constants; a longer one is not hers.

std::optional<bool> truth(std::string_view value) {
    if (value == "true" || value == "false") {
        return value == "true";
    }
    return std::nullopt;
}

bool is_word(std::string_view value) {
    return !value.empty() && value.size() <= word_bytes_max &&
           value.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
               std::string_view::npos;
}

}  // namespace

std::optional<BridgeBeat> parse_bridge_beat(std::string_view line) {
    if (!line.starts_with(prefix)) {
        return std::nullopt;
    }
    BridgeBeat beat;
    unsigned found = 0;
    for (const std::string_view field : split(line.substr(prefix.size()), ' ')) {
        const std::string_view name = field.substr(0, field.find('='));
        const std::string_view value = name.size() < field.size() ? field.substr(name.size() + 1) : "";
        bool* const flag = name == "connected"  ? &beat.connected
                           : name == "paired"   ? &beat.paired
                           : name == "can_send" ? &beat.can_send
                                                : nullptr;
        if (flag != nullptr) {
            const auto given = truth(value);
            if (!given) {
                return std::nullopt;
            }
            *flag = *given;
            ++found;
        } else if ((name == "state" || name == "reason") && is_word(value)) {
            (name == "state" ? beat.state : beat.reason) = value == "-" ? "" : std::string(value);
            ++found;
        }
    }
    constexpr unsigned fields = 5;
    return found == fields ? std::optional(beat) : std::nullopt;
}

std::string describe(const BridgeBeat& beat) {
    const std::string why = beat.reason.empty() ? "" : " (" + beat.reason + ")";
    if (beat.state == "open") {
        return beat.can_send ? "linked and connected" : "connected, but cannot send" + why;
    }
    if (beat.state == "unpaired") {
        return "not linked to a phone" + why + "; link it: agentlocator whatsapp pair";
    }
    if (beat.state == "logged_out") {
        return "unlinked on the phone; link it again: agentlocator whatsapp pair";
    }
    if (beat.state == "pairing") {
        return "waits for the phone to confirm";
    }
    if (beat.state == "replaced") {
        return "another process uses this WhatsApp link; end it, then: agentlocator restart bridge";
    }
    return beat.state + why;
}

}  // namespace agentlocator
