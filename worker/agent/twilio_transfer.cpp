#include "worker/agent/call_control.hpp"

namespace agentlocator {

std::string transfer_twiml(std::string_view number) {
    // Digits and + only (the setting is read so), but a document is escaped where it is made.
    std::string safe;
    for (const char c : number) {
        if ((c >= '0' && c <= '9') || c == '+') {
            safe.push_back(c);
        }
    }
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Dial><Number>" + safe + "</Number></Dial></Response>";
}

}  // namespace agentlocator
