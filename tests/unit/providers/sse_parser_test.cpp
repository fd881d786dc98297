#include "worker/providers/sse_parser.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <utility>
#include <vector>

using namespace agentlocator;

namespace {

using Events = std::vector<std::pair<std::string, std::string>>;

Events parse(std::string_view text, std::size_t step, bool finish = true) {
    SseParser parser;
    Events events;
    const auto keep = [&](const SseEvent& event) {
        events.emplace_back(event.name, event.data);
        return true;
    };
    for (std::size_t at = 0; at < text.size(); at += step) {
        REQUIRE(parser.feed(text.substr(at, step), keep));
    }
    if (finish) {
        REQUIRE(parser.finish(keep));
    }
    return events;
}

}  // namespace

TEST_CASE("sse: every line end and every split gives the same events, inside a Hebrew letter too") {
    const std::string expected = "{\"text\":\"שלום\"}";
    for (const std::string end : {"\n", "\r\n", "\r"}) {
        const std::string text = ": hello" + end + "event: delta" + end + "data: " + expected + end + end + "data:a" +
                                 end + "data: b" + end + "id: 7" + end + end + end + "retry" + end + end;
        for (std::size_t step = 1; step <= text.size(); ++step) {
            const Events events = parse(text, step);
            REQUIRE(events.size() == 2);
            CHECK(events[0] == std::pair<std::string, std::string>{"delta", expected});
            CHECK(events[1] == std::pair<std::string, std::string>{"", "a\nb"});
        }
    }
}

TEST_CASE("sse: a pending event at the end of the body is delivered, without finish it is not") {
    CHECK(parse("data: x", 3).size() == 1);
    CHECK(parse("data: x\n", 3).size() == 1);
    CHECK(parse("data: x\n", 3, false).empty());
    CHECK(parse("event: x\n", 3).empty());  // No data, no event.
}

TEST_CASE("sse: an empty data line is an event, a byte order mark is not content") {
    CHECK(parse("data\n\n", 1) == Events{{"", ""}});
    CHECK(parse("\xef\xbb\xbf"
                "data: x\n\n",
                8) == Events{{"", "x"}});
}

TEST_CASE("sse: an event may be as large as the limit and not a byte larger") {
    const auto feed = [](std::size_t size) {
        SseParser parser;
        const std::string line = "data:" + std::string(size - 5, 'x') + "\n\n";
        std::size_t seen = 0;
        const bool taken = parser.feed(line, [&](const SseEvent& event) {
            seen = event.data.size();
            return true;
        });
        CHECK(parser.too_large() == !taken);
        return seen;
    };
    CHECK(feed(sse_event_bytes_max) == sse_event_bytes_max - 5);
    CHECK(feed(sse_event_bytes_max + 1) == 0);
}

TEST_CASE("sse: the limit counts what was joined from many lines") {
    SseParser parser;
    const std::string line = "data: " + std::string(100'000, 'x') + "\n";
    bool taken = true;
    for (int i = 0; i < 11 && taken; ++i) {
        taken = parser.feed(line, [](const SseEvent&) { return true; });
    }
    CHECK_FALSE(taken);
    CHECK(parser.too_large());
}

TEST_CASE("sse: a sink that says stop is not called again") {
    SseParser parser;
    int calls = 0;
    CHECK_FALSE(parser.feed("data: 1\n\ndata: 2\n\n", [&](const SseEvent&) {
        ++calls;
        return false;
    }));
    CHECK(calls == 1);
    CHECK_FALSE(parser.too_large());
}

TEST_CASE("sse: a sink may destroy the parser before it says stop") {
    auto parser = std::make_unique<SseParser>();
    CHECK_FALSE(parser->feed("data: 1\n\ndata: 2\n\n", [&](const SseEvent&) {
        parser.reset();
        return false;
    }));
    parser = std::make_unique<SseParser>();
    REQUIRE(parser->feed("data: 1", [](const SseEvent&) { return true; }));
    CHECK_FALSE(parser->finish([&](const SseEvent&) {
        parser.reset();
        return false;
    }));
}
