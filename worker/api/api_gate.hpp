#pragma once
// Who may use /api: whoever knows the admin token (RFC 6750, "Authorization: Bearer ..."). Pure; runs on the thread
// that parsed the request, before anything is handed on, so that a stranger costs nobody else anything.
#include <optional>
#include <string>

#include "common/time.hpp"
#include "worker/api/rate_limit.hpp"
#include "worker/web_context.hpp"

namespace agentlocator {

inline constexpr std::string_view api_prefix = "/api/";
inline constexpr std::size_t api_body_bytes_max = 262'144;  // A message has 65 536 characters at most.

class ApiGate {
public:
    explicit ApiGate(std::string admin_token) : admin_token_(std::move(admin_token)) {}

    // Nothing: go on. Else the answer: 429 (too many requests of this client), 401 (no token or a wrong one), 413.
    [[nodiscard]] std::optional<RouteResult> refuse(const HttpRequest& request, const Settings& settings,
                                                    std::string_view remote_address, TimePoint now);

    // The same for the few paths that ask for no token (payments): 429 or 413.
    [[nodiscard]] std::optional<RouteResult> refuse_flood(const HttpRequest& request, const Settings& settings,
                                                          std::string_view remote_address, TimePoint now);

    // A person's browser asks a few times a second, a script some more; a guesser of tokens gets nowhere.
    static constexpr double requests_at_once = 60;
    static constexpr auto request_every = std::chrono::milliseconds(50);
    static constexpr double failures_at_once = 10;
    static constexpr auto failure_every = std::chrono::seconds(6);
    static constexpr std::size_t clients_max = 4096;

private:
    const std::string admin_token_;
    RateLimit requests_{requests_at_once, request_every, clients_max};
    RateLimit failures_{failures_at_once, failure_every, clients_max};
};

}  // namespace agentlocator
