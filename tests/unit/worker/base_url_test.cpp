#include "worker/base_url.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

namespace {

Settings settings_with(std::string base, std::vector<std::string> trusted = {"private"}) {
    Settings settings;
    settings.public_base_url = std::move(base);
    settings.trusted_proxies = std::move(trusted);
    return settings;
}

HttpRequest request_to(std::string host, std::vector<HttpHeader> more = {}) {
    HttpRequest request{.method = "POST", .target = "/webhook/incoming_call"};
    request.headers.push_back({"Host", std::move(host)});
    request.headers.insert(request.headers.end(), more.begin(), more.end());
    return request;
}

std::string base_of(const HttpRequest& request, const Settings& settings, std::string_view remote = "10.0.0.5") {
    const auto base = public_base(request, settings, remote);
    return base ? base->http() : "error: " + base.error().detail;
}

const std::vector<HttpHeader> forwarded{{"X-Forwarded-Proto", "https, http"},
                                        {"X-Forwarded-Host", "voice.example.com, inner:8080"}};

}  // namespace

TEST_CASE("base_url: the configured address wins over everything in the request") {
    const auto request = request_to("127.0.0.1:5000", forwarded);
    CHECK(base_of(request, settings_with("https://public.example.com")) == "https://public.example.com");
    CHECK(base_of(request, settings_with("https://public.example.com//app//")) == "https://public.example.com/app");
}

TEST_CASE("base_url: forwarded headers count from trusted peers only, first element only") {
    const auto request = request_to("10.0.0.5:8080", forwarded);
    CHECK(base_of(request, settings_with("")) == "https://voice.example.com");
    CHECK(base_of(request, settings_with(""), "203.0.113.9") == "http://10.0.0.5:8080");
    CHECK(base_of(request, settings_with("", {"203.0.113.9"}), "203.0.113.9") == "https://voice.example.com");
    CHECK(base_of(request, settings_with("", {"203.0.113.9"}), "127.0.0.1") == "http://10.0.0.5:8080");
    CHECK(base_of(request, settings_with("", {}), "127.0.0.1") == "http://10.0.0.5:8080");
    // An invalid forwarded host is passed over.
    const auto bad = request_to("voice.example.com", {{"X-Forwarded-Host", "evil\"/><x"}, {"X-Forwarded-Proto", "?"}});
    CHECK(base_of(bad, settings_with("")) == "https://voice.example.com");
}

TEST_CASE("base_url: private ranges are trusted by default, their neighbours are not") {
    const std::vector<std::string> word{"private"};
    for (const char* inside :
         {"127.0.0.1", "127.9.9.9", "10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.1",
          "100.64.0.1", "100.127.255.255", "169.254.1.1", "::1", "fd00::1", "fe80::1", "::ffff:10.1.2.3"}) {
        CAPTURE(inside);
        CHECK(trusted_proxy(word, inside));
    }
    for (const char* outside : {"9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255",
                                "192.169.0.0", "100.63.255.255", "100.128.0.0", "169.253.1.1", "8.8.8.8", "::2",
                                "2001:db8::1", "fec0::1", "::ffff:8.8.8.8", "", "unix", "private"}) {
        CAPTURE(outside);
        CHECK_FALSE(trusted_proxy(word, outside));
    }
    CHECK(trusted_proxy({"::ffff:192.0.2.1"}, "192.0.2.1"));
    CHECK_FALSE(trusted_proxy({"192.0.2.1"}, "192.0.2.10"));
}

TEST_CASE("base_url: without a word about TLS, a public name is TLS and a test address is not") {
    const Settings settings = settings_with("");
    const auto guess = [&](const char* host) { return base_of(request_to(host), settings); };
    CHECK(guess("voice.example.com") == "https://voice.example.com");
    CHECK(guess("voice.example.com:443") == "https://voice.example.com");
    CHECK(guess("agentlocator:5000") == "http://agentlocator:5000");
    CHECK(guess("localhost") == "http://localhost");
    CHECK(guess("a.localhost") == "http://a.localhost");
    CHECK(guess("127.0.0.1:5000") == "http://127.0.0.1:5000");
    CHECK(guess("[::1]:5000") == "http://[::1]:5000");
    CHECK_FALSE(base_from_request(request_to("voice.example.com"), settings, "10.0.0.1")->scheme_known);
    CHECK(base_from_request(request_to("a", forwarded), settings, "10.0.0.1")->scheme_known);
}

TEST_CASE("base_url: the stream is wss whatever the scheme; default ports and capitals go") {
    CHECK(parse_base_url("https://Voice.Example.COM:443/App/")->websocket() == "wss://voice.example.com/App");
    CHECK(parse_base_url("http://127.0.0.1:5000")->websocket() == "wss://127.0.0.1:5000");
    CHECK(parse_base_url("http://a:80")->http() == "http://a");
    CHECK(parse_base_url("http://a:443")->http() == "http://a:443");
    CHECK(parse_base_url("HTTPS://a")->http() == "https://a");
}

TEST_CASE("base_url: no URL of ours ever holds a double slash") {
    for (const char* url : {"https://a", "https://a/", "https://a//", "https://a/b//c///"}) {
        CAPTURE(url);
        const std::string made = parse_base_url(url)->http() + "/webhook";
        CHECK(made.find("//", 8) == std::string::npos);
    }
}

TEST_CASE("base_url: what is no plain address is none") {
    for (const char* url :
         {"", "voice.example.com", "ftp://a", "https://", "https:///a", "https://a b", "https://a?q", "https://a#f",
          "https://user:pw@a", "https://a:0", "https://a:65536", "https://a:+1", "https://a:", "https://-a",
          "https://a..b", "https://[::1", "https://[x]", "https://a/\xd7", "https://a/<b>"}) {
        CAPTURE(url);
        CHECK_FALSE(parse_base_url(url).has_value());
    }
    using namespace std::string_view_literals;
    CHECK_FALSE(valid_authority("[::\0\"><x>1]"sv));  // Found by fuzzing: inet_pton stops at a NUL.
    CHECK_FALSE(trusted_proxy({"private"}, "10.0.0.1\0x"sv));
    CHECK(valid_authority(std::string(host_bytes_max, 'a')));
    CHECK_FALSE(valid_authority(std::string(host_bytes_max + 1, 'a')));
}

TEST_CASE("base_url: a request without a valid host says what to set") {
    for (const char* host : {"", "a/b", "a@b", "<x>", "a,b", "::1"}) {
        CAPTURE(host);
        CHECK(base_of(request_to(host), settings_with("")).find("set PUBLIC_BASE_URL") != std::string::npos);
    }
}
