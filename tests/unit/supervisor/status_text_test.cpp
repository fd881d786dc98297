#include "supervisor/status_text.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "common/text.hpp"

using namespace agentlocator;

namespace {

nlohmann::json document() {
    return nlohmann::json::parse(R"json({
      "instance":"0123456789abcdef0123456789abcdef","version":"0.1.0","build":"abc123","pid":4711,
      "started_at":"2026-01-02T03:04:05Z","uptime_seconds":11640,"state":"degraded",
      "mode":{"mode":"AI","source":"default","until":null},
      "port":{"address":"127.0.0.1","port":5000,"ours":true,"detail":"/version answered"},
      "calls":{"live":3,"capacity":4096,"served":12345},
      "workers":[
        {"slot":1,"pid":4712,"state":"serving","uptime_seconds":11639,"calls":3,"calls_served":128,"requests":1024,
         "restarts":0,"heartbeat_ms":12,"rss_kb":14000,"log_dropped":0,"last_exit":null},
        {"slot":2,"pid":0,"state":"held","uptime_seconds":0,"calls":0,"calls_served":7,"requests":9,"restarts":5,
         "heartbeat_ms":null,"rss_kb":0,"log_dropped":0,
         "last_exit":{"at":"2026-01-02T03:05:00Z","cause":"signal 11 (SIGSEGV)","code":null,"signal":11,"core":true,
                      "lived_ms":1500,"log":["boom"]}}],
      "bridge":{"state":"absent","detail":"folder /opt/a/baileys-bridge does not exist"},
      "problems":[{"code":"slot_held","cause":"worker 2 crashed 5 times in 60 s",
                   "remedy":"look at `agentlocator logs 2`, then `agentlocator restart 2`"}]})json");
}

std::size_t widest(const std::string& text) {
    std::size_t width = 0;
    for (const auto line : split(text, '\n')) {
        width = std::max(width, text_width(line));
    }
    return width;
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("status_text: everything is there without a limit of width") {
    CHECK(render_status(document(), {}) ==
          "agentlocator 0.1.0 (abc123)  degraded\n"
          "up     3 h 14 min, pid 4711\n"
          "mode   AI (default)\n"
          "port   127.0.0.1:5000  ours\n"
          "calls  3 live of 4 096, 12 345 served\n"
          "\n"
          "SLOT    STATE     PID          UP  CALLS  SERVED  REQUESTS  RESTARTS   BEAT  MEMORY  LAST EXIT\n"
          "1       serving  4712  3 h 13 min      3     128     1 024         0  12 ms   14 MB  -\n"
          "2       held        -         0 s      0       7         9         5      -       -  signal 11 (SIGSEGV) "
          "after "
          "1 s\n"
          "bridge  absent      -           -      -       -         -         -      -       -  -\n"
          "bridge: folder /opt/a/baileys-bridge does not exist\n"
          "\n"
          "problems\n"
          "  worker 2 crashed 5 times in 60 s\n"
          "    -> look at `agentlocator logs 2`, then `agentlocator restart 2`\n");
}

TEST_CASE("status_text: it fits 120, 80, 60 and 40 columns, and the state stays") {
    for (const std::size_t width : {120U, 80U, 60U, 40U}) {
        for (const bool colour : {false, true}) {
            const std::string text = render_status(document(), {width, colour});
            CAPTURE(width);
            CAPTURE(text);
            CHECK(widest(text) <= width);
            CHECK(contains(text, "held"));
            CHECK(contains(text, "serving"));
        }
    }
    CHECK(contains(render_status(document(), {120, false}), "LAST EXIT"));
    CHECK(contains(render_status(document(), {60, false}), "RESTARTS"));
}

TEST_CASE("status_text: both processes of a slot are told apart during a rolling restart") {
    nlohmann::json rolling = document();
    rolling["workers"][0]["role"] = "outgoing";
    rolling["workers"][1]["role"] = "successor";
    rolling["workers"][1]["slot"] = 1;
    CHECK(contains(render_status(rolling, {}), "\n1 old   serving"));
    CHECK(contains(render_status(rolling, {}), "\n1 new   held"));
    rolling["workers"][0]["role"] = "current";
    CHECK(contains(render_status(rolling, {}), "\n1       serving"));
}

TEST_CASE("status_text: a mode other than AI is in red and says what callers hear") {
    nlohmann::json echo = document();
    echo["mode"] = {{"mode", "ECHO"}, {"source", "command"}, {"until", "2026-01-02T04:00:00Z"}};
    CHECK(contains(render_status(echo, {}),
                   "mode   ECHO (command) until 2026-01-02T04:00:00Z, then back to the configured mode  callers hear "
                   "themselves\n"));
    CHECK(contains(render_status(echo, {0, true}), "\x1b[1;31mECHO\x1b[0m"));
    CHECK_FALSE(contains(render_status(document(), {0, true}), "\x1b[1;31mAI"));
    echo["mode"]["mode"] = "SINK";
    CHECK(contains(render_status(echo, {}), "callers hear nothing"));
}

TEST_CASE("status_text: a port that is not proved ours stands out") {
    nlohmann::json other = document();
    other["port"]["ours"] = false;
    other["port"]["detail"] = "/version answered instance dead";
    other["port"]["address"] = "::1";
    CHECK(contains(render_status(other, {}), "port   [::1]:5000  NOT PROVED OURS: /version answered instance dead\n"));
}

TEST_CASE("status_text: a document of another version or of no sense never breaks it") {
    const nlohmann::json whole = document();
    for (const auto& [key, value] : whole.items()) {
        for (const nlohmann::json& odd :
             {nlohmann::json(), nlohmann::json(5), nlohmann::json("x"), nlohmann::json::array({1, "a", nullptr}),
              nlohmann::json::object(), nlohmann::json(-1.5), nlohmann::json(true)}) {
            nlohmann::json changed = whole;
            changed[key] = odd;
            CHECK(!render_status(changed, {80, true}).empty());
        }
        nlohmann::json shorter = whole;
        shorter.erase(key);
        CHECK(!render_status(shorter, {}).empty());
    }
    CHECK(!render_status(nlohmann::json(), {}).empty());
    CHECK(!render_status(nlohmann::json::array(), {}).empty());
}

TEST_CASE("status_text: text of others cannot move the cursor") {
    nlohmann::json hostile = document();
    hostile["problems"][0]["cause"] = "a\x1b[2Jb\nc\xc2\x9b";
    const std::string text = render_status(hostile, {});
    CHECK(contains(text, "a?[2Jb?c?"));
    CHECK_FALSE(contains(text, "\x1b"));
    CHECK(harmless("a\tb\n\x07", true) == "a\tb\n?");
    CHECK(harmless("\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d") == "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d");
    CHECK(harmless("\xc2") == "\xc2");
}

TEST_CASE("status_text: durations, sizes and counts as people say them") {
    CHECK(human_duration(0) == "0 s");
    CHECK(human_duration(59) == "59 s");
    CHECK(human_duration(60) == "1 min");
    CHECK(human_duration(3599) == "59 min 59 s");
    CHECK(human_duration(3600) == "1 h");
    CHECK(human_duration(86'399) == "23 h 59 min");
    CHECK(human_duration(86'400) == "1 d");
    CHECK(human_duration(90'000) == "1 d 1 h");
    CHECK(human_duration(-1) == "-");
    CHECK(human_bytes(0) == "0 B");
    CHECK(human_bytes(999) == "999 B");
    CHECK(human_bytes(1000) == "1.0 kB");
    CHECK(human_bytes(9'949) == "9.9 kB");
    CHECK(human_bytes(9'951) == "10 kB");
    CHECK(human_bytes(14'336'000) == "14 MB");
    CHECK(human_bytes(UINT64_MAX) == "18446744 TB");
    CHECK(human_count(0) == "0");
    CHECK(human_count(999) == "999");
    CHECK(human_count(1000) == "1 000");
    CHECK(human_count(1'234'567) == "1 234 567");
}

TEST_CASE("status_text: columns leave in the order of importance") {
    const std::vector<TextColumn> columns = {{"A", 0, false}, {"BB", 2, true}, {"CCC", 1, false}};
    const std::vector<std::vector<std::string>> rows = {{"a", "1", "c"}};
    using Lines = std::vector<std::string>;
    CHECK(render_table(columns, rows, 10) == Lines{"A  BB  CCC", "a   1  c"});
    CHECK(render_table(columns, rows, 9) == Lines{"A  BB", "a   1"});
    CHECK(render_table(columns, rows, 5) == Lines{"A  BB", "a   1"});
    CHECK(render_table(columns, rows, 4) == Lines{"A", "a"});
    CHECK(render_table(columns, rows, 0).front() == "A  BB  CCC");
    CHECK(render_table(columns, {{"\xd7\xa9", "1", "\x1b[1mc\x1b[0m"}}, 0)[1] == "\xd7\xa9   1  \x1b[1mc\x1b[0m");
}

TEST_CASE("status_text: long text is broken at blanks and aligned") {
    CHECK(wrap_text("one two three", "  -> ", 12) == "  -> one two\n     three");
    CHECK(wrap_text("one two three", "", 0) == "one two three");
    CHECK(wrap_text("unbreakable", "> ", 5) == "> unbreakable");
    CHECK(wrap_text("", "x ", 5) == "x ");
}
