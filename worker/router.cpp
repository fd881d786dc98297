#include "worker/router.hpp"

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include "common/log_line.hpp"
#include "worker/api/whatsapp_webhook.hpp"
#include "worker/base_url.hpp"
#include "worker/health.hpp"
#include "worker/http_reply.hpp"
#include "worker/stream_handshake.hpp"
#include "worker/stream_token.hpp"
#include "worker/twilio_signature.hpp"
#include "worker/twiml.hpp"

namespace agentlocator {

namespace {

constexpr std::string_view stream_path = "/ws/twilio-media";

enum class Methods : std::uint8_t { get, get_and_post };
enum class Proof : std::uint8_t { none, twilio };  // Whether X-Twilio-Signature is asked for.

struct Route {
    std::string_view path;
    Methods methods;
    Proof proof;
    Handler handler;
    Fallback fallback = nullptr;
};

HttpResponse ended_fallback() {
    return xml_reply(empty_document());
}

// Webhooks take GET too: a number configured with the wrong method is answered all the same (F-14). stream_status and
// stream_ended are never refused: an error there ends a healthy call, a forged one only writes a log line.
constexpr Route routes[] = {
    {"/webhook/incoming_call", Methods::get_and_post, Proof::twilio, incoming_call},
    {"/webhook/incoming-call", Methods::get_and_post, Proof::twilio, incoming_call},
    {"/webhook/voice", Methods::get_and_post, Proof::twilio, incoming_call},
    {"/incoming_call", Methods::get_and_post, Proof::twilio, incoming_call},
    {"/webhook/incoming_call_preview", Methods::get, Proof::none, incoming_call_preview},
    {"/webhook/stream_status", Methods::get_and_post, Proof::none, stream_status, no_content},
    {"/webhook/stream_ended", Methods::get_and_post, Proof::none, stream_ended, ended_fallback},
    {"/webhook/call_status", Methods::get_and_post, Proof::twilio, call_status, no_content},
    {"/webhook/handle_recording", Methods::get_and_post, Proof::twilio, handle_recording, ended_fallback},
    {"/webhook/whatsapp/twilio", Methods::get_and_post, Proof::twilio, whatsapp_from_twilio},
    {"/webhook/whatsapp/inbound", Methods::get_and_post, Proof::twilio, whatsapp_inbound},
    {"/webhook/whatsapp/status", Methods::get_and_post, Proof::twilio, whatsapp_status},
    {"/webhook/whatsapp/baileys", Methods::get_and_post, Proof::none, whatsapp_from_bridge},
    {"/webhook/whatsapp/incoming", Methods::get_and_post, Proof::none, whatsapp_batch_from_bridge},
    {"/api/crm/payments/create-intent", Methods::get_and_post, Proof::none, stripe_gone},
    {"/api/payments/create-intent", Methods::get_and_post, Proof::none, stripe_gone},
    {"/api/payments/webhook", Methods::get_and_post, Proof::none, stripe_gone},
    {"/api/webhook/stripe", Methods::get_and_post, Proof::none, stripe_gone},
    {"/webhook/test", Methods::get_and_post, Proof::none, webhook_test},
    {"/healthz", Methods::get, Proof::none, healthz},
    {"/health", Methods::get, Proof::none, healthz},
    {"/livez", Methods::get, Proof::none, healthz},
    {"/readyz", Methods::get, Proof::none, readyz},
    {"/version", Methods::get, Proof::none, version},
    {"/metrics", Methods::get, Proof::none, metrics},
    {"/", Methods::get, Proof::none, front_page},
};

bool allowed(Methods methods, std::string_view method) {
    return method == "GET" || method == "HEAD" || (method == "POST" && methods == Methods::get_and_post);
}

RouteResult not_found(const HttpRequest& request, std::string_view path) {
    RouteResult result{.answer = text_reply(404, "no such path")};
    // Scanners ask for thousands of paths; only what looks like a wrongly configured number is worth a line.
    if (path.starts_with("/webhook") || path.starts_with("/ws") || path.starts_with("/twilio")) {
        result = refuse(text_reply(404, "no such path"),
                        log_line("request_unrouted",
                                 {{"path", log_path(request.target)},
                                  {"remedy", "voice webhook /webhook/incoming_call, stream /ws/twilio-media"}}));
    }
    return result;
}

RouteResult wrong_method(const HttpRequest& request, Methods methods) {
    HttpResponse answer = text_reply(405, "method not allowed");
    const std::string_view list = methods == Methods::get ? "GET, HEAD" : "GET, HEAD, POST";
    answer.headers.push_back({"Allow", std::string(list)});
    return refuse(std::move(answer), log_line("request_refused", {{"path", log_path(request.target)},
                                                                  {"status", 405},
                                                                  {"method", log_cut(request.method)},
                                                                  {"remedy", "use " + std::string(list)}}));
}

struct Rejection {
    std::string_view reason;
    std::string_view remedy;
};

RouteResult forbid(const HttpRequest& request, const std::vector<std::string>& urls, const Rejection& rejection) {
    constexpr std::size_t urls_shown_max = 4;
    std::string tried;
    for (std::size_t i = 0; i < std::min(urls.size(), urls_shown_max); ++i) {
        tried.append(i > 0 ? " " : "")
            .append(log_path(urls[i]))
            .append(urls[i].find('?') < urls[i].size() ? "?..." : "");
    }
    return refuse(text_reply(403, "forbidden"), log_line("webhook_refused", {{"path", log_path(request.target)},
                                                                             {"status", 403},
                                                                             {"reason", rejection.reason},
                                                                             {"tried", tried},
                                                                             {"remedy", rejection.remedy}}));
}

std::string_view remedy_of(SignatureVerdict verdict) {
    if (verdict == SignatureVerdict::missing) {
        return "not from Twilio, or a proxy drops X-Twilio-Signature; for tests without signatures unset "
               "TWILIO_AUTH_TOKEN or set VALIDATE_TWILIO_SIGNATURE=false";
    }
    return "set PUBLIC_BASE_URL to the address configured at Twilio and TWILIO_AUTH_TOKEN to the primary token of that "
           "account; otherwise the request is forged";
}

// Nothing: go on. Twilio's signature proves the sender; the account id is checked too, because a wrong one in the
// settings makes every later request of ours to Twilio fail.
std::optional<RouteResult> check_sender(const WebRequest& request) {
    const WebContext& context = request.context;
    if (!stream_token_required(context.settings)) {
        return std::nullopt;
    }
    const auto urls = signed_url_candidates(request.http, context.settings, context.remote_address);
    const SignatureVerdict verdict = check_signature(request.http, request.fields, urls, context.settings);
    if (verdict != SignatureVerdict::genuine) {
        return forbid(request.http, urls, {to_string(verdict), remedy_of(verdict)});
    }
    const auto account = find_field(request.fields, "AccountSid");
    if (account && !context.settings.twilio_account_sid.empty() && *account != context.settings.twilio_account_sid) {
        return forbid(request.http, urls,
                      {"account_mismatch", "TWILIO_ACCOUNT_SID is not the account that owns this number; correct it"});
    }
    return std::nullopt;
}

RouteResult failed(const HttpRequest& request, Fallback fallback, std::string_view what) {
    HttpResponse answer = fallback != nullptr ? fallback() : text_reply(500, "internal error");
    return {.answer = std::move(answer),
            .log = {log_line("handler_failed", {{"path", log_path(request.target)}, {"reason", what}})}};
}

RouteResult dispatch(const Route& found, const HttpRequest& request, const WebContext& context) {
    const bool has_body = has_form_body(request);
    const bool has_query = request.method == "GET" || request.method == "HEAD";
    auto fields = parse_form(has_body ? request.body : has_query ? request.query() : std::string_view());
    if (!fields && found.proof == Proof::twilio) {
        return refuse(
            text_reply(413, "form too large"),
            log_line("request_refused", {{"path", log_path(request.target)},
                                         {"status", 413},
                                         {"reason", fields.error().detail},
                                         {"remedy", "Twilio sends some 30 fields; this is not from Twilio"}}));
    }
    const FormFields none;
    const WebRequest web{request, context, fields ? *fields : none};
    if (found.proof == Proof::twilio) {
        if (auto refusal = check_sender(web)) {
            return *std::move(refusal);
        }
    }
    return run_guarded(found.handler, found.fallback, web);
}

}  // namespace

std::string normal_path(std::string_view target, std::string_view prefix) {
    target = origin_form(target);
    target = target.substr(0, target.find_first_of("?#"));
    std::string path;
    path.reserve(target.size());
    for (const char c : target) {
        if (c != '/' || !path.ends_with('/')) {
            path.push_back(c);
        }
    }
    if (!prefix.empty() && path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/')) {
        path.erase(0, prefix.size());
    }
    if (path.size() > 1 && path.ends_with('/')) {
        path.pop_back();
    }
    return path.empty() ? "/" : path;
}

RouteResult route(const HttpRequest& request, const WebContext& context) {
    Fallback fallback = nullptr;
    try {
        const auto configured = parse_base_url(context.settings.public_base_url);
        const std::string path = normal_path(request.target, configured ? configured->prefix : std::string());
        if (path == stream_path) {  // First: a catch-all page in front of it once made every stream fail (F-8).
            return stream_handshake(request, context);
        }
        const auto* found =
            std::find_if(std::begin(routes), std::end(routes), [&](const Route& one) { return one.path == path; });
        if (found == std::end(routes)) {
            return not_found(request, path);
        }
        if (!allowed(found->methods, request.method)) {
            return wrong_method(request, found->methods);
        }
        fallback = found->fallback;
        return dispatch(*found, request, context);
    } catch (const std::exception& fault) {
        return failed(request, fallback, fault.what());
    }
}

bool is_routed(std::string_view path) {
    return std::any_of(std::begin(routes), std::end(routes), [&](const Route& one) { return one.path == path; });
}

RouteResult run_guarded(Handler handler, Fallback fallback, const WebRequest& request) {
    try {
        return handler(request);
    } catch (const std::exception& fault) {
        return failed(request.http, fallback, fault.what());
    }
}

HttpResponse parse_failure(unsigned status) {
    HttpResponse answer = text_reply(status, reason_phrase(status));
    answer.close = true;
    return answer;
}

}  // namespace agentlocator
