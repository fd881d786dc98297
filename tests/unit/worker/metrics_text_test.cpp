#include "worker/metrics_text.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "common/text.hpp"
#include "tests/unit/worker/web_fixture.hpp"

using namespace agentlocator;

namespace {

bool is_name(std::string_view text) {
    return !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos;
}

// Reads label pairs up to the closing brace; false when malformed.
bool skip_labels(std::string_view& rest) {
    rest.remove_prefix(1);
    for (;;) {
        const auto equals = rest.find("=\"");
        if (equals == std::string_view::npos || !is_name(rest.substr(0, equals))) {
            return false;
        }
        rest.remove_prefix(equals + 2);
        while (!rest.empty() && rest.front() != '"') {
            rest.remove_prefix(rest.front() == '\\' ? 2 : 1);
        }
        if (rest.size() < 2) {
            return false;
        }
        const char next = rest[1];
        rest.remove_prefix(2);
        if (next == '}') {
            return true;
        }
        if (next != ',') {
            return false;
        }
    }
}

// The exposition format, version 0.0.4, as a reader sees it: nothing when valid, else the faulty line.
std::string first_fault(std::string_view page) {
    if (!page.ends_with('\n')) {
        return "no line break at the end";
    }
    page.remove_suffix(1);
    std::string current;
    bool histogram = false;
    std::string helped;
    std::set<std::string> done;
    std::set<std::string> samples;
    for (const std::string_view line : split(page, '\n')) {
        const auto words = split(line, ' ');
        if (line.starts_with("# HELP ") && words.size() > 3) {
            helped = words[2];
        } else if (line.starts_with("# TYPE ") && words.size() == 4) {
            current = words[2];
            const bool known = words[3] == "gauge" || words[3] == "counter" || words[3] == "histogram";
            histogram = words[3] == "histogram";
            if (!known || helped != current || !done.insert(current).second ||
                (words[3] == "counter") != current.ends_with("_total")) {
                return std::string(line);
            }
        } else {
            std::string_view rest = line;
            const auto end = rest.find_first_of("{ ");
            const std::string_view name = rest.substr(0, end);
            const bool series = name == current + "_bucket" || name == current + "_sum" || name == current + "_count";
            if (histogram ? !series : name != current) {
                return std::string(line);
            }
            rest.remove_prefix(std::min(end, rest.size()));
            if (rest.starts_with('{') && !skip_labels(rest)) {
                return std::string(line);
            }
            const std::string number(rest.empty() ? rest : rest.substr(1));
            char* stop = nullptr;
            std::strtod(number.c_str(), &stop);
            const std::string key(line.substr(0, line.size() - number.size()));
            if (!rest.starts_with(' ') || number.empty() || *stop != '\0' || !samples.insert(key).second) {
                return std::string(line);
            }
        }
    }
    return {};
}

}  // namespace

TEST_CASE("metrics_text: the page is valid and says what it was given") {
    WebFixture web;
    web.context.mode = WsMode::echo;
    web.context.live_calls = 7;
    web.context.poisoned = 2;
    web.context.metrics = [] {
        return std::vector<WorkerMetrics>{
            {.worker = "1", .calls = 3, .calls_served = 40, .requests = 5, .frames_in = 9},
            {.worker = "odd \"\\\n", .calls = 4, .heartbeat_age_seconds = 0.0125}};
    };
    const RouteResult result = route(WebFixture::get("/metrics"), web.context);
    const HttpResponse& response = response_of(result);
    CHECK(response.header("Content-Type") == metrics_content_type);
    CHECK(first_fault(response.body) == "");
    for (const char* line : {"\nagentlocator_calls 7\n", "\nagentlocator_mode{mode=\"ECHO\"} 1\n",
                             "\nagentlocator_mode{mode=\"AI\"} 0\n", "\nagentlocator_worker_calls{worker=\"1\"} 3\n",
                             "\nagentlocator_worker_calls_served_total{worker=\"1\"} 40\n",
                             "\nagentlocator_worker_media_frames_total{worker=\"1\",direction=\"in\"} 9\n",
                             "\nagentlocator_worker_heartbeat_age_seconds{worker=\"odd \\\"\\\\\\n\"} 0.013\n",
                             "\nagentlocator_ready 1\n", "\nagentlocator_poisoned_calls_total 2\n"}) {
        CAPTURE(line);
        CHECK(contains(response.body, line));
    }
}

TEST_CASE("metrics_text: the reader of this test finds faults") {
    const std::string good = "# HELP a_total x\n# TYPE a_total counter\na_total{w=\"1\"} 2\n";
    CHECK(first_fault(good) == "");
    CHECK(first_fault(good + "a_total{w=\"1\"} 3\n") != "");  // Twice the same sample.
    CHECK(first_fault(good + "b 3\n") != "");
    CHECK(first_fault(good + "a_total{w=\"2\" 3\n") != "");
    CHECK(first_fault(good + "a_total{w=\"2\"} x\n") != "");
    CHECK(first_fault("# HELP a x\n# TYPE a counter\na 1\n") != "");
    CHECK(first_fault(good + "# TYPE b gauge\nb 1\n") != "");
}

TEST_CASE("metrics_text: stages of answers as histograms of all workers, services by worker") {
    WebFixture web;
    AgentMetrics metrics;
    for (const Duration value : {Duration(1ms), Duration(1ms + 1us), Duration(9ms), Duration(20s)}) {
        metrics.own.add(value);
    }
    metrics.turns = 4;
    web.context.conversations = &metrics;
    web.context.metrics = [] {
        return std::vector<WorkerMetrics>{
            {.worker = "1",
             .conversations = 3,
             .providers = {{.stage = "llm", .name = "openai", .breaker = 1, .started = 9, .failed = 4}}},
            {.worker = "2", .providers = {{.stage = "llm", .name = "openai", .started = 2}}}};
    };
    const std::string body = response_of(route(WebFixture::get("/metrics"), web.context)).body;
    CHECK(first_fault(body) == "");
    for (const char* line :
         {"\nagentlocator_turn_seconds_bucket{stage=\"own\",le=\"0.001\"} 1\n",  // A bound belongs to its bucket.
          "\nagentlocator_turn_seconds_bucket{stage=\"own\",le=\"0.002\"} 2\n",
          "\nagentlocator_turn_seconds_bucket{stage=\"own\",le=\"0.01\"} 3\n",
          "\nagentlocator_turn_seconds_bucket{stage=\"own\",le=\"10\"} 3\n",
          "\nagentlocator_turn_seconds_bucket{stage=\"own\",le=\"+Inf\"} 4\n",
          "\nagentlocator_turn_seconds_sum{stage=\"own\"} 20.011001\n",
          "\nagentlocator_turn_seconds_count{stage=\"own\"} 4\n",
          "\nagentlocator_turn_seconds_count{stage=\"stt\"} 0\n", "\nagentlocator_turns_total 4\n",
          "\nagentlocator_worker_conversations{worker=\"1\"} 3\n",
          "\nagentlocator_provider_breaker{worker=\"1\",stage=\"llm\",provider=\"openai\"} 1\n",
          "\nagentlocator_provider_failed_total{worker=\"1\",stage=\"llm\",provider=\"openai\"} 4\n",
          "\nagentlocator_provider_started_total{worker=\"2\",stage=\"llm\",provider=\"openai\"} 2\n"}) {
        CAPTURE(line);
        CHECK(contains(body, line));
    }
}

TEST_CASE("metrics_text: what the agent in writing counts") {
    WebFixture web;
    MessageMetrics metrics;
    metrics.received = 5;
    metrics.count(AnsweredBy::script);
    metrics.count(Unanswered::group);
    metrics.failed = 2;
    metrics.notes_understood = 1;
    metrics.answer.add(1500ms);
    web.context.messages = &metrics;
    const std::string body = response_of(route(WebFixture::get("/metrics"), web.context)).body;
    CHECK(first_fault(body) == "");
    for (const char* line :
         {"\nagentlocator_messages_received_total 5\n", "\nagentlocator_messages_answered_total{by=\"model\"} 0\n",
          "\nagentlocator_messages_answered_total{by=\"script\"} 1\n",
          "\nagentlocator_messages_ignored_total{reason=\"group\"} 1\n", "\nagentlocator_messages_failed_total 2\n",
          "\nagentlocator_voice_notes_total{result=\"understood\"} 1\n",
          "\nagentlocator_message_answer_seconds_bucket{le=\"1\"} 0\n",
          "\nagentlocator_message_answer_seconds_bucket{le=\"2\"} 1\n",
          "\nagentlocator_message_answer_seconds_sum 1.5\n", "\nagentlocator_message_answer_seconds_count 1\n"}) {
        CAPTURE(line);
        CHECK(contains(body, line));
    }
}

TEST_CASE("metrics_text: degraded and empty") {
    WebFixture web;
    web.context.problems = [] { return std::vector<ReadyProblem>{{"x", "y"}}; };
    const std::string body = response_of(route(WebFixture::get("/metrics"), web.context)).body;
    CHECK(contains(body, "\nagentlocator_ready 0\n"));
    CHECK(first_fault(body) == "");
}
