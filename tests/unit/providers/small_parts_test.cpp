#include <doctest/doctest.h>

#include <memory>

#include "worker/providers/http_call.hpp"
#include "worker/providers/life_watch.hpp"
#include "worker/providers/output_watch.hpp"

using namespace agentlocator;
using namespace std::chrono_literals;

TEST_CASE("output_watch: first output, pauses and the whole have a deadline each") {
    const TimePoint start{};
    OutputWatch watch({.first = 2s, .idle = 1s, .total = 4s}, start);
    CHECK(watch.deadline() == start + 2s);
    CHECK(watch.overdue() == "no answer in time");
    watch.on_output(start + 1900ms);
    CHECK(watch.deadline() == start + 2900ms);
    CHECK(watch.overdue() == "stopped in the middle");
    watch.on_output(start + 3500ms);
    CHECK(watch.deadline() == start + 4s);
    CHECK(watch.overdue() == "not finished in time");
}

TEST_CASE("output_watch: a limit of zero is none") {
    const TimePoint start{};
    CHECK_FALSE(OutputWatch({}, start).deadline());
    CHECK(OutputWatch({.total = 1s}, start).deadline() == start + 1s);
    OutputWatch first({.first = 1s}, start);
    first.on_output(start);
    CHECK_FALSE(first.deadline());
}

TEST_CASE("life_watch: every scope on the way knows that the object is gone") {
    auto watch = std::make_unique<LifeWatch>();
    const LifeWatch::Scope outer(*watch);
    {
        const LifeWatch::Scope before(*watch);
        CHECK_FALSE(before.gone());
    }
    {
        const LifeWatch::Scope inner(*watch);
        watch.reset();
        CHECK(inner.gone());
    }
    CHECK(outer.gone());
}

TEST_CASE("http_call: what goes into a URL is encoded, what comes out of one is found") {
    CHECK(url_encode("aZ9-._~") == "aZ9-._~");
    CHECK(url_encode("a b&+/ת") == "a%20b%26%2B%2F%D7%AA");
    CHECK(url_origin("https://host:8443/a/b?c") == "https://host:8443");
    CHECK(url_origin("wss://host?x") == "wss://host");
    CHECK(url_host("https://host:8443/a") == "host");
    CHECK(url_host("http://[::1]:80/a") == "::1");
    const HttpHead head{200, {{"X-Request-Id", "1"}}};
    CHECK(head.header("x-request-id") == "1");
    CHECK(head.header("none").empty());
}
