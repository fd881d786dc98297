#include "worker/webhook.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/log_line.hpp"
#include "worker/base_url.hpp"
#include "worker/http_reply.hpp"
#include "worker/stream_token.hpp"
#include "worker/twilio_signature.hpp"
#include "worker/twiml.hpp"

namespace agentlocator {

namespace {

// MAX_CONCURRENT_CALLS or the slots there are, whichever is less; 0 is no limit.
std::uint32_t call_limit(const WebContext& context) {
    const std::uint32_t wanted = context.settings.max_concurrent_calls;
    if (wanted == 0 || context.call_capacity == 0) {
        return std::max(wanted, context.call_capacity);
    }
    return std::min(wanted, context.call_capacity);
}

RouteResult connect(const ConnectCall& call) {
    ConnectDocument document = connect_document(call);
    RouteResult result{.answer = xml_reply(document.xml)};
    for (const std::string_view name : document.dropped) {
        result.log.push_back(
            log_line("parameter_dropped",
                     {{"call", log_cut(call.call_sid)}, {"name", name}, {"reason", "longer than Twilio passes on"}}));
    }
    return result;
}

RouteResult no_base_url(const WebRequest& request, const Error& fault) {
    return refuse(text_reply(400, "the request names no valid host"),
                  log_line("webhook_refused", {{"path", log_path(request.http.target)},
                                               {"status", 400},
                                               {"reason", "no_base_url"},
                                               {"remedy", fault.detail}}));
}

// `no-store` is set for all; these are for proxies of the old kind, as the original sent them for callbacks.
HttpResponse never_cached(HttpResponse response) {
    for (HttpHeader& header : response.headers) {
        if (header.name == "Cache-Control") {
            header.value = "no-store, no-cache, must-revalidate, max-age=0";
        }
    }
    response.headers.push_back({"Pragma", "no-cache"});
    return response;
}

// Twilio's own name first; the seeds' tests and older callers use the second.
std::string_view either(const FormFields& fields, std::string_view first, std::string_view second) {
    const auto found = find_field(fields, first);
    return found ? *found : field(fields, second);
}

}  // namespace

RouteResult incoming_call(const WebRequest& request) {
    const WebContext& context = request.context;
    const std::string_view call_sid = field(request.fields, "CallSid");
    const std::uint32_t limit = call_limit(context);
    if (limit > 0 && context.live_calls >= limit) {
        return {.answer = xml_reply(busy_document()),
                .log = {log_line("call_rejected", {{"call", log_cut(call_sid)},
                                                   {"reason", "rejected_capacity"},
                                                   {"live", context.live_calls},
                                                   {"limit", limit},
                                                   {"remedy", "raise MAX_CONCURRENT_CALLS or add a host"}})},
                .refused = true};
    }
    const auto base = public_base(request.http, context.settings, context.remote_address);
    if (!base) {
        return no_base_url(request, base.error());
    }
    const std::string token = mint_stream_token(context.settings, context.instance, call_sid, context.now);
    RouteResult result = connect({.base = *base,
                                  .call_sid = call_sid,
                                  .from = field(request.fields, "From"),
                                  .to = field(request.fields, "To"),
                                  .token = token});
    result.log.push_back(log_line("call_answered", {{"call", log_cut(call_sid)}, {"base", base->http()}}));
    return result;
}

RouteResult incoming_call_preview(const WebRequest& request) {
    const WebContext& context = request.context;
    const auto base = public_base(request.http, context.settings, context.remote_address);
    if (!base) {
        return no_base_url(request, base.error());
    }
    // Anybody may ask for this page, so it must not give away a token that opens a stream.
    const std::string call_sid = "CA_PREVIEW_" + std::to_string(context.now);
    return connect({.base = *base, .call_sid = call_sid, .from = {}, .to = {}, .token = {}});
}

RouteResult stream_status(const WebRequest& request) {
    const FormFields& fields = request.fields;
    RouteResult result{.answer = no_content()};
    const std::string call = log_text(field(fields, "CallSid"));
    const std::string stream = log_text(field(fields, "StreamSid"));
    const std::string_view event = either(fields, "StreamEvent", "Status");
    result.log.push_back("STREAM_STATUS call=" + call + " stream=" + stream + " event=" + log_text(event));
    if (const std::string_view why = field(fields, "StreamError"); !why.empty()) {
        result.log.push_back(log_line("stream_failed", {{"call", log_cut(field(fields, "CallSid"))},
                                                        {"reason", why.substr(0, 200)},
                                                        {"remedy", "look up the text in Twilio's error catalogue"}}));
    }
    return result;
}

namespace {

// Whether the call behind this request broke off, and is to be connected again. `line` says why not, where that is
// news.
std::optional<std::uint32_t> next_resume(const WebRequest& request, std::string& line) {
    const WebContext& context = request.context;
    const std::string_view call_sid = field(request.fields, "CallSid");
    // Only while somebody holds the line.
    if (call_sid.empty() || field(request.fields, "CallStatus") != "in-progress" || !context.last_stream) {
        return std::nullopt;
    }
    const auto last = context.last_stream(call_sid);
    if (!last || last->fate == StreamFate::finished) {
        return std::nullopt;
    }
    const auto refused = [&](std::string_view reason, std::string_view remedy) {
        line = log_line("resume_refused", {{"call", log_cut(call_sid)}, {"reason", reason}, {"remedy", remedy}});
        return std::nullopt;
    };
    if (stream_token_required(context.settings) &&
        check_signature(request.http, request.fields,
                        signed_url_candidates(request.http, context.settings, context.remote_address),
                        context.settings) != SignatureVerdict::genuine) {
        return refused("signature", "whoever asked is not Twilio, or PUBLIC_BASE_URL is not what Twilio calls");
    }
    if (last->resumes >= resumes_max) {
        return refused("limit", "its connection broke again and again: look at the proxy and the network before it");
    }
    return last->resumes + 1;
}

}  // namespace

RouteResult stream_ended(const WebRequest& request) {
    const FormFields& fields = request.fields;
    const WebContext& context = request.context;
    const std::string_view call_sid = field(fields, "CallSid");
    std::vector<std::string> log = {"STREAM_ENDED call=" + log_text(call_sid) +
                                    " stream=" + log_text(field(fields, "StreamSid")) +
                                    " status=" + log_text(either(fields, "Status", "CallStatus"))};
    std::string why_not;
    const auto resume = next_resume(request, why_not);
    const auto base = public_base(request.http, context.settings, context.remote_address);
    if (!why_not.empty()) {
        log.push_back(std::move(why_not));
    }
    if (!resume || !base) {
        return {.answer = xml_reply(empty_document()), .log = std::move(log)};
    }
    const std::string token = mint_stream_token(context.settings, context.instance, call_sid, context.now);
    const std::string resume_token =
        mint_resume_token(context.settings, context.instance, call_sid, *resume, context.now);
    RouteResult result = connect({.base = *base,
                                  .call_sid = call_sid,
                                  .from = field(fields, "From"),
                                  .to = field(fields, "To"),
                                  .token = token,
                                  .resume = resume_token});
    log.push_back(log_line("call_reconnected", {{"call", log_cut(call_sid)}, {"resume", *resume}}));
    result.log.insert(result.log.begin(), log.begin(), log.end());
    return result;
}

RouteResult call_status(const WebRequest& request) {
    return {.answer = never_cached(no_content()),
            .log = {log_line("call_status_received", {{"call", log_cut(field(request.fields, "CallSid"))},
                                                      {"status", log_cut(field(request.fields, "CallStatus"))}})}};
}

RouteResult handle_recording(const WebRequest& request) {
    const std::string_view status = field(request.fields, "RecordingStatus");
    // Only the status callback carries RecordingStatus (Twilio docs: Record); the action must be answered with TwiML.
    HttpResponse answer = status.empty() ? xml_reply(empty_document()) : no_content();
    return {
        .answer = never_cached(std::move(answer)),
        .log = {log_line("recording_received", {{"call", log_cut(field(request.fields, "CallSid"))},
                                                {"status", log_cut(status)},
                                                {"seconds", log_cut(field(request.fields, "RecordingDuration"))}})}};
}

RouteResult webhook_test(const WebRequest&) {
    return {.answer = text_reply(200, "TEST OK")};
}

}  // namespace agentlocator
