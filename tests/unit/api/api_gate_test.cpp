#include "worker/api/api_gate.hpp"

#include <doctest/doctest.h>

#include "worker/api/client_address.hpp"

using namespace agentlocator;

namespace {

HttpRequest ask(const std::string& token, std::vector<HttpHeader> more = {}) {
    HttpRequest request{.method = "GET", .target = "/api/calls", .headers = std::move(more)};
    if (!token.empty()) {
        request.headers.push_back({"Authorization", token});
    }
    return request;
}

unsigned status(std::optional<RouteResult> refusal) {
    return refusal ? std::get<HttpResponse>(refusal->answer).status : 200;
}

Settings behind_proxy() {
    Settings settings;
    settings.trusted_proxies = {"private"};
    return settings;
}

}  // namespace

TEST_CASE("api gate: only the token opens it") {
    const Settings settings = behind_proxy();
    const TimePoint now{};
    for (const char* good : {"Bearer secret-token", "bearer secret-token", "Bearer  secret-token "}) {
        ApiGate gate("secret-token");
        CHECK(status(gate.refuse(ask(good), settings, "127.0.0.1", now)) == 200);
    }
    for (const char* bad : {"", "secret-token", "Bearer", "Bearer ", "Bearer secret-toke", "Bearer secret-token2",
                            "Basic secret-token", "Bearersecret-token"}) {
        CAPTURE(bad);
        ApiGate gate("secret-token");
        CHECK(status(gate.refuse(ask(bad), settings, "127.0.0.1", now)) == 401);
    }
}

TEST_CASE("api gate: without a token of ours nothing opens it, the empty one least") {
    ApiGate gate("");
    CHECK(status(gate.refuse(ask("Bearer "), behind_proxy(), "127.0.0.1", TimePoint{})) == 401);
    CHECK(status(gate.refuse(ask(""), behind_proxy(), "127.0.0.1", TimePoint{})) == 401);
}

TEST_CASE("api gate: a refusal names no secret") {
    ApiGate gate("secret-token");
    const auto refusal = gate.refuse(ask("Bearer guessed-token"), behind_proxy(), "127.0.0.1", TimePoint{});
    REQUIRE(refusal);
    for (const std::string& line : refusal->log) {
        CHECK(line.find("guessed-token") == std::string::npos);
        CHECK(line.find("secret-token") == std::string::npos);
    }
    CHECK(std::get<HttpResponse>(refusal->answer).body.find("token") == std::string::npos);
}

TEST_CASE("api gate: a client that asks too much is told to wait, another one is not") {
    const Settings settings = behind_proxy();
    ApiGate gate("t");
    const auto from = [&](const char* address, TimePoint now) {
        return status(gate.refuse(ask("Bearer t", {{"X-Forwarded-For", address}}), settings, "127.0.0.1", now));
    };
    const TimePoint now{};
    for (int i = 0; i < static_cast<int>(ApiGate::requests_at_once); ++i) {
        CHECK(from("198.51.100.1", now) == 200);
    }
    CHECK(from("198.51.100.1", now) == 429);
    CHECK(from("198.51.100.2", now) == 200);
    CHECK(from("198.51.100.1", now + ApiGate::request_every) == 200);
    CHECK(from("198.51.100.1", now + ApiGate::request_every) == 429);
}

TEST_CASE("api gate: a guesser of tokens is slowed long before the limit of requests") {
    ApiGate gate("t");
    int tried = 0;
    for (int i = 0; i < 30; ++i) {
        tried += status(gate.refuse(ask("Bearer x"), behind_proxy(), "198.51.100.1", TimePoint{})) == 401 ? 1 : 0;
    }
    CHECK(tried == static_cast<int>(ApiGate::failures_at_once));
}

TEST_CASE("api gate: a body has a limit") {
    ApiGate gate("t");
    HttpRequest request = ask("Bearer t");
    request.body.assign(api_body_bytes_max, 'x');
    CHECK(status(gate.refuse(request, behind_proxy(), "127.0.0.1", TimePoint{})) == 200);
    request.body += 'x';
    CHECK(status(gate.refuse(request, behind_proxy(), "127.0.0.1", TimePoint{})) == 413);
}

TEST_CASE("client address: only what trusted proxies added counts, from the end") {
    const auto address = [](std::vector<std::string> forwarded, const char* peer) {
        HttpRequest request;
        for (std::string& value : forwarded) {
            request.headers.push_back({"X-Forwarded-For", std::move(value)});
        }
        return client_address(request, behind_proxy(), peer);
    };
    CHECK(address({}, "198.51.100.1") == "198.51.100.1");
    CHECK(address({"203.0.113.9"}, "198.51.100.1") == "198.51.100.1");  // A stranger's word.
    CHECK(address({"203.0.113.9"}, "127.0.0.1") == "203.0.113.9");
    CHECK(address({"1.2.3.4, 203.0.113.9"}, "127.0.0.1") == "203.0.113.9");  // The client invented the first.
    CHECK(address({"1.2.3.4", "203.0.113.9, 10.0.0.7"}, "127.0.0.1") == "203.0.113.9");
    CHECK(address({"10.0.0.7"}, "127.0.0.1") == "10.0.0.7");
    CHECK(address({"1.2.3.4,,10.0.0.7"}, "127.0.0.1") == "10.0.0.7");
    CHECK(address({""}, "127.0.0.1") == "127.0.0.1");
}

TEST_CASE("rate limit: a bucket fills again, and the table is bounded") {
    RateLimit limit(2, std::chrono::seconds(1), 3);
    const TimePoint now{};
    CHECK(limit.allow("a", now));
    CHECK(limit.allow("a", now));
    CHECK_FALSE(limit.allow("a", now));
    CHECK_FALSE(limit.allow("a", now + std::chrono::milliseconds(999)));
    CHECK(limit.allow("a", now + std::chrono::seconds(2)));
    CHECK(limit.allow("a", now + std::chrono::hours(1)));
    CHECK(limit.allow("a", now + std::chrono::hours(1)));
    CHECK_FALSE(limit.allow("a", now + std::chrono::hours(1)));  // Never more than the burst.
    for (const char* key : {"b", "c", "d"}) {
        CHECK(limit.allow(key, now));
    }
    CHECK(limit.keys() == 3);
    CHECK(limit.allow("a", now));  // Forgotten: used longest ago.
}
