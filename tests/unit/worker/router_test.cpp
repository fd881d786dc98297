#include "worker/router.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/unit/worker/web_fixture.hpp"
#include "worker/http_reply.hpp"
#include "worker/stream_token.hpp"
#include "worker/twiml.hpp"

using namespace agentlocator;

namespace {

const std::string auth_token = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const std::string call_form = "CallSid=CA_TEST&From=%2B972501234567&To=%2B97233760000";

std::string parameter(std::string_view xml, const std::string& name) {
    const std::string front = "<Parameter name=\"" + name + "\" value=\"";
    const auto at = xml.find(front);
    if (at == std::string_view::npos) {
        return {};
    }
    const auto begin = at + front.size();
    return std::string(xml.substr(begin, xml.find('"', begin) - begin));
}

std::string only_line(const RouteResult& result) {
    REQUIRE(result.log.size() == 1);
    return result.log[0];
}

void check_is_empty_document(const RouteResult& result) {
    const HttpResponse& response = response_of(result);
    CHECK(response.status == 200);
    CHECK(response.header("Content-Type") == "text/xml");
    CHECK(response.body == empty_document());
}

}  // namespace

TEST_CASE("router: incoming_call answers with TwiML under all its names and both methods") {
    const WebFixture web;
    for (const char* path : {"/webhook/incoming_call", "/webhook/voice", "/webhook/incoming-call", "/incoming_call",
                             "//webhook/incoming_call", "/webhook//incoming_call//", "/webhook/incoming_call/"}) {
        CAPTURE(path);
        const RouteResult result = route(WebFixture::post(path, call_form), web.context);
        const HttpResponse& response = response_of(result);
        CHECK(response.status == 200);
        CHECK(response.header("Content-Type") == "text/xml");
        CHECK(response.header("Cache-Control") == "no-store");
        CHECK(response.header("X-Content-Type-Options") == "nosniff");
        CHECK(contains(response.body, "<Stream url=\"wss://voice.example.com/ws/twilio-media\""));
        CHECK(parameter(response.body, "call_sid") == "CA_TEST");
        CHECK(parameter(response.body, "CallSid") == "CA_TEST");
        CHECK(parameter(response.body, "from") == "+972501234567");
        CHECK(response.body ==
              response_of(route(WebFixture::get(std::string(path) + "?" + call_form), web.context)).body);
        CHECK(only_line(result) == "event=call_answered call=CA_TEST base=https://voice.example.com");
    }
}

TEST_CASE("router: the token in the document opens exactly this call's stream") {
    WebFixture web;
    web.sign_with(auth_token);
    const RouteResult result = route(web.signed_post("/webhook/incoming_call", call_form), web.context);
    const std::string token = parameter(response_of(result).body, "token");
    const auto verdict = [&](std::string_view call) {
        return check_stream_token(web.settings, web.context.instance, token, call, web.context.now + 5);
    };
    CHECK(verdict("CA_TEST") == TokenVerdict::ok);
    CHECK(verdict("CA_OTHER") == TokenVerdict::forged);
    CHECK_FALSE(contains(result.log[0], token));
}

TEST_CASE("router: the preview needs no signature and gives no token away") {
    WebFixture web;
    web.sign_with(auth_token);
    const RouteResult result = route(WebFixture::get("/webhook/incoming_call_preview"), web.context);
    CHECK(status_of(result) == 200);
    CHECK(parameter(response_of(result).body, "call_sid") == "CA_PREVIEW_1790000000");
    CHECK(parameter(response_of(result).body, "token").empty());
    CHECK(status_of(route(WebFixture::post("/webhook/incoming_call_preview"), web.context)) == 405);
}

TEST_CASE("router: at the limit the caller hears an apology, one below he is connected") {
    WebFixture web;
    const auto answered = [&](std::uint32_t live, std::uint32_t wanted, std::uint32_t capacity) {
        web.context.live_calls = live;
        web.settings.max_concurrent_calls = wanted;
        web.context.call_capacity = capacity;
        const RouteResult result = route(WebFixture::post("/webhook/incoming_call", call_form), web.context);
        CHECK(status_of(result) == 200);
        const bool connected = contains(response_of(result).body, "<Connect");
        CHECK(connected != contains(response_of(result).body, "<Say"));
        CHECK(result.refused != connected);
        return connected;
    };
    CHECK(answered(49, 50, 4096));
    CHECK_FALSE(answered(50, 50, 4096));
    CHECK(answered(9, 50, 10));
    CHECK_FALSE(answered(10, 50, 10));
    CHECK_FALSE(answered(10, 0, 10));
    CHECK(answered(1000, 0, 0));  // A limit nobody could tell lets the call in.
    web.context.live_calls = 50;
    web.settings.max_concurrent_calls = 50;
    CHECK(contains(only_line(route(WebFixture::post("/webhook/incoming_call", call_form), web.context)),
                   "reason=rejected_capacity"));
}

TEST_CASE("router: with a token set, unsigned and forged webhooks get 403 and one line with URL and remedy") {
    WebFixture web;
    web.sign_with(auth_token);
    for (const char* path :
         {"/webhook/incoming_call", "/webhook/voice", "/webhook/call_status", "/webhook/handle_recording"}) {
        CAPTURE(path);
        const RouteResult bare = route(WebFixture::post(path, call_form), web.context);
        CHECK(status_of(bare) == 403);
        CHECK(bare.refused);
        CHECK_FALSE(contains(response_of(bare).body, "<Response"));
        CHECK(contains(only_line(bare), "reason=signature_missing"));
        CHECK(contains(only_line(bare), "https://voice.example.com" + std::string(path)));
        CHECK(contains(only_line(bare), "remedy="));

        HttpRequest forged = web.signed_post(path, call_form);
        forged.body += "&Extra=1";
        const RouteResult result = route(forged, web.context);
        CHECK(status_of(result) == 403);
        CHECK(contains(only_line(result), "reason=signature_mismatch"));
        CHECK_FALSE(contains(only_line(result), auth_token));
        CHECK_FALSE(contains(only_line(result), *forged.header("X-Twilio-Signature")));
        CHECK_FALSE(contains(only_line(result), "972501234567"));

        CHECK(status_of(route(web.signed_post(path, call_form), web.context)) < 300);
    }
    // The query of a GET holds phone numbers: it stays out of the line.
    const RouteResult get = route(WebFixture::get("/webhook/voice?From=%2B972501234567"), web.context);
    CHECK(status_of(get) == 403);
    CHECK_FALSE(contains(only_line(get), "972501234567"));
    web.settings.validate_twilio_signature = false;
    CHECK(status_of(route(WebFixture::post("/webhook/incoming_call", call_form), web.context)) == 200);
}

TEST_CASE("router: a signature over the raw target counts, slashes and all") {
    WebFixture web;
    web.sign_with(auth_token);
    CHECK(status_of(route(web.signed_post("//webhook/incoming_call/?a=%20", call_form), web.context)) == 200);
}

TEST_CASE("router: a genuine request of another account is refused by name of the setting") {
    WebFixture web;
    web.sign_with(auth_token);
    web.settings.twilio_account_sid = "AC1";
    CHECK(status_of(route(web.signed_post("/webhook/voice", "CallSid=CA1&AccountSid=AC1"), web.context)) == 200);
    CHECK(status_of(route(web.signed_post("/webhook/voice", "CallSid=CA1"), web.context)) == 200);
    const RouteResult other = route(web.signed_post("/webhook/voice", "CallSid=CA1&AccountSid=AC2"), web.context);
    CHECK(status_of(other) == 403);
    CHECK(contains(only_line(other), "TWILIO_ACCOUNT_SID"));
}

TEST_CASE("router: stream_status is 204 whatever comes, and never signed") {
    WebFixture web;
    web.sign_with(auth_token);
    std::string too_many;
    for (std::size_t i = 0; i <= form_fields_max; ++i) {
        too_many += "a=1&";
    }
    HttpRequest json = WebFixture::post("/webhook/stream_status", "{\"broken");
    json.headers.back().value = "application/json";
    for (const HttpRequest& request :
         {WebFixture::post("/webhook/stream_status"), WebFixture::post("/webhook/stream_status", "%%%=\xff&&&"), json,
          WebFixture::post("/webhook/stream_status", too_many), WebFixture::get("/webhook/stream_status"),
          WebFixture::post("/webhook/stream_status", std::string(200'000, 'x'))}) {
        const RouteResult result = route(request, web.context);
        CHECK(status_of(result) == 204);
        CHECK(response_of(result).body.empty());
        CHECK(only_line(result) == "STREAM_STATUS call=- stream=- event=-");
    }
}

TEST_CASE("router: STREAM_STATUS and STREAM_ENDED keep their historical text") {
    const WebFixture web;
    const auto line = [&](const char* path, const char* body) {
        return only_line(route(WebFixture::post(path, body), web.context));
    };
    CHECK(line("/webhook/stream_status", "CallSid=CA1&StreamSid=MZ1&Status=connected") ==
          "STREAM_STATUS call=CA1 stream=MZ1 event=connected");
    CHECK(line("/webhook/stream_status", "CallSid=CA1&StreamSid=MZ1&StreamEvent=stream-started&Status=x") ==
          "STREAM_STATUS call=CA1 stream=MZ1 event=stream-started");
    CHECK(line("/webhook/stream_ended", "CallSid=CA1&StreamSid=MZ1&Status=disconnected") ==
          "STREAM_ENDED call=CA1 stream=MZ1 status=disconnected");
    CHECK(line("/webhook/stream_ended", "CallSid=CA1%0aevent=forged") ==
          "STREAM_ENDED call=\"CA1\\nevent=forged\" stream=- status=-");
    const RouteResult failed =
        route(WebFixture::post("/webhook/stream_status",
                               "CallSid=CA1&StreamSid=MZ1&StreamEvent=stream-error&StreamError=Protocol+Error"),
              web.context);
    REQUIRE(failed.log.size() == 2);
    CHECK(contains(failed.log[1], "event=stream_failed call=CA1 reason=\"Protocol Error\""));
}

TEST_CASE("router: stream_ended is 200 text/xml with an empty document, with and without body") {
    WebFixture web;
    web.sign_with(auth_token);
    for (const HttpRequest& request :
         {WebFixture::post("/webhook/stream_ended"), WebFixture::post("/webhook/stream_ended", "CallSid=CA1"),
          WebFixture::get("/webhook/stream_ended"), WebFixture::post("/webhook/stream_ended/", "\xff%%=")}) {
        const RouteResult result = route(request, web.context);
        check_is_empty_document(result);
        CHECK(response_of(result).header("Cache-Control") == "no-store");
    }
}

TEST_CASE("router: a handler that fails still answers in the required form") {
    const WebFixture web;
    const HttpRequest request = WebFixture::post("/webhook/stream_ended");
    const FormFields none;
    const WebRequest inner{request, web.context, none};
    const Handler failing = [](const WebRequest&) -> RouteResult { throw std::runtime_error("disk on fire"); };
    const RouteResult ended = run_guarded(
        failing, [] { return xml_reply(empty_document()); }, inner);
    check_is_empty_document(ended);
    CHECK(contains(only_line(ended), "event=handler_failed"));
    CHECK(contains(only_line(ended), "disk on fire"));
    CHECK(status_of(run_guarded(failing, no_content, inner)) == 204);
    const RouteResult other = run_guarded(failing, nullptr, inner);
    CHECK(status_of(other) == 500);
    CHECK_FALSE(contains(response_of(other).body, "fire"));
}

TEST_CASE("router: a failure in the worker's own data is a 500 with a line") {
    WebFixture web;
    web.context.metrics = []() -> std::vector<WorkerMetrics> { throw std::runtime_error("gone"); };
    const RouteResult result = route(WebFixture::get("/metrics"), web.context);
    CHECK(status_of(result) == 500);
    CHECK(contains(only_line(result), "event=handler_failed path=/metrics reason=gone"));
}

TEST_CASE("router: call_status and handle_recording") {
    const WebFixture web;
    const RouteResult status =
        route(WebFixture::post("/webhook/call_status", "CallSid=CA1&CallStatus=completed"), web.context);
    CHECK(status_of(status) == 204);
    CHECK(response_of(status).header("Cache-Control") == "no-store, no-cache, must-revalidate, max-age=0");
    CHECK(response_of(status).header("Pragma") == "no-cache");
    CHECK(only_line(status) == "event=call_status_received call=CA1 status=completed");
    check_is_empty_document(
        route(WebFixture::post("/webhook/handle_recording", "CallSid=CA1&RecordingDuration=7"), web.context));
    CHECK(status_of(route(WebFixture::post("/webhook/handle_recording", "CallSid=CA1&RecordingStatus=completed"),
                          web.context)) == 204);
}

TEST_CASE("router: a form over its limit is refused where it matters") {
    const WebFixture web;
    std::string many = "CallSid=CA1";
    for (std::size_t i = 1; i < form_fields_max; ++i) {
        many += "&a=1";
    }
    CHECK(status_of(route(WebFixture::post("/webhook/voice", many), web.context)) == 200);
    const RouteResult result = route(WebFixture::post("/webhook/voice", many + "&a=1"), web.context);
    CHECK(status_of(result) == 413);
    CHECK(result.refused);
    CHECK(contains(only_line(result), "form of more than 512 fields"));
}

TEST_CASE("router: without a valid host and without a setting, the line says what to set") {
    WebFixture web;
    web.settings.public_base_url.clear();
    HttpRequest request = WebFixture::post("/webhook/voice", call_form);
    request.headers[0].value = "a b";
    const RouteResult result = route(request, web.context);
    CHECK(status_of(result) == 400);
    CHECK(contains(only_line(result), "PUBLIC_BASE_URL"));
}

TEST_CASE("router: health, readiness and version") {
    WebFixture web;
    CHECK(response_of(route(WebFixture::get("/healthz"), web.context)).body == "ok\n");
    CHECK(status_of(route(WebFixture::get("/"), web.context)) == 200);
    CHECK(response_of(route(WebFixture::get("/webhook/test"), web.context)).body == "TEST OK\n");

    const auto ready = nlohmann::json::parse(response_of(route(WebFixture::get("/readyz"), web.context)).body);
    CHECK(ready["status"] == "ready");
    CHECK(ready["mode"] == "AI");
    CHECK(ready["twilio_secrets"] == "missing");
    for (const char* key : {"db", "openai", "tts"}) {
        CHECK(ready.contains(key));
    }
    web.context.mode = WsMode::echo;
    web.sign_with(auth_token);
    web.context.problems = [] { return std::vector<ReadyProblem>{{"slot_held", "slot 2 crashed 5 times \xff"}}; };
    const RouteResult result = route(WebFixture::get("/readyz"), web.context);
    CHECK(status_of(result) == 503);
    const auto degraded = nlohmann::json::parse(response_of(result).body);
    CHECK(degraded["status"] == "degraded");
    CHECK(degraded["mode"] == "ECHO");
    CHECK(degraded["twilio_secrets"] == "ok");
    CHECK(degraded["problems"][0]["code"] == "slot_held");

    const RouteResult named = route(WebFixture::get("/version"), web.context);
    CHECK(response_of(named).header("Content-Type") == "application/json");
    const auto version = nlohmann::json::parse(response_of(named).body);
    CHECK(version["app"] == "agentlocator");
    CHECK(version["instance"] == "0123456789abcdef0123456789abcdef");
    CHECK(version["commit"] == "c0ffee");
    CHECK(version["build_time"] == "dev");
    CHECK(version["deploy_id"] == "dev");
    CHECK(version["ts"] == 1'790'000'000);
}

TEST_CASE("router: unknown paths are 404, known ones with another method 405 with Allow") {
    const WebFixture web;
    for (const char* path : {"/nothing", "/webhook", "/webhook/incoming_call/x", "/WEBHOOK/incoming_call",
                             "/webhook/%69ncoming_call", "*", "/ws", "/ws/twilio-media/x"}) {
        CAPTURE(path);
        CHECK(status_of(route(WebFixture::get(path), web.context)) == 404);
    }
    CHECK(route(WebFixture::get("/wp-login.php"), web.context).log.empty());
    CHECK(contains(only_line(route(WebFixture::get("/webhook/incomming"), web.context)), "/webhook/incoming_call"));
    HttpRequest request = WebFixture::post("/webhook/incoming_call");
    request.method = "DELETE";
    const RouteResult refused = route(request, web.context);
    CHECK(status_of(refused) == 405);
    CHECK(response_of(refused).header("Allow") == "GET, HEAD, POST");
    CHECK(response_of(route(WebFixture::post("/healthz"), web.context)).header("Allow") == "GET, HEAD");
    request = WebFixture::get("/healthz");
    request.method = "HEAD";
    CHECK(status_of(route(request, web.context)) == 200);
}

TEST_CASE("router: no answer is a redirect, every answer forbids caching") {
    const WebFixture web;
    for (const char* path : {"/", "/healthz/", "//", "/webhook/voice/", "/nothing", "/ws/twilio-media/", "/metrics"}) {
        CAPTURE(path);
        const RouteResult result = route(WebFixture::get(path), web.context);
        CHECK(status_of(result) / 100 != 3);
        CHECK(contains(response_of(result).header("Cache-Control").value_or(""), "no-store"));
    }
}

TEST_CASE("router: paths are matched on a normalised copy") {
    CHECK(normal_path("//webhook///x/?q=/", "") == "/webhook/x");
    CHECK(normal_path("/", "") == "/");
    CHECK(normal_path("", "") == "/");
    CHECK(normal_path("///", "") == "/");
    CHECK(normal_path("http://a//b/", "") == "/b");
    CHECK(normal_path("/app/webhook", "/app") == "/webhook");
    CHECK(normal_path("/app", "/app") == "/");
    CHECK(normal_path("/apple", "/app") == "/apple");
    CHECK(normal_path("/webhook", "/app") == "/webhook");
}

TEST_CASE("router: mounted below a path, with a proxy that leaves it in place or takes it off") {
    WebFixture web;
    web.settings.public_base_url = "https://voice.example.com/app";
    for (const char* path : {"/app/webhook/voice", "/webhook/voice"}) {
        const RouteResult result = route(WebFixture::post(path, call_form), web.context);
        CHECK(contains(response_of(result).body, "https://voice.example.com/app/webhook/stream_ended"));
    }
    CHECK(status_of(route(WebFixture::upgrade({}, "/app/ws/twilio-media"), web.context)) == 101);
}

TEST_CASE("router: bytes that are no request are answered and the connection ends") {
    const HttpResponse response = parse_failure(431);
    CHECK(response.status == 431);
    CHECK(response.close);
    CHECK(response.body == "Request Header Fields Too Large\n");
}

TEST_CASE("router: stream_ended connects a call again that broke off while somebody holds the line") {
    WebFixture web;
    web.sign_with("0f1e2d3c4b5a69788796a5b4c3d2e1f0");
    std::optional<LastStream> last;
    web.context.last_stream = [&](std::string_view call) { return call == "CA1" ? last : std::nullopt; };
    const std::string in_progress = "CallSid=CA1&CallStatus=in-progress&From=%2B972501234567&To=%2B97237600000";
    const auto ask = [&](const std::string& body, bool sign = true) {
        const auto result = route(
            sign ? web.signed_post("/webhook/stream_ended", body) : WebFixture::post("/webhook/stream_ended", body),
            web.context);
        CHECK(status_of(result) == 200);
        return std::pair(response_of(result).body, result.log);
    };
    const auto is_empty = [](const std::string& body) { return contains(body, "<Response/>"); };

    CHECK(is_empty(ask(in_progress).first));  // Not a call of ours. The store is asked, for Twilio and for nobody else.
    CHECK(route(web.signed_post("/webhook/stream_ended", in_progress), web.context).ask_store);
    CHECK_FALSE(route(WebFixture::post("/webhook/stream_ended", in_progress), web.context).ask_store);
    CHECK_FALSE(
        route(web.signed_post("/webhook/stream_ended", "CallSid=CA1&CallStatus=completed"), web.context).ask_store);
    for (const StreamFate fate : {StreamFate::lost, StreamFate::open}) {  // open: half-open, Twilio noticed first.
        for (std::uint32_t resumes = 0; resumes <= resumes_max; ++resumes) {
            last = LastStream{fate, resumes};
            const auto answer = ask(in_progress);
            const auto& body = answer.first;
            const auto& log = answer.second;
            CAPTURE(body);
            if (resumes == resumes_max) {
                CHECK(is_empty(body));
                CHECK(contains(log.back(), "event=resume_refused call=CA1 reason=limit"));
                continue;
            }
            const auto at = body.find(R"(name="resume" value=")");
            REQUIRE(at != std::string::npos);
            const std::string token = body.substr(at + 21, body.find('"', at + 21) - at - 21);
            CHECK(check_resume_token(web.settings, web.context.instance, token, "CA1", web.context.now) == resumes + 1);
            CHECK(contains(body, R"(<Connect action="https://voice.example.com/webhook/stream_ended")"));
            CHECK(contains(body, R"(name="from" value="+972501234567")"));
            CHECK(contains(log.back(), "event=call_reconnected call=CA1 resume=" + std::to_string(resumes + 1)));
        }
    }
    last = LastStream{StreamFate::lost, 0};
    for (const char* status : {"completed", "busy", "failed", "no-answer", "canceled", "ringing", ""}) {
        CHECK(is_empty(ask("CallSid=CA1&CallStatus=" + std::string(status)).first));
    }
    CHECK(is_empty(ask("CallSid=CA1").first));
    CHECK(is_empty(ask("CallStatus=in-progress").first));
    const auto [forged, log] = ask(in_progress, false);  // A token for whoever knows a call sid would be a way in.
    CHECK(is_empty(forged));
    CHECK(contains(log.back(), "event=resume_refused call=CA1 reason=signature"));
    last = LastStream{StreamFate::finished, 0};
    CHECK(is_empty(ask(in_progress).first));
    CHECK_FALSE(route(web.signed_post("/webhook/stream_ended", in_progress), web.context).ask_store);
}
