#include "worker/api/api_gate.hpp"

#include "common/log_line.hpp"
#include "common/text.hpp"
#include "worker/api/api_reply.hpp"
#include "worker/api/client_address.hpp"
#include "worker/http_reply.hpp"

namespace agentlocator {
namespace {

std::string_view bearer_token(const HttpRequest& request) {
    const std::string_view header = request.header("Authorization").value_or("");
    const auto blank = header.find(' ');
    return equal_no_case(header.substr(0, blank), "Bearer") && blank != std::string_view::npos
               ? trim(header.substr(blank))
               : std::string_view();
}

RouteResult turn_away(const HttpRequest& request, HttpResponse answer, std::string_view reason,
                      std::string_view remedy) {
    const unsigned status = answer.status;
    return refuse(
        std::move(answer),
        log_line("api_refused",
                 {{"path", log_path(request.target)}, {"status", status}, {"reason", reason}, {"remedy", remedy}}));
}

}  // namespace

std::optional<RouteResult> ApiGate::refuse_flood(const HttpRequest& request, const Settings& settings,
                                                 std::string_view remote_address, TimePoint now) {
    if (!requests_.allow(client_address(request, settings, remote_address), now)) {
        HttpResponse answer = api_error(429, "too many requests");
        answer.headers.push_back({"Retry-After", "1"});
        return turn_away(request, std::move(answer), "rate_limit", "ask less often");
    }
    if (request.body.size() > api_body_bytes_max) {
        return turn_away(request, api_error(413, "body too large"), "too_large", "send less");
    }
    return std::nullopt;
}

std::optional<RouteResult> ApiGate::refuse(const HttpRequest& request, const Settings& settings,
                                           std::string_view remote_address, TimePoint now) {
    if (auto flood = refuse_flood(request, settings, remote_address, now);
        flood && std::get<HttpResponse>(flood->answer).status == 429) {
        return flood;
    }
    // An empty token opens nothing: a missing one must never be an open door.
    if (admin_token_.empty() || !equal_constant_time(bearer_token(request), admin_token_)) {
        HttpResponse answer = failures_.allow(client_address(request, settings, remote_address), now)
                                  ? api_error(401, "unauthorized")
                                  : api_error(429, "too many wrong tokens");
        answer.headers.push_back({"WWW-Authenticate", "Bearer"});
        return turn_away(request, std::move(answer), "no_valid_token",
                         "send Authorization: Bearer with ADMIN_TOKEN, or what admin-token in the data folder holds");
    }
    if (request.body.size() > api_body_bytes_max) {
        return turn_away(request, api_error(413, "body too large"), "too_large", "send less");
    }
    return std::nullopt;
}

}  // namespace agentlocator
