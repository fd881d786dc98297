#include "supervisor/call/stream_session.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "supervisor/call/base64.hpp"

using namespace agentlocator;
using namespace agentlocator::call;
using nlohmann::json;

namespace {

const std::string sid = "MZ44444444444444444444444444444444";

// One message of ours as the server would see it.
struct Sent {
    WsOpcode kind;
    bool fin;
    std::string payload;
    bool masked;
    unsigned reserved;
};

std::vector<Sent> take_frames(std::string& bytes) {
    std::vector<Sent> frames;
    std::size_t at = 0;
    const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<std::uint8_t>(bytes[at + i])); };
    while (at + 2 <= bytes.size()) {
        Sent sent{static_cast<WsOpcode>(byte(0) & 15U), (byte(0) & 128U) != 0, "", (byte(1) & 128U) != 0,
                  byte(0) >> 4 & 7U};
        std::size_t size = byte(1) & 127U;
        std::size_t header = 2;
        if (size == 126) {
            size = byte(2) << 8 | byte(3);
            header = 4;
        } else if (size == 127) {
            size = 0;
            for (std::size_t i = 2; i < 10; ++i) {
                size = size << 8 | byte(i);
            }
            header = 10;
        }
        const std::size_t key = at + header;
        header += sent.masked ? 4 : 0;
        for (std::size_t i = 0; i < size; ++i) {
            const char c = bytes[at + header + i];
            sent.payload += sent.masked ? static_cast<char>(c ^ bytes[key + (i & 3U)]) : c;
        }
        at += header + size;
        frames.push_back(std::move(sent));
    }
    CHECK(at == bytes.size());
    bytes.clear();
    return frames;
}

struct Line {
    TimePoint now{};
    StreamSession session;

    explicit Line(StreamPlan plan) : session(std::move(plan), now) {}

    // Up to and including the answer to the upgrade.
    std::vector<json> open() {
        session.on_connected(now);
        const std::string request = std::exchange(session.output(), {});
        CHECK(request.starts_with("GET /ws/twilio-media HTTP/1.1\r\n"));
        now += 5ms;
        session.on_bytes(now,
                         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
        CHECK(session.opened());
        return messages();
    }
    std::vector<json> messages() {
        std::vector<json> list;
        for (const Sent& sent : take_frames(session.output())) {
            CHECK(sent.masked);
            if (sent.kind == WsOpcode::text) {
                list.push_back(json::parse(sent.payload));
            } else if (sent.kind == WsOpcode::close) {
                list.push_back({{"close", read_close(sent.payload).code}});
            }
        }
        return list;
    }
    std::vector<json> tick(int count = 1) {
        for (int i = 0; i < count; ++i) {
            now += 20ms;
            session.on_tick(now);
        }
        return messages();
    }
    void frame(unsigned head, std::string_view payload) {
        std::string bytes{static_cast<char>(head)};
        if (payload.size() < 126) {
            bytes += static_cast<char>(payload.size());
        } else {
            bytes += '\x7E';
            bytes += static_cast<char>(payload.size() >> 8);
            bytes += static_cast<char>(payload.size() & 0xFF);
        }
        session.on_bytes(now, bytes + std::string(payload));
    }
    void say(const json& message) { frame(0x81, message.dump()); }
    void media(std::size_t bytes) {
        say({{"event", "media"}, {"streamSid", sid}, {"media", {{"payload", base64(std::string(bytes, 'a'))}}}});
    }
    void mark(const std::string& name) { say({{"event", "mark"}, {"streamSid", sid}, {"mark", {{"name", name}}}}); }
    void clear() { say({{"event", "clear"}, {"streamSid", sid}}); }
    void close(int code) { frame(0x88, std::string{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)}); }
    const StreamReport& report() { return session.report(); }
    Rule only_rule() {
        REQUIRE(report().violations.list().size() == 1);
        return report().violations.list()[0].rule;
    }
};

StreamPlan plan(std::initializer_list<const char*> faults = {}) {
    StreamPlan made;
    made.ids = {"AC1", "CA1", sid};
    made.upgrade = {"h", "/ws/twilio-media", "dGhlIHNhbXBsZSBub25jZQ==", "", "", ""};
    for (const char* fault : faults) {
        REQUIRE(made.faults.add(fault).has_value());
    }
    return made;
}

}  // namespace

TEST_CASE("stream: connected, start, then a frame each tick, numbered as in captures") {
    StreamPlan made = plan();
    made.parameters = {{"call_sid", "CA1"}, {"name", "דנה \"x\""}};
    Line line(made);
    const auto opening = line.open();
    REQUIRE(opening.size() == 2);
    CHECK(opening[0] == json{{"event", "connected"}, {"protocol", "Call"}, {"version", "1.0.0"}});
    CHECK(opening[1] == json{{"event", "start"},
                             {"sequenceNumber", "1"},
                             {"streamSid", sid},
                             {"start",
                              {{"accountSid", "AC1"},
                               {"callSid", "CA1"},
                               {"streamSid", sid},
                               {"tracks", {"inbound"}},
                               {"mediaFormat", {{"encoding", "audio/x-mulaw"}, {"sampleRate", 8000}, {"channels", 1}}},
                               {"customParameters", {{"call_sid", "CA1"}, {"name", "דנה \"x\""}}}}}});
    std::int64_t first = 0;
    for (int chunk = 1; chunk <= 100; ++chunk) {
        const auto sent = line.tick();
        REQUIRE(sent.size() == 1);
        CHECK(sent[0]["event"] == "media");
        CHECK(sent[0]["streamSid"] == sid);
        CHECK(sent[0]["sequenceNumber"] == std::to_string(chunk + 1));
        CHECK(sent[0]["media"]["chunk"] == std::to_string(chunk));
        CHECK(sent[0]["media"]["track"] == "inbound");
        std::string audio;
        CHECK(decode_base64(sent[0]["media"]["payload"].get<std::string>(), audio));
        CHECK(audio.size() == 160);
        const std::int64_t timestamp = std::stoll(sent[0]["media"]["timestamp"].get<std::string>());
        first = chunk == 1 ? timestamp : first;
        CHECK(std::abs(timestamp - (first + 20 * (chunk - 1))) <= 2);
    }
    CHECK(first >= 100);
    CHECK(first <= 180);
    CHECK(line.report().frames_sent == 100);
    CHECK(line.report().sent.size() == 16000);
    CHECK(line.report().heard.size() == 16000);
    CHECK(line.report().open == 5ms);
}

TEST_CASE("stream: what the server says is heard on the next ticks; marks come back when it has been") {
    Line line(plan());
    (void)line.open();
    (void)line.tick();
    line.now += 3ms;
    line.media(320);
    line.mark("m");
    CHECK(line.report().first_media == 23ms);
    CHECK(line.tick().size() == 1);
    const auto sent = line.tick();
    REQUIRE(sent.size() == 2);  // The mark, then the frame.
    CHECK(sent[0] == json{{"event", "mark"}, {"sequenceNumber", "4"}, {"streamSid", sid}, {"mark", {{"name", "m"}}}});
    CHECK(sent[1]["sequenceNumber"] == "5");
    line.mark("at once");
    CHECK(line.messages().at(0)["mark"]["name"] == "at once");
    line.media(1600);
    line.mark("cleared");
    CHECK(line.messages().empty());
    line.clear();
    CHECK(line.messages().at(0)["mark"]["name"] == "cleared");
    CHECK(line.report().marks_received == 3);
    CHECK(line.report().marks_echoed == 3);
    CHECK(line.report().clears == 1);
    CHECK(line.report().audio_bytes_played == 320);
    CHECK(line.report().heard[160] == 'a');
    CHECK(line.report().violations.total() == 0);
}

TEST_CASE("stream: the caller hangs up after his audio: stop, a moment, close, and the server answers") {
    StreamPlan made = plan();
    made.ticks = 3;
    Line line(made);
    (void)line.open();
    CHECK(line.tick(2).size() == 2);
    const auto last = line.tick();
    REQUIRE(last.size() == 2);
    CHECK(last[1] == json{{"event", "stop"},
                          {"sequenceNumber", "5"},
                          {"streamSid", sid},
                          {"stop", {{"accountSid", "AC1"}, {"callSid", "CA1"}}}});
    CHECK(line.tick(12).empty());
    CHECK(line.tick() == std::vector<json>{{{"close", 1000}}});
    line.close(1000);
    CHECK_FALSE(line.session.ended());
    line.session.on_lost("end of file");
    CHECK(line.session.ended());
    CHECK(line.report().end == StreamEnd::caller);
    CHECK(line.report().close_code == 1000);
    CHECK(line.report().violations.total() == 0);
}

TEST_CASE("stream: a server that closes first is answered in kind and not blamed") {
    for (const int code : {1000, 1001}) {
        Line line(plan());
        (void)line.open();
        line.close(code);
        CHECK(line.messages() == std::vector<json>{{{"close", code}}});
        line.session.on_lost("end of file");
        CHECK(line.report().end == StreamEnd::server);
        CHECK(line.report().violations.total() == 0);
    }
    Line line(plan());
    (void)line.open();
    line.close(1011);
    CHECK(line.only_rule() == Rule::stream_close);
}

TEST_CASE("stream: bad ends are named") {
    SUBCASE("no close frame") {
        Line line(plan());
        (void)line.open();
        line.session.on_lost("reset");
        CHECK(line.report().end == StreamEnd::lost);
        CHECK(line.only_rule() == Rule::stream_broken);
    }
    SUBCASE("a masked frame") {
        Line line(plan());
        (void)line.open();
        line.session.on_bytes(line.now, std::string("\x81\x80\0\0\0\0", 6));
        CHECK(line.messages() == std::vector<json>{{{"close", 1002}}});
        CHECK(line.report().end == StreamEnd::broken);
        CHECK(line.only_rule() == Rule::stream_protocol);
    }
    SUBCASE("HTTP after the close frame") {
        Line line(plan());
        (void)line.open();
        line.close(1000);
        line.session.on_bytes(line.now, "HTTP/1.1 204 No Content\r\n\r\n");
        CHECK(line.only_rule() == Rule::stream_protocol);
    }
    SUBCASE("no answer to our close, five seconds long") {
        Line line(plan());
        (void)line.open();
        line.session.hang_up(line.now);
        (void)line.tick(13 + 249);
        CHECK_FALSE(line.session.ended());
        (void)line.tick();
        CHECK(line.session.ended());
        CHECK(line.only_rule() == Rule::stream_protocol);
    }
    SUBCASE("talking on after stop") {
        Line line(plan());
        (void)line.open();
        line.session.hang_up(line.now);
        line.clear();  // Crossed our stop on the way.
        CHECK(line.report().violations.total() == 0);
        line.frame(0x8A, ping_after_stop);
        line.clear();
        CHECK(line.only_rule() == Rule::invalid_message);
    }
    SUBCASE("no answer to the upgrade") {
        Line line(plan());
        line.session.on_connected(line.now);
        line.now += upgrade_wait_max - 20ms - 1ns;
        (void)line.session.output().erase();
        (void)line.tick();
        CHECK_FALSE(line.session.ended());
        (void)line.tick();
        CHECK(line.report().end == StreamEnd::not_opened);
        CHECK(line.only_rule() == Rule::stream_timeout);
    }
    SUBCASE("403") {
        Line line(plan());
        line.session.on_connected(line.now);
        line.session.on_bytes(line.now, "HTTP/1.1 403 Forbidden\r\n\r\n");
        CHECK(line.report().end == StreamEnd::not_opened);
        CHECK(line.only_rule() == Rule::stream_handshake);
    }
    SUBCASE("nobody there") {
        Line line(plan());
        line.session.on_connect_failed(Rule::stream_refused, "refused");
        CHECK(line.report().end == StreamEnd::not_opened);
        CHECK(line.only_rule() == Rule::stream_refused);
    }
}

TEST_CASE("stream: a binary message is 31950 and the stream goes on; pings are answered") {
    Line line(plan());
    (void)line.open();
    line.frame(0x82, "x");
    CHECK(line.only_rule() == Rule::malformed_message);
    line.frame(0x89, "are you there");
    const auto frames = take_frames(line.session.output());
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].kind == WsOpcode::pong);
    CHECK(frames[0].payload == "are you there");
    CHECK(line.tick().size() == 1);
}

TEST_CASE("stream: keys are pressed at their time, 300 ms apart") {
    StreamPlan made = plan();
    made.digits = "1#";
    made.digits_after_ticks = 2;
    Line line(made);
    (void)line.open();
    CHECK(line.tick().size() == 1);
    const auto first = line.tick();
    REQUIRE(first.size() == 2);
    CHECK(first[1]["dtmf"] == json{{"track", "inbound_track"}, {"digit", "1"}});
    CHECK(line.tick(14).size() == 14);
    CHECK(line.tick()[1]["dtmf"]["digit"] == "#");
    CHECK(line.tick(30).size() == 30);
    CHECK(line.report().digits_sent == 2);
}

TEST_CASE("stream: numbered frames are waited for before stop, and no longer than needed") {
    StreamPlan made = plan();
    made.ticks = 1;
    made.linger = 5s;
    made.ledger_call = 1;
    Line line(made);
    (void)line.open();
    const auto sent = line.tick();
    REQUIRE(sent.size() == 1);
    CHECK(line.tick(10).empty());
    line.say({{"event", "media"}, {"streamSid", sid}, {"media", {{"payload", sent[0]["media"]["payload"]}}}});
    CHECK(line.tick().at(0)["event"] == "stop");

    Line unanswered(made);
    (void)unanswered.open();
    (void)unanswered.tick();
    CHECK(unanswered.tick(249).empty());
    CHECK(unanswered.tick().at(0)["event"] == "stop");
    CHECK(unanswered.report().ledger.lost() == 1);
}

TEST_CASE("stream: with fast, no more than two pings are out") {
    StreamPlan made = plan();
    made.fast = true;
    Line line(made);
    (void)line.open();
    int ticks = 0;
    for (; line.session.may_tick(); ++ticks) {
        line.session.on_tick(line.now);
    }
    CHECK(ticks == 2 * static_cast<int>(fast_ping_ticks));
    line.frame(0x8A, "fast");
    CHECK(line.session.may_tick());
}

TEST_CASE("fault: marks late or never; media twice; numbers left out; a burst") {
    Line late(plan({"delay-marks=100"}));
    (void)late.open();
    late.mark("m");
    CHECK(late.tick(4).size() == 4);
    CHECK(late.tick()[0]["event"] == "mark");

    Line never(plan({"lose-marks"}));
    (void)never.open();
    never.mark("m");
    CHECK(never.messages().empty());
    CHECK(never.report().marks_echoed == 0);

    Line twice(plan({"duplicate-media=5"}));
    (void)twice.open();
    const auto doubled = twice.tick(10);
    REQUIRE(doubled.size() == 12);
    CHECK(doubled[4] == doubled[5]);

    Line skipping(plan({"skip-sequence=3"}));
    (void)skipping.open();
    const auto numbered = skipping.tick(3);
    CHECK(numbered[0]["sequenceNumber"] == "2");
    CHECK(numbered[1]["sequenceNumber"] == "4");

    Line burst(plan({"burst=1"}));
    (void)burst.open();
    CHECK(burst.tick(49).size() == 49);
    CHECK(burst.tick(100).empty());
    const auto all = burst.tick();
    REQUIRE(all.size() == 101);
    CHECK(all[0]["media"]["chunk"] == "50");
    CHECK(all[100]["media"]["chunk"] == "150");
}

TEST_CASE("fault: fragments with pings between join to the same messages") {
    Line line(plan({"fragment=3"}));
    line.session.on_connected(line.now);
    line.session.output().clear();
    line.session.on_bytes(line.now,
                          "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    const auto frames = take_frames(line.session.output());
    REQUIRE(frames.size() == 10);  // Two messages of three pieces, two pings in each.
    CHECK_FALSE(frames[0].fin);
    CHECK(frames[1].kind == WsOpcode::ping);
    CHECK(frames[2].kind == WsOpcode::continuation);
    CHECK(frames[4].fin);
    CHECK(json::parse(frames[0].payload + frames[2].payload + frames[4].payload)["event"] == "connected");
}

TEST_CASE("fault: before start") {
    Line junk(plan({"junk-before-start", "media-before-start"}));
    const auto opening = junk.open();
    REQUIRE(opening.size() == 1 + 4 + 25 + 1);
    CHECK(opening.back()["event"] == "start");
    CHECK(opening[5]["event"] == "media");
    CHECK(opening[5]["streamSid"] == sid);

    Line nameless(plan({"start-without-ids"}));
    const auto start = nameless.open().at(1);
    CHECK_FALSE(start.contains("streamSid"));
    CHECK_FALSE(start["start"].contains("callSid"));
    CHECK_FALSE(nameless.tick()[0].contains("streamSid"));
    nameless.clear();
    CHECK(nameless.only_rule() == Rule::invalid_message);
}

TEST_CASE("fault: custom parameters as UTF-8 and as escapes mean the same") {
    const auto start = [](const char* fault) {
        Line line(plan({fault}));
        line.session.on_connected(line.now);
        line.session.output().clear();
        line.session.on_bytes(line.now,
                              "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
        return take_frames(line.session.output()).at(1).payload;
    };
    const std::string raw = start("parameters-raw");
    const std::string escaped = start("parameters-escaped");
    CHECK(json::parse(raw) == json::parse(escaped));
    CHECK(raw.find("מרפאת") != std::string::npos);
    CHECK(escaped.find("\\u05de") != std::string::npos);
    CHECK(escaped.find("\\ud83e\\uddb7") != std::string::npos);
}

TEST_CASE("fault: ways to end badly") {
    Line dropped(plan({"drop-tcp=1"}));
    (void)dropped.open();
    CHECK(dropped.tick(49).size() == 49);
    CHECK(dropped.tick().empty());
    CHECK(dropped.session.ended());
    CHECK(dropped.report().end == StreamEnd::cut);

    Line closing(plan({"close-without-stop=1"}));
    (void)closing.open();
    CHECK(closing.tick(50).back() == json{{"close", 1000}});
    closing.close(1000);
    closing.session.on_lost("end of file");
    CHECK(closing.report().end == StreamEnd::caller);

    Line frozen(plan({"freeze=1"}));
    (void)frozen.open();
    CHECK(frozen.tick(100).size() == 49);
    frozen.frame(0x89, "ping");
    CHECK(frozen.messages().empty());
    frozen.close(1008);
    CHECK(frozen.messages().empty());
    frozen.session.on_lost("end of file");
    CHECK(frozen.report().end == StreamEnd::server);
    CHECK(frozen.report().violations.total() == 0);
}

TEST_CASE("fault: one wrong message of each kind, and the close codes it excuses") {
    const auto injected = [](const char* fault) {
        Line line(plan({fault}));
        (void)line.open();
        (void)line.tick(49);
        line.now += 20ms;
        line.session.on_tick(line.now);
        auto frames = take_frames(line.session.output());
        REQUIRE(frames.size() >= 2);
        return frames[0];
    };
    CHECK(injected("binary").kind == WsOpcode::binary);
    CHECK(json::parse(injected("wrong-stream-sid").payload)["streamSid"] != sid);
    CHECK_FALSE(json::accept(injected("invalid-json").payload));
    std::string audio;
    CHECK_FALSE(
        decode_base64(json::parse(injected("bad-base64").payload)["media"]["payload"].get<std::string>(), audio));
    CHECK(json::parse(injected("unknown-event").payload)["event"] == "weather");
    CHECK_FALSE(injected("unmasked").masked);
    CHECK(injected("reserved-bit").reserved == 4);
    CHECK_FALSE(injected("fragmented-ping").fin);
    CHECK_FALSE(is_utf8(injected("invalid-utf8").payload));
    const Sent big = injected("oversized=70000");
    CHECK(big.payload.size() == 70000);
    CHECK(json::accept(big.payload));

    for (const auto& [fault, code] :
         {std::pair{"binary", 1003}, {"unmasked", 1002}, {"oversized", 1009}, {"invalid-utf8", 1007}}) {
        Line line(plan({fault}));
        (void)line.open();
        line.close(code);
        CHECK(line.report().violations.total() == 0);
        Line other(plan({fault}));
        (void)other.open();
        other.close(1011);
        CHECK(other.report().violations.total() == 1);
    }
}

TEST_CASE("faults: names and values are checked, all are in the table") {
    Faults faults;
    CHECK(faults.add("nonsense").error().detail.starts_with("unknown fault nonsense; valid: drop-tcp"));
    for (const char* bad :
         {"drop-tcp=", "drop-tcp=x", "drop-tcp=0", "drop-tcp=-1", "drop-tcp=nan", "drop-tcp=1s", "lose-marks=1"}) {
        CAPTURE(bad);
        CHECK(faults.add(bad).has_error());
    }
    CHECK(faults.empty());
    for (const FaultInfo& info : fault_table()) {
        CHECK(faults.add(info.name).has_value());
        CHECK(faults.value(info.kind) == info.value);
    }
    CHECK(fault_table().size() == static_cast<std::size_t>(FaultKind::invalid_utf8) + 1);
}

TEST_CASE("ledger: loss, repeats, order and changed bytes are told apart") {
    FrameLedger ledger(7);
    TimePoint now{};
    std::vector<std::string> frames;
    Frame frame{};
    for (int i = 0; i < 6; ++i) {
        ledger.make(frame, now);
        frames.emplace_back(reinterpret_cast<const char*>(frame.data()), frame.size());
    }
    now += 3ms;
    ledger.on_echo(frames[0], now);
    ledger.on_echo(frames[2], now);
    ledger.on_echo(frames[1], now);
    ledger.on_echo(frames[2], now);
    std::string changed = frames[3];
    changed[100] = static_cast<char>(changed[100] ^ 1);
    ledger.on_echo(changed, now);
    ledger.on_echo(frames[4].substr(0, 159), now);
    FrameLedger other(8);
    other.make(frame, now);
    ledger.on_echo({reinterpret_cast<const char*>(frame.data()), frame.size()}, now);  // Another call's audio.
    CHECK(ledger.counts().sent == 6);
    CHECK(ledger.counts().answered == 3);
    CHECK(ledger.counts().lost() == 3);
    CHECK(ledger.counts().reordered == 1);
    CHECK(ledger.counts().repeated == 1);
    CHECK(ledger.counts().corrupt == 3);
    CHECK(ledger.latency().count() == 3);
    CHECK(ledger.latency().max() == 3ms);
}

TEST_CASE("ledger: an answer older than its memory is not taken for a newer frame's") {
    FrameLedger ledger(1);
    TimePoint now{};
    Frame frame{};
    ledger.make(frame, now);
    const std::string first(reinterpret_cast<const char*>(frame.data()), frame.size());
    for (std::size_t i = 1; i < ledger_frames; ++i) {
        ledger.make(frame, now);
    }
    FrameLedger same = ledger;
    same.on_echo(first, now);
    CHECK(same.counts().answered == 1);
    ledger.make(frame, now);
    ledger.on_echo(first, now);
    CHECK(ledger.counts().answered == 0);
    CHECK(ledger.counts().corrupt == 1);
}
