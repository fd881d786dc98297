#pragma once
// The routes of /api that are the bridge's to answer: how each is asked there, and what its answer means here. Pure.
//
//   GET    /api/whatsapp/status   the truth of both providers; 200 also while the bridge is away
//   GET    /api/whatsapp/qr       {qr, qrText, dataUrl, expires_at}; 404 while there is none
//   POST   /api/whatsapp/pair     {"method":"qr"} or {"method":"code","phone":"9725..."}; DELETE ends a pairing
//   POST   /api/whatsapp/logout   unlinks the phone
#include <string>
#include <string_view>
#include <variant>

#include "common/config.hpp"
#include "common/http_message.hpp"
#include "worker/web_context.hpp"

namespace agentlocator {

[[nodiscard]] bool is_bridge_path(std::string_view path);

struct BridgeQuestion {
    std::string method{};
    std::string target{};
    std::string body{};
};
// What to ask the bridge, or the answer that needs no asking: 400, 405, 503 (there is no bridge).
[[nodiscard]] std::variant<BridgeQuestion, HttpResponse> ask_bridge(const HttpRequest& request, std::string_view path,
                                                                    const Settings& settings);
// `status` 0: the bridge did not answer.
[[nodiscard]] HttpResponse read_bridge_reply(std::string_view path, const Settings& settings, long status,
                                             std::string_view body);

// Twilio can send for us.
[[nodiscard]] bool twilio_whatsapp_ready(const Settings& settings);

}  // namespace agentlocator
