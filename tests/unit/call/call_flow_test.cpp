#include "supervisor/call/call_flow.hpp"

#include <doctest/doctest.h>

#include "supervisor/call/stream_verb.hpp"

using namespace agentlocator;
using namespace agentlocator::call;

namespace {

struct Phone {
    TimePoint now{};
    CallFlow flow;
    std::vector<Fetch> fetches;  // Not yet answered, in order.
    std::vector<OpenStream> streams;
    int hang_ups = 0;

    explicit Phone(CallPlan plan) : flow(std::move(plan)) {
        flow.start(now);
        take();
    }
    void take() {
        for (CallAction& action : flow.take_actions()) {
            if (auto* fetch = std::get_if<Fetch>(&action)) {
                fetches.push_back(*fetch);
            } else if (auto* stream = std::get_if<OpenStream>(&action)) {
                streams.push_back(*stream);
            } else {
                ++hang_ups;
            }
        }
    }
    // Answers the oldest request, whose target must be this.
    Fetch answer(std::string_view target, unsigned status, std::string body = "") {
        REQUIRE_FALSE(fetches.empty());
        Fetch fetch = fetches.front();
        fetches.erase(fetches.begin());
        CHECK(fetch.route.target == target);
        HttpAnswer reply;
        reply.status = status;
        reply.content_type = body.empty() ? "" : "text/xml";
        reply.body = std::move(body);
        reply.took = 2ms;
        flow.on_answer(now, fetch.id, reply);
        take();
        return fetch;
    }
    void open() {
        flow.on_stream_opened(now);
        take();
    }
    void over(StreamEnd end, std::uint64_t ticks = 10) {
        StreamReport report;
        report.end = end;
        flow.on_stream_over(now, report, ticks);
        take();
    }
    std::vector<Rule> rules() const {
        std::vector<Rule> list;
        for (const Violation& violation : flow.report().violations.list()) {
            list.push_back(violation.rule);
        }
        return list;
    }
};

CallPlan plan() {
    CallPlan made;
    made.dialled = made.named = Url{"http", "127.0.0.1:5000", "/"};
    made.from = "+972501234567";
    made.to = "+97233760000";
    made.stream.ids.account_sid = "AC1";
    made.stream.ids.call_sid = "CA1";
    made.stream.ticks = 100;
    return made;
}

std::string response(const std::string& verbs) {
    return "<Response>" + verbs + "</Response>";
}

const std::string stream =
    "<Stream url=\"wss://voice.example.com/ws/twilio-media\" "
    "statusCallback=\"https://voice.example.com/webhook/stream_status\">"
    "<Parameter name=\"token\" value=\"t1\"/></Stream>";
const std::string connect = "<Connect action=\"/webhook/stream_ended\">" + stream + "</Connect>";

bool has(const std::string& body, std::string_view field) {
    return ("&" + body + "&").find("&" + std::string(field) + "&") != std::string::npos;
}

}  // namespace

TEST_CASE("call: the whole of a good call, in order") {
    Phone phone(plan());
    const Fetch voice = phone.answer("/webhook/incoming_call", 200, response(connect));
    CHECK(voice.method == "POST");
    CHECK(voice.route.dial == "http://127.0.0.1:5000");
    CHECK(has(voice.body, "CallStatus=ringing"));
    CHECK(has(voice.body, "CallSid=CA1"));
    CHECK(has(voice.body, "From=%2B972501234567"));
    CHECK(has(voice.body, "FromCity="));
    CHECK(phone.flow.report().answered == 2ms);

    REQUIRE(phone.streams.size() == 1);
    const OpenStream& opened = phone.streams[0];
    CHECK(opened.route == Route{"http://127.0.0.1:5000", "voice.example.com", "/ws/twilio-media"});
    CHECK(opened.plan.parameters == FormParameters{{"token", "t1"}});
    CHECK(opened.plan.ids.stream_sid.starts_with("MZ"));
    CHECK(opened.plan.ids.stream_sid.size() == 34);
    CHECK(opened.plan.ids.call_sid == "CA1");
    CHECK(opened.plan.ticks == 100);
    CHECK(opened.plan.upgrade.signature.empty());

    phone.open();
    const Fetch started = phone.answer("/webhook/stream_status", 204);
    CHECK(started.route.host == "voice.example.com");
    CHECK(has(started.body, "StreamEvent=stream-started"));
    CHECK(has(started.body, "StreamSid=" + opened.plan.ids.stream_sid));
    CHECK(has(started.body, "Timestamp=1970-01-01T00%3A00%3A00.000000000Z"));
    CHECK_FALSE(phone.flow.done());

    phone.now += 2500ms;
    phone.over(StreamEnd::caller, 100);
    CHECK(has(phone.answer("/webhook/stream_status", 204).body, "StreamEvent=stream-stopped"));
    CHECK(has(phone.answer("/webhook/stream_ended", 200, response("<Say>nobody listens</Say>")).body,
              "CallStatus=completed"));
    const Fetch status = phone.answer("/webhook/call_status", 204);
    CHECK(has(status.body, "CallStatus=completed"));
    CHECK(has(status.body, "CallDuration=3"));
    CHECK(phone.flow.done());
    CHECK(phone.flow.report().violations.total() == 0);
    CHECK(phone.streams.size() == 1);
}

TEST_CASE("call: after the server ends a stream its action is obeyed, and may resume the call") {
    Phone phone(plan());
    phone.answer("/webhook/incoming_call", 200, response(connect + "<Say>unreachable</Say>"));
    phone.open();
    phone.answer("/webhook/stream_status", 204);
    phone.over(StreamEnd::lost, 40);
    phone.answer("/webhook/stream_status", 204);
    CHECK(has(phone.answer("/webhook/stream_ended", 200, response(connect)).body, "CallStatus=in-progress"));
    REQUIRE(phone.streams.size() == 2);
    CHECK(phone.streams[1].plan.ids.call_sid == "CA1");
    CHECK(phone.streams[1].plan.ids.stream_sid != phone.streams[0].plan.ids.stream_sid);
    CHECK(phone.streams[1].plan.ticks == 60);  // The caller has that much left to say.
    phone.over(StreamEnd::server, 60);
    phone.answer("/webhook/stream_status", 204);
    phone.answer("/webhook/stream_ended", 200, response(connect));  // Nothing left: he hangs up.
    CHECK(phone.streams.size() == 2);
    phone.answer("/webhook/call_status", 204);
    CHECK(phone.flow.done());
}

TEST_CASE("call: without an action the next verb runs") {
    Phone phone(plan());
    phone.answer("/webhook/incoming_call", 200,
                 response("<Connect>" + stream + "</Connect><Pause length=\"2\"/><Redirect>/again</Redirect>"));
    phone.over(StreamEnd::server);
    phone.answer("/webhook/stream_status", 204);
    CHECK(phone.flow.deadline() == phone.now + 2s);
    phone.now += 2s;
    phone.flow.on_deadline(phone.now);
    phone.take();
    phone.answer("/again", 200, response("<Hangup/><Say>unreachable</Say>"));
    phone.answer("/webhook/call_status", 204);
    CHECK(phone.flow.done());
    CHECK(phone.flow.report().violations.total() == 0);
}

TEST_CASE("call: a stream that does not open is reported and the action asked") {
    Phone phone(plan());
    phone.answer("/webhook/incoming_call", 200, response(connect));
    phone.over(StreamEnd::not_opened, 0);
    const Fetch failed = phone.answer("/webhook/stream_status", 204);
    CHECK(has(failed.body, "StreamEvent=stream-error"));
    CHECK(has(failed.body, "StreamError=Stream+-+Websocket+-+Handshake+Error"));
    phone.answer("/webhook/stream_ended", 200, response(""));
    phone.answer("/webhook/call_status", 204);
    CHECK(phone.flow.done());
}

TEST_CASE("call: 204 from the action is 12100, as it was in the original") {
    Phone phone(plan());
    phone.answer("/webhook/incoming_call", 200, response(connect));
    phone.over(StreamEnd::server);
    phone.answer("/webhook/stream_status", 204);
    phone.answer("/webhook/stream_ended", 204);
    CHECK(phone.rules() == std::vector<Rule>{Rule::parse_failure});
}

TEST_CASE("call: no TwiML, no call") {
    Phone phone(plan());
    phone.answer("/webhook/incoming_call", 500, "oops");
    const Fetch status = phone.answer("/webhook/call_status", 204);
    CHECK(has(status.body, "CallStatus=failed"));
    CHECK(phone.flow.done());
    CHECK(phone.rules() == std::vector<Rule>{Rule::http_status});
    CHECK_FALSE(phone.flow.report().answered);

    Phone refused(plan());
    refused.answer("/webhook/incoming_call", 403);
    CHECK(refused.flow.report().hint.find("TWILIO_AUTH_TOKEN") != std::string::npos);
    CallPlan made = plan();
    made.auth_token = "t";
    Phone forged(made);
    forged.answer("/webhook/incoming_call", 403);
    CHECK(forged.flow.report().hint.empty());

    Phone unreachable(plan());
    unreachable.answer("/webhook/incoming_call", 0);
    CHECK(unreachable.flow.done());  // No use in posting a status to nobody.
    CHECK_FALSE(unreachable.flow.report().reached);
}

TEST_CASE("call: stream attributes are held against Twilio's rules") {
    const auto rules = [](const std::string& attributes, const std::string& inside = "") {
        Phone phone(plan());
        phone.answer("/webhook/incoming_call", 200,
                     response("<Connect><Stream " + attributes + ">" + inside + "</Stream></Connect>"));
        return phone.rules();
    };
    using Rules = std::vector<Rule>;
    CHECK(rules("url=\"wss://h/p\"").empty());
    CHECK(rules("url=\"https://h/p\"") == Rules{Rule::stream_scheme});
    CHECK(rules("url=\"ws://127.0.0.1:5000/p\"") == Rules{Rule::stream_scheme});
    CHECK(rules("url=\"wss://\"") == Rules{Rule::stream_url});
    CHECK(rules("url=\"wss://h/p?token=x\"") == Rules{Rule::stream_url});
    CHECK(rules("url=\"wss://h//p\"") == Rules{Rule::ours});
    CHECK(rules("url=\"wss://h/p\" track=\"both_tracks\"") == Rules{Rule::wrong_track});
    CHECK(rules("url=\"wss://h/p\" track=\"inbound_track\"").empty());
    CHECK(rules("url=\"wss://h/p\" statusCallback=\"/s\"") == Rules{Rule::url_format});
    CHECK(rules("url=\"wss://h/p\" statusCallback=\"https://h//s\"") == Rules{Rule::ours});
    CHECK(rules("url=\"wss://h/p\"", "<Param name=\"a\" value=\"b\"/>") == Rules{Rule::schema});
    const auto parameter = [](std::size_t size) {
        return "<Parameter name=\"n\" value=\"" + std::string(size - 1, 'v') + "\"/>";
    };
    CHECK(rules("url=\"wss://h/p\"", parameter(parameter_chars_max - 1)).empty());
    CHECK(rules("url=\"wss://h/p\"", parameter(parameter_chars_max)) == Rules{Rule::schema});
}

TEST_CASE("call: a query on the stream URL is dropped, as Twilio drops it") {
    Phone phone(plan());
    phone.answer("/webhook/incoming_call", 200, response("<Connect><Stream url=\"wss://h/p?x=1\"/></Connect>"));
    CHECK(phone.streams.at(0).plan.upgrade.target == "/p");
}

TEST_CASE("call: a server that redirects or resumes for ever is left") {
    Phone phone(plan());
    phone.answer("/webhook/incoming_call", 200, response("<Redirect>/r</Redirect>"));
    for (int i = 0; i < redirects_max; ++i) {
        phone.answer("/r", 200, response("<Redirect>/r</Redirect>"));
    }
    phone.answer("/webhook/call_status", 204);
    CHECK(phone.flow.done());
    CHECK(phone.rules() == std::vector<Rule>{Rule::too_many_redirects});

    CallPlan endless = plan();
    endless.stream.ticks = 0;
    Phone resumed(endless);
    resumed.answer("/webhook/incoming_call", 200, response(connect));
    int documents = 1;
    while (resumed.rules().empty()) {
        resumed.over(StreamEnd::server, 0);
        resumed.answer("/webhook/stream_status", 204);
        if (resumed.rules().empty()) {
            resumed.answer("/webhook/stream_ended", 200, response(connect));
            ++documents;
        }
    }
    CHECK(documents == documents_max);
}

TEST_CASE("call: requests and the upgrade are signed over the public address, and dialled at ours") {
    CallPlan made = plan();
    made.named = Url{"https", "voice.example.com", "/"};
    made.tunnelled = true;
    made.auth_token = "12345";
    Phone phone(made);
    const Fetch voice = phone.answer("/webhook/incoming_call", 200, response(connect));
    CHECK(voice.route == Route{"http://127.0.0.1:5000", "voice.example.com", "/webhook/incoming_call"});
    const FormParameters parameters{
        {"AccountSid", "AC1"},      {"ApiVersion", "2010-04-01"}, {"CallSid", "CA1"},       {"CallStatus", "ringing"},
        {"Called", "+97233760000"}, {"Caller", "+972501234567"},  {"Direction", "inbound"}, {"From", "+972501234567"},
        {"FromCity", ""},           {"FromCountry", "IL"},        {"To", "+97233760000"},   {"ToCity", ""},
        {"ToCountry", "IL"}};
    const auto carries = [](const Fetch& fetch, const std::string& header) {
        return std::find(fetch.headers.begin(), fetch.headers.end(), header) != fetch.headers.end();
    };
    CHECK(carries(voice, "X-Twilio-Signature: " +
                             twilio_signature("12345", "https://voice.example.com/webhook/incoming_call", parameters)));
    CHECK(carries(voice, "X-Forwarded-Proto: https"));
    CHECK(carries(voice, "Host: voice.example.com"));
    CHECK(carries(voice, "User-Agent: TwilioProxy/1.1"));
    CHECK(phone.streams.at(0).plan.upgrade.signature ==
          twilio_signature("12345", "wss://voice.example.com/ws/twilio-media", {}));

    CHECK(made.stream.faults.add("slash-signature").has_value());
    Phone slashed(made);
    slashed.answer("/webhook/incoming_call", 200, response(connect));
    CHECK(slashed.streams.at(0).plan.upgrade.signature ==
          twilio_signature("12345", "wss://voice.example.com/ws/twilio-media/", {}));
}

TEST_CASE("call: GET puts the parameters into the query and signs the URL alone") {
    CallPlan made = plan();
    made.auth_token = "12345";
    Phone phone(made);
    phone.answer("/webhook/incoming_call", 200, response("<Redirect method=\"GET\">/next?x=1</Redirect>"));
    REQUIRE(phone.fetches.size() == 1);
    const Fetch& next = phone.fetches[0];
    CHECK(next.method == "GET");
    CHECK(next.body.empty());
    CHECK(next.route.target.starts_with("/next?x=1&AccountSid=AC1&"));
    const std::string signature = twilio_signature("12345", "http://127.0.0.1:5000" + next.route.target, {});
    CHECK(std::find(next.headers.begin(), next.headers.end(), "X-Twilio-Signature: " + signature) !=
          next.headers.end());
}

TEST_CASE("call: the caller hangs up: the stream is told, a pause ends, an answer under way is not obeyed") {
    Phone streaming(plan());
    streaming.answer("/webhook/incoming_call", 200, response(connect));
    streaming.flow.hang_up(streaming.now);
    streaming.take();
    CHECK(streaming.hang_ups == 1);

    Phone pausing(plan());
    pausing.answer("/webhook/incoming_call", 200, response("<Pause length=\"60\"/>" + connect));
    pausing.flow.hang_up(pausing.now);
    pausing.take();
    CHECK_FALSE(pausing.flow.deadline());
    pausing.answer("/webhook/call_status", 204);
    CHECK(pausing.flow.done());

    Phone asking(plan());
    asking.flow.hang_up(asking.now);
    asking.answer("/webhook/incoming_call", 200, response(connect));
    CHECK(asking.streams.empty());
}

TEST_CASE("call: stream only asks for no TwiML and posts nothing") {
    CallPlan made = plan();
    made.stream_target = "/ws/twilio-media";
    Phone phone(made);
    CHECK(phone.fetches.empty());
    CHECK(phone.streams.at(0).route.target == "/ws/twilio-media");
    phone.open();
    phone.over(StreamEnd::caller);
    CHECK(phone.fetches.empty());
    CHECK(phone.flow.done());
}
