#pragma once
// Who asks, for rate limits and logs. Pure. A loopback address is never an identity: behind a proxy every client has
// one. X-Forwarded-For counts only from trusted proxies, and is read from its end: what a client wrote itself stands in
// front of what our proxy added.
#include <string>
#include <string_view>

#include "common/config.hpp"
#include "common/http_message.hpp"

namespace agentlocator {

// The nearest address that is no trusted proxy of ours; the TCP peer when there is none.
[[nodiscard]] std::string client_address(const HttpRequest& request, const Settings& settings,
                                         std::string_view remote_address);

}  // namespace agentlocator
