#include "supervisor/call/call_flow.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "common/text.hpp"
#include "supervisor/call/base64.hpp"
#include "supervisor/call/stream_verb.hpp"

namespace agentlocator::call {
namespace {

constexpr std::int64_t pause_seconds_max = 300;

bool is_true_method(std::string_view method) {
    return equal_no_case(method, "GET") || equal_no_case(method, "POST");
}

}  // namespace

CallFlow::CallFlow(CallPlan plan) : plan_(std::move(plan)), ticks_left_(plan_.stream.ticks), random_(plan_.seed) {
    StreamIds& ids = plan_.stream.ids;
    if (ids.call_sid.empty()) {
        ids.call_sid = "CA" + random_.hex_digits(32);
    }
}

void CallFlow::note(TimePoint now, std::string text) {
    constexpr std::size_t events_max = 256;
    if (report_.events.size() < events_max) {
        report_.events.push_back({now - started_at_, std::move(text)});
    }
}

std::string CallFlow::token() const {
    return plan_.auth_token.empty() || !plan_.stream.faults.has(FaultKind::bad_signature) ? plan_.auth_token
                                                                                          : plan_.auth_token + "wrong";
}

std::string CallFlow::wall_time(TimePoint now) const {
    const auto wall = plan_.started_wall + std::chrono::duration_cast<std::chrono::nanoseconds>(now - started_at_);
    const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(wall.time_since_epoch()).count();
    const auto seconds = static_cast<std::time_t>(nanoseconds / 1'000'000'000);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 32> day{};
    std::array<char, 16> fraction{};
    (void)std::strftime(day.data(), day.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    (void)std::snprintf(fraction.data(), fraction.size(), ".%09dZ", static_cast<int>(nanoseconds % 1'000'000'000));
    return std::string(day.data()) + fraction.data();
}

FormParameters CallFlow::voice_parameters() const {
    // The set of a fresh inbound call (Twilio docs: TwiML voice requests); empty values take part in the signature.
    return {{"AccountSid", plan_.stream.ids.account_sid},
            {"ApiVersion", "2010-04-01"},
            {"CallSid", plan_.stream.ids.call_sid},
            {"CallStatus", status_},
            {"Called", plan_.to},
            {"Caller", plan_.from},
            {"Direction", "inbound"},
            {"From", plan_.from},
            {"FromCity", ""},
            {"FromCountry", "IL"},
            {"To", plan_.to},
            {"ToCity", ""},
            {"ToCountry", "IL"}};
}

void CallFlow::start(TimePoint now) {
    started_at_ = now;
    document_ = plan_.named;
    if (!plan_.stream_target.empty()) {
        status_ = "in-progress";
        Url url = plan_.named;
        url.scheme = "wss";
        url.target = plan_.stream_target;
        return open_stream(now, url, nullptr);
    }
    fetch_twiml(now, plan_.voice_target, "POST", "voice");
}

// --- requests

void CallFlow::fetch(const Url& url, std::string_view method, const FormParameters& parameters, FetchPurpose purpose,
                     std::string_view name) {
    const bool get = equal_no_case(method, "GET");
    Url asked = url;
    if (get) {
        asked.target += (asked.has_query() ? "&" : "?") + form_encode(parameters);
    }
    Fetch request{
        next_fetch_++, route(plan_.dialled, asked), get ? "GET" : "POST", get ? "" : form_encode(parameters), {}};
    request.headers = {"Host: " + request.route.host, "User-Agent: TwilioProxy/1.1", "Accept: */*",
                       "I-Twilio-Idempotency-Token: " + random_.hex_digits(8) + "-" + random_.hex_digits(4) + "-4" +
                           random_.hex_digits(3) + "-8" + random_.hex_digits(3) + "-" + random_.hex_digits(12)};
    if (!get) {
        request.headers.emplace_back("Content-Type: application/x-www-form-urlencoded; charset=UTF-8");
    }
    if (!plan_.auth_token.empty()) {
        request.headers.push_back("X-Twilio-Signature: " +
                                  twilio_signature(token(), asked.text(), get ? FormParameters{} : parameters));
    }
    if (plan_.tunnelled) {
        request.headers.push_back("X-Forwarded-Proto: " + plan_.named.scheme);
    }
    pending_.emplace(request.id, Pending{purpose, std::string(name), asked});
    actions_.emplace_back(std::move(request));
}

void CallFlow::fetch_twiml(TimePoint now, std::string_view reference, std::string_view method, std::string_view why) {
    const auto url = resolve_url(document_, reference);
    if (!url || (url->scheme != "http" && url->scheme != "https")) {
        report_.violations.add(Rule::url_format, "the " + std::string(why) + " URL is not valid", reference);
        return finish(now);
    }
    if (url->path().find("//") != std::string_view::npos) {
        report_.violations.add(Rule::ours, "the " + std::string(why) + " URL has a double slash", url->text());
    }
    if (++documents_ > documents_max) {
        report_.violations.add(Rule::ours, "the call has asked for more than 64 documents");
        return finish(now);
    }
    state_ = State::fetching;
    fetch(*url, method, voice_parameters(), FetchPurpose::voice, why);
}

void CallFlow::on_answer(TimePoint now, std::uint64_t id, const HttpAnswer& answer) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) {
        return;
    }
    const Pending asked = std::move(found->second);
    pending_.erase(found);
    report_.reached = report_.reached || answer.status != 0;
    if (asked.purpose == FetchPurpose::callback) {
        check_callback_answer(answer, asked.name, report_.violations);
        return settle();
    }
    auto verbs = read_twiml(answer, report_.violations);
    if (asked.name == "voice" && verbs) {
        report_.answered = answer.took;
        status_ = "in-progress";
    }
    note(now, asked.name + " answered " + std::to_string(answer.status) +
                  (verbs ? " with " + std::to_string(verbs->size()) + " verbs" : ""));
    if (answer.status == 403 && plan_.auth_token.empty()) {
        report_.hint = "the server refuses unsigned calls: set TWILIO_AUTH_TOKEN to the token it was given";
    }
    if (!verbs || hung_up_) {
        return finish(now);
    }
    document_ = asked.url;
    verbs_ = std::move(*verbs);
    next_verb_ = 0;
    run_verbs(now);
}

// --- verbs

void CallFlow::run_verbs(TimePoint now) {
    while (next_verb_ < verbs_.size()) {
        // A copy: obeying a verb may replace the document.
        const TwimlNode verb = verbs_[next_verb_++];
        if (!run_verb(now, verb)) {
            return;
        }
    }
    note(now, "end of TwiML");
    finish(now);
}

bool CallFlow::run_verb(TimePoint now, const TwimlNode& verb) {
    if (verb.name == "Connect") {
        return connect(now, verb);
    }
    if (verb.name == "Pause") {
        const std::int64_t seconds = parse_integer(verb.attribute("length").value_or("1")).value_or(1);
        note(now, "<Pause> " + std::to_string(seconds) + " s");
        deadline_ = now + std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, pause_seconds_max));
        state_ = State::pausing;
        return false;
    }
    if (verb.name == "Redirect") {
        note(now, "<Redirect> " + shorten(trim(verb.text)));
        if (++redirects_ > redirects_max) {
            report_.violations.add(Rule::too_many_redirects, "more than 10 redirects");
            finish(now);
        } else {
            fetch_twiml(now, verb.text, verb.attribute("method").value_or("POST"), "redirect");
        }
        return false;
    }
    if (verb.name == "Hangup" || verb.name == "Reject") {
        note(now, "<" + verb.name + ">");
        if (verb.name == "Reject") {
            status_ = verb.attribute("reason") == "busy" ? "busy" : "no-answer";
        }
        finish(now);
        return false;
    }
    // Say and Play are not heard here, the others would need a telephone network: recorded, then the next verb.
    note(now, "<" + verb.name + "> " + shorten(trim(verb.text)));
    return true;
}

bool CallFlow::connect(TimePoint now, const TwimlNode& verb) {
    const auto stream = std::find_if(verb.children.begin(), verb.children.end(),
                                     [](const TwimlNode& child) { return child.name == "Stream"; });
    if (stream == verb.children.end()) {
        report_.violations.add(Rule::schema, "<Connect> without <Stream>");
        return true;
    }
    has_action_ = verb.attribute("action").has_value();
    connect_action_ = verb.attribute("action").value_or("");
    connect_method_ = verb.attribute("method").value_or("POST");
    if (!is_true_method(connect_method_)) {
        report_.violations.add(Rule::schema, "<Connect> method is neither GET nor POST", connect_method_);
    }
    const std::string text(stream->attribute("url").value_or(""));
    const auto url = resolve_url(document_, text);
    if (!url) {
        report_.violations.add(Rule::stream_url, "the stream URL is malformed", text);
        return true;
    }
    if (!check_stream(*stream, *url, report_.violations)) {
        return true;  // No stream; the call falls through.
    }
    open_stream(now, *url, &*stream);
    return false;
}

// --- the stream

void CallFlow::open_stream(TimePoint now, const Url& url, const TwimlNode* stream) {
    if (plan_.stream.ticks != 0 && ticks_left_ == 0) {
        hung_up_ = true;  // The caller had said all he wanted.
        return finish(now);
    }
    state_ = State::streaming;
    StreamPlan plan = plan_.stream;
    plan.ticks = ticks_left_;
    plan.seed = random_.next();
    stream_sid_ = plan.ids.stream_sid = "MZ" + random_.hex_digits(32);
    if (report_.streams.size() > 0) {
        plan.digits.clear();
        plan.faults.remove(FaultKind::cut_once);
        plan.faults.remove(FaultKind::leave_once);
    }
    stream_name_ = stream_sid_;
    stream_callback_.clear();
    if (stream != nullptr) {
        stream_name_ = stream->attribute("name").value_or(stream_sid_);
        stream_callback_ = stream->attribute("statusCallback").value_or("");
        for (const TwimlNode& parameter : stream->children) {
            if (parameter.name == "Parameter") {
                plan.parameters.emplace_back(parameter.attribute("name").value_or(""),
                                             parameter.attribute("value").value_or(""));
            }
        }
    }
    Url asked = url;
    asked.target = url.path();  // Twilio drops the query.
    const Route way = route(plan_.dialled, asked);
    std::string key;
    for (int i = 0; i < 16; ++i) {
        key += static_cast<char>(random_.next32() & 0xFFU);
    }
    plan.upgrade.host = way.host;
    plan.upgrade.target = way.target;
    plan.upgrade.key = base64(key);
    plan.upgrade.forwarded_proto = plan_.tunnelled ? plan_.named.scheme : "";
    if (!plan_.auth_token.empty()) {
        const bool slash = plan_.stream.faults.has(FaultKind::slash_signature);
        plan.upgrade.signature = twilio_signature(token(), asked.text() + (slash ? "/" : ""), {});
    }
    note(now, "stream to " + asked.text());
    actions_.emplace_back(OpenStream{way, std::move(plan)});
}

void CallFlow::on_stream_opened(TimePoint now) {
    report_.reached = true;
    note(now, "stream open");
    post_stream_status(now, "stream-started", "");
}

void CallFlow::post_stream_status(TimePoint now, std::string_view event, std::string_view failure) {
    const auto url = parse_url(stream_callback_);
    if (!url) {
        return;  // None was asked for, or it was reported as malformed.
    }
    FormParameters parameters{{"AccountSid", plan_.stream.ids.account_sid},
                              {"CallSid", plan_.stream.ids.call_sid},
                              {"StreamEvent", std::string(event)},
                              {"StreamName", stream_name_},
                              {"StreamSid", stream_sid_},
                              {"Timestamp", wall_time(now)}};
    if (!failure.empty()) {
        parameters.emplace_back("StreamError", std::string(failure));
    }
    fetch(*url, "POST", parameters, FetchPurpose::callback, event);
}

void CallFlow::on_stream_over(TimePoint now, StreamReport report, std::uint64_t ticks) {
    ticks_left_ -= std::min(ticks, ticks_left_);
    const StreamEnd how = report.end;
    note(now, "stream over: " + std::string(to_string(how)) +
                  (report.end_detail.empty() ? "" : " (" + report.end_detail + ")"));
    hung_up_ = hung_up_ || how == StreamEnd::caller;
    if (how == StreamEnd::not_opened) {
        post_stream_status(now, "stream-error", "Stream - Websocket - Handshake Error");
    } else if (how == StreamEnd::broken) {
        post_stream_status(now, "stream-error", "Stream - Websocket - Protocol Error");
    } else {
        post_stream_status(now, "stream-stopped", "");
    }
    report_.streams.push_back(std::move(report));
    status_ = hung_up_ ? "completed" : status_;
    if (!plan_.stream_target.empty()) {
        return finish(now);
    }
    if (has_action_) {
        return fetch_twiml(now, connect_action_, connect_method_, "action");
    }
    if (hung_up_) {
        return finish(now);
    }
    run_verbs(now);
}

// --- the end

void CallFlow::on_deadline(TimePoint now) {
    if (state_ == State::pausing && deadline_ && now >= *deadline_) {
        deadline_.reset();
        run_verbs(now);
    }
}

void CallFlow::hang_up(TimePoint now) {
    if (hung_up_ || state_ == State::reporting || state_ == State::done) {
        return;
    }
    hung_up_ = true;
    note(now, "the caller hangs up");
    if (state_ == State::streaming) {
        actions_.emplace_back(HangUpStream{});
    } else if (state_ == State::pausing) {
        deadline_.reset();
        finish(now);
    }
}

void CallFlow::finish(TimePoint now) {
    if (state_ == State::reporting || state_ == State::done) {
        return;
    }
    state_ = State::reporting;
    // A call that got no TwiML was never answered; Twilio reports it as failed.
    status_ = status_ == "ringing" ? "failed" : status_ == "in-progress" ? "completed" : status_;
    note(now, "call " + status_);
    if (!plan_.status_target.empty() && plan_.stream_target.empty() && report_.reached) {
        FormParameters parameters = voice_parameters();
        const auto seconds = std::chrono::ceil<std::chrono::seconds>(now - started_at_).count();
        parameters.emplace_back("CallDuration", std::to_string(seconds));
        parameters.emplace_back("Duration", std::to_string((seconds + 59) / 60));
        parameters.emplace_back("CallbackSource", "call-progress-events");
        parameters.emplace_back("SequenceNumber", "0");
        Url url = plan_.named;
        url.target = plan_.status_target;
        fetch(url, "POST", parameters, FetchPurpose::callback, "call_status");
    }
    settle();
}

void CallFlow::settle() {
    if (state_ == State::reporting && pending_.empty()) {
        state_ = State::done;
    }
}

}  // namespace agentlocator::call
