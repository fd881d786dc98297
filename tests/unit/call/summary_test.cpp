#include "supervisor/call/summary.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "supervisor/call/load_summary.hpp"
#include "supervisor/call/options.hpp"

using namespace agentlocator;
using namespace agentlocator::call;

namespace {

std::vector<std::uint8_t> noise(std::uint64_t seed, int frames) {
    CallerAudioPlan plan;
    plan.seed = seed;
    CallerAudio audio(plan);
    std::vector<std::uint8_t> out;
    Frame frame{};
    for (int i = 0; i < frames; ++i) {
        audio.next(frame);
        out.insert(out.end(), frame.begin(), frame.end());
    }
    return out;
}

CallReport call_with(std::vector<std::uint8_t> heard, std::uint64_t media) {
    CallReport report;
    report.answered = 2ms;
    StreamReport stream;
    stream.end = StreamEnd::caller;
    stream.frames_sent = 100;
    stream.media_received = media;
    stream.sent = noise(1, 100);
    stream.heard = std::move(heard);
    report.streams.push_back(std::move(stream));
    return report;
}

bool healthy(Expectation expectation, CallReport report) {
    return summarize("CA1", std::move(report), {expectation, true, false, {}}).healthy();
}

std::variant<CallOptions, OptionsExit> parse(std::vector<std::string> arguments) {
    return parse_options(arguments, {"from env", ""});
}

CallOptions good(std::vector<std::string> arguments) {
    auto parsed = parse(std::move(arguments));
    if (const auto* over = std::get_if<OptionsExit>(&parsed)) {
        FAIL(over->text);
    }
    return std::get<CallOptions>(parsed);
}

int code_of(std::vector<std::string> arguments) {
    const auto parsed = parse(std::move(arguments));
    const auto* over = std::get_if<OptionsExit>(&parsed);
    return over != nullptr ? over->code : -1;
}

}  // namespace

TEST_CASE("summary: what each expectation accepts") {
    const auto silence = std::vector<std::uint8_t>(16'000, mulaw_silence);
    CHECK(healthy(Expectation::echo, call_with(noise(1, 100), 100)));
    CHECK_FALSE(healthy(Expectation::echo, call_with(noise(2, 100), 100)));
    CHECK_FALSE(healthy(Expectation::echo, call_with(silence, 0)));
    CHECK(healthy(Expectation::silence, call_with(silence, 0)));
    CHECK_FALSE(healthy(Expectation::silence, call_with(silence, 1)));
    CHECK(healthy(Expectation::speech, call_with(noise(2, 100), 100)));
    CHECK_FALSE(healthy(Expectation::speech, call_with(noise(1, 100), 100)));
    CHECK_FALSE(healthy(Expectation::speech, call_with(silence, 100)));
    CHECK(healthy(Expectation::any, call_with(silence, 0)));
}

TEST_CASE("summary: a violation, a lost stream or none at all is not healthy") {
    CallReport warned = call_with({}, 0);
    warned.streams[0].violations.add(Rule::invalid_message, "x");
    CHECK_FALSE(healthy(Expectation::any, warned));
    CallReport http = call_with({}, 0);
    http.violations.add(Rule::content_type, "x");
    CHECK_FALSE(healthy(Expectation::any, http));
    for (const StreamEnd end : {StreamEnd::lost, StreamEnd::broken, StreamEnd::not_opened}) {
        CallReport bad = call_with({}, 0);
        bad.streams[0].end = end;
        CHECK_FALSE(healthy(Expectation::any, bad));
    }
    CHECK_FALSE(healthy(Expectation::any, CallReport{}));
    CHECK(summarize("CA1", {}, {Expectation::any, false, false, {}}).healthy());
}

TEST_CASE("summary: numbered frames are judged in ECHO") {
    CallReport report = call_with({}, 100);
    report.streams[0].ledger = {100, 100, 0, 0, 0};
    const SummaryPlan plan{Expectation::echo, true, true, {}};
    CHECK(summarize("CA1", report, plan).healthy());
    report.streams[0].ledger.answered = 99;
    const Summary summary = summarize("CA1", report, plan);
    REQUIRE(summary.reasons.size() == 1);
    CHECK(summary.reasons[0] == "frames lost 1, repeated 0, reordered 0, corrupt 0");
}

TEST_CASE("summary: a caller who hears nothing for longer than is allowed is stuck") {
    CallReport report = call_with({}, 100);
    report.streams[0].pacing.silence_max = 20s;
    const auto judged = [&](Duration silence_max) {
        return summarize("CA1", report, {Expectation::any, true, false, {}, silence_max});
    };
    CHECK(judged(0s).healthy());
    CHECK(judged(20s).healthy());
    const Summary stuck = judged(20s - 1ms);
    CHECK(stuck.stuck);
    REQUIRE(stuck.reasons.size() == 1);
    CHECK(stuck.reasons[0] == "the caller heard nothing for 20.0 s");
    LoadSummary load;
    load.add(stuck);
    load.add(judged(20s));
    CHECK(to_json(load)["calls_stuck"] == 1);
}

TEST_CASE("summary: the mode of a server decides what is expected") {
    CHECK(expectation_of(R"({"mode":"ECHO"})") == Expectation::echo);
    CHECK(expectation_of(R"({"mode":"sink"})") == Expectation::silence);
    CHECK(expectation_of(R"({"ws_mode":"AI"})") == Expectation::speech);
    CHECK(expectation_of(R"({"mode":"FOO"})") == Expectation::any);
    CHECK(expectation_of(R"({"mode":7})") == Expectation::any);
    CHECK(expectation_of("<html>") == Expectation::any);
}

TEST_CASE("summary: text and JSON tell the same") {
    CallReport report = call_with(noise(1, 100), 100);
    report.violations.add(Rule::content_type, "no Content-Type", "<x>");
    const Summary summary = summarize("CA1", report, {Expectation::speech, true, false, {}});
    const auto json = to_json(summary);
    CHECK(json["healthy"] == false);
    CHECK(json["answered_ms"] == 2.0);
    CHECK(json["stream_open_ms"].is_null());
    CHECK(json["echo"]["correlation"].get<double>() > 0.99);
    CHECK(json["violations"][0]["code"] == 12300);
    CHECK(json["reasons"].size() == 2);
    const std::string text = to_text(summary);
    CHECK(text.find("call CA1: NOT HEALTHY") != std::string::npos);
    CHECK(text.find("! the caller hears himself") != std::string::npos);
    CHECK(text.find("12300  no Content-Type\n         <x>") != std::string::npos);
}

TEST_CASE("load: calls add up, the first failure is kept") {
    LoadSummary load;
    load.asked = 3;
    load.add(summarize("CA1", call_with({}, 10), {}));
    CHECK_FALSE(load.is_healthy());
    CallReport lost = call_with({}, 0);
    lost.streams[0].end = StreamEnd::lost;
    load.add(summarize("CA2", lost, {}));
    load.add(summarize("CA3", {}, {}));
    CHECK(load.ended == 3);
    CHECK(load.healthy == 1);
    CHECK(load.lost == 2);
    CHECK(load.frames_sent == 200);
    CHECK(load.answered.count() == 2);
    CHECK(load.first_reason == "a stream ended badly: lost ()");
    CHECK(to_json(load)["calls_lost"] == 2);
    CHECK(to_text(load).find("3 of 3 calls, 1 healthy, 2 lost, 0 stuck") != std::string::npos);
}

TEST_CASE("options: defaults, and where the token comes from") {
    const CallOptions plain = good({});
    CHECK(plain.url.text() == "http://127.0.0.1:5000/");
    CHECK(std::get<CallOptions>(parse_options({}, {"", "8080"})).url.text() == "http://127.0.0.1:8080/");
    CHECK(plain.public_url == plain.url);
    CHECK(plain.auth_token == "from env");
    CHECK(plain.audio.sound == CallerSound::noise);
    CHECK(plain.audio.level_dbfs == -54);
    CHECK(plain.seconds == 10);
    CHECK(plain.subprotocol.empty());
    CHECK(plain.stream_path.empty());
    CHECK_FALSE(plain.load);
    CHECK(good({"--auth-token", "x"}).auth_token == "x");
    CHECK(good({"--subprotocol"}).subprotocol == "audio.twilio.com");
    CHECK(good({"--subprotocol", "other"}).subprotocol == "other");
    CHECK(good({"--stream-only"}).stream_path == "/ws/twilio-media");
    CHECK(good({"--stream-only", "/ws/x/"}).stream_path == "/ws/x/");
    CHECK(good({"--noise"}).audio.level_dbfs == -20);
    CHECK(good({"--noise", "--seconds", "3"}).seconds == 3);
    CHECK(good({"--noise", "7"}).audio.seed == 7);
    CHECK(good({"--noise", "7"}).audio.level_dbfs == -20);
    CHECK(good({"--tone", "440"}).audio.tone_hz == 440);
    CHECK(good({"--silence"}).audio.sound == CallerSound::silence);
    CHECK(good({"--public-url", "https://voice.example.com"}).tunnelled);
    CHECK(good({"--calls", "1"}).load);
    CHECK(good({"--silence-max", "20"}).silence_max == 20);
    CHECK(good({"--status-path", ""}).status_path.empty());
    CHECK(good({"--fault", "fragment", "--fault", "delay-marks=5"}).faults.value(FaultKind::delay_marks) == 5);
}

TEST_CASE("options: help is 0, everything else that is wrong is 64 and says what") {
    CHECK(code_of({"--help"}) == 0);
    for (const std::vector<std::string>& wrong :
         std::vector<std::vector<std::string>>{{"--nonsense"},
                                               {"stray"},
                                               {"--url", "ftp://h"},
                                               {"--url", "h:1"},
                                               {"--public-url", "h"},
                                               {"--dtmf", "12x"},
                                               {"--noise", "x"},
                                               {"--noise", "1", "--silence"},
                                               {"--tone", "0"},
                                               {"--tone", "4001"},
                                               {"--seconds", "-1"},
                                               {"--expect", "music"},
                                               {"--fault", "nonsense"},
                                               {"--fault", "lose-marks=2"},
                                               {"--calls", "0"},
                                               {"--calls", "20001"},
                                               {"--calls", "2", "--out", "x.wav"},
                                               {"--calls", "2", "--fast"},
                                               {"--silence-max", "0"},
                                               {"--silence-max", "3", "--fast"},
                                               {"--calls", "2", "--seconds", "0"},
                                               {"--path", "x"},
                                               {"--rate", "0"}}) {
        CAPTURE(wrong[0] + (wrong.size() > 1 ? " " + wrong[1] : ""));
        CHECK(code_of(wrong) == 64);
    }
    const auto help = std::get<OptionsExit>(parse({"--help"}));
    for (const FaultInfo& fault : fault_table()) {
        CHECK(help.text.find("  " + std::string(fault.name)) != std::string::npos);
    }
}
