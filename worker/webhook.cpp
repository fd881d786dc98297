#include "worker/webhook.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/log_line.hpp"
#include "common/text.hpp"
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

// What Twilio says of a call in every webhook. Nothing without an id: there is nothing to remember it under.
std::vector<Fact> call_facts(const WebRequest& request, std::string_view status) {
    const auto text = [&](std::string_view name) { return std::string(field(request.fields, name)); };
    CallFact call{.call_sid = text("CallSid"),
                  .from = text("From"),
                  .to = text("To"),
                  .direction = text("Direction"),
                  .status = std::string(status)};
    return call.call_sid.empty() ? std::vector<Fact>() : std::vector<Fact>{std::move(call)};
}

// A new call: its row, and the caller as a lead of the called business.
std::vector<Fact> new_call_facts(const WebRequest& request, std::string_view status) {
    std::vector<Fact> facts = call_facts(request, status);
    if (facts.empty()) {
        return facts;
    }
    auto& call = std::get<CallFact>(facts[0]);
    call.started_at = request.context.now_ms;
    if (call.direction.empty()) {
        call.direction = "inbound";
    }
    const bool inbound = call.direction == "inbound";
    facts.push_back(LeadFact{.to = inbound ? call.to : call.from,
                             .channel = "voice",
                             .phone = inbound ? call.from : call.to,
                             .source = "call",
                             .external_id = call.call_sid,
                             .seen_at = request.context.now_ms});
    return facts;
}

// Why a webhook that acknowledges something could not: Twilio reports it, and its fallback URL is asked.
HttpResponse not_stored() {
    return text_reply(503, "the store takes nothing now");
}

// The last part of a recording's URL is its id, where the request does not name it.
std::string recording_sid(const FormFields& fields) {
    const std::string_view named = field(fields, "RecordingSid");
    const std::string_view url = field(fields, "RecordingUrl");
    return std::string(named.empty() ? url.substr(url.find_last_of('/') + 1) : named);
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
                .refused = true,
                .facts = new_call_facts(request, "rejected_capacity")};
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
    result.facts = new_call_facts(request, "initiated");
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
// news; `ask_store`: it is not known here.
std::optional<std::uint32_t> next_resume(const WebRequest& request, std::string& line, bool& ask_store) {
    const WebContext& context = request.context;
    const std::string_view call_sid = field(request.fields, "CallSid");
    // Only while somebody holds the line.
    if (call_sid.empty() || field(request.fields, "CallStatus") != "in-progress" || !context.last_stream) {
        return std::nullopt;
    }
    const auto last = context.last_stream(call_sid);
    if (last && last->fate == StreamFate::finished) {
        return std::nullopt;
    }
    const auto refused = [&](std::string_view reason, std::string_view remedy) {
        line = log_line("resume_refused", {{"call", log_cut(call_sid)}, {"reason", reason}, {"remedy", remedy}});
        return std::nullopt;
    };
    const bool genuine = !stream_token_required(context.settings) ||
                         check_signature(request.http, request.fields,
                                         signed_url_candidates(request.http, context.settings, context.remote_address),
                                         context.settings) == SignatureVerdict::genuine;
    if (!last) {
        ask_store = genuine;
        return std::nullopt;
    }
    if (!genuine) {
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
    bool ask_store = false;
    const auto resume = next_resume(request, why_not, ask_store);
    const auto base = public_base(request.http, context.settings, context.remote_address);
    if (!why_not.empty()) {
        log.push_back(std::move(why_not));
    }
    if (!resume || !base) {
        return {.answer = xml_reply(empty_document()), .log = std::move(log), .ask_store = ask_store};
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

// The one report of how a call ended: acknowledged when it is durable.
RouteResult call_status(const WebRequest& request) {
    const std::string_view status = field(request.fields, "CallStatus");
    std::vector<Fact> facts = call_facts(request, status);
    std::optional<HttpResponse> unless_stored;
    if (!facts.empty()) {
        auto& call = std::get<CallFact>(facts[0]);
        call.duration_s = parse_integer(field(request.fields, "CallDuration")).value_or(0);
        const bool over = status == "completed" || status == "busy" || status == "no-answer" || status == "failed" ||
                          status == "canceled";
        call.ended_at = over ? request.context.now_ms : 0;
        unless_stored = not_stored();
    }
    return {.answer = never_cached(no_content()),
            .log = {log_line("call_status_received",
                             {{"call", log_cut(field(request.fields, "CallSid"))}, {"status", log_cut(status)}})},
            .facts = std::move(facts),
            .unless_stored = std::move(unless_stored)};
}

RouteResult handle_recording(const WebRequest& request) {
    const std::string_view status = field(request.fields, "RecordingStatus");
    // Only the status callback carries RecordingStatus (Twilio docs: Record); the action must be answered with TwiML.
    HttpResponse answer = status.empty() ? xml_reply(empty_document()) : no_content();
    std::vector<Fact> facts;
    std::optional<HttpResponse> unless_stored;
    if (const std::string sid = recording_sid(request.fields); !sid.empty()) {
        facts.push_back(
            RecordingFact{.recording_sid = sid,
                          .call_sid = std::string(field(request.fields, "CallSid")),
                          .url = std::string(field(request.fields, "RecordingUrl")),
                          .status = std::string(status.empty() ? "completed" : status),
                          .duration_s = parse_integer(field(request.fields, "RecordingDuration")).value_or(0),
                          .recorded_at = request.context.now_ms});
        if (!status.empty()) {  // The action is part of a call, which waits for nothing.
            unless_stored = not_stored();
        }
    }
    return {.answer = never_cached(std::move(answer)),
            .log = {log_line("recording_received", {{"call", log_cut(field(request.fields, "CallSid"))},
                                                    {"status", log_cut(status)},
                                                    {"seconds", log_cut(field(request.fields, "RecordingDuration"))}})},
            .facts = std::move(facts),
            .unless_stored = std::move(unless_stored)};
}

RouteResult webhook_test(const WebRequest&) {
    return {.answer = text_reply(200, "TEST OK")};
}

}  // namespace agentlocator
