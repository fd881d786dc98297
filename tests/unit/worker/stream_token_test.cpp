#include "worker/stream_token.hpp"

#include <doctest/doctest.h>

#include "worker/digest.hpp"

using namespace agentlocator;

namespace {

constexpr std::int64_t now = 1'790'000'000;
constexpr std::string_view call = "CA11111111111111111111111111111111";

Settings with_tokens(std::string first, std::string second = {}) {
    Settings settings;
    settings.twilio_auth_token = std::move(first);
    settings.twilio_auth_token_old = std::move(second);
    return settings;
}

const Settings ours = with_tokens("0f1e2d3c4b5a69788796a5b4c3d2e1f0");

TokenVerdict check(std::string_view token, std::string_view call_sid = call, std::int64_t at = now) {
    return check_stream_token(ours, "instance", token, call_sid, at);
}

}  // namespace

TEST_CASE("stream_token: valid for its call until the second of expiry") {
    const std::string token = mint_stream_token(ours, "instance", call, now);
    CHECK(check(token) == TokenVerdict::ok);
    CHECK(check(token, call, now + stream_token_seconds - 1) == TokenVerdict::ok);
    CHECK(check(token, call, now + stream_token_seconds) == TokenVerdict::expired);
    CHECK(check(token, "CA22222222222222222222222222222222") == TokenVerdict::forged);
    CHECK(check(token, "") == TokenVerdict::forged);
    CHECK(token.size() < 100);  // It shares 500 characters with the parameter's name.
}

TEST_CASE("stream_token: every changed character is noticed") {
    const std::string token = mint_stream_token(ours, "instance", call, now);
    for (std::size_t i = 0; i < token.size(); ++i) {
        CAPTURE(i);
        std::string changed = token;
        changed[i] = changed[i] == '7' ? '8' : '7';
        CHECK(check(changed) != TokenVerdict::ok);
        CHECK(check(token.substr(0, i)) != TokenVerdict::ok);
    }
    CHECK(check(token + "x") == TokenVerdict::forged);
    // A later expiry under the same seal.
    std::string later = token;
    later.replace(3, 10, std::to_string(now + 99'999));
    CHECK(check(later) == TokenVerdict::forged);
}

TEST_CASE("stream_token: what is no token is malformed or missing") {
    CHECK(check("") == TokenVerdict::missing);
    CHECK(check("x") == TokenVerdict::malformed);
    CHECK(check("t1.") == TokenVerdict::malformed);
    CHECK(check("t1..abc") == TokenVerdict::malformed);
    CHECK(check("t1.-5.abc") == TokenVerdict::malformed);
    CHECK(check("t1.99999999999999999999999.abc") == TokenVerdict::malformed);
    CHECK(check("t2.1790000120.abc") == TokenVerdict::malformed);
    CHECK(check("t1.1790000120.") == TokenVerdict::forged);
}

TEST_CASE("stream_token: any worker with the same auth token verifies it, any other instance too") {
    const std::string token = mint_stream_token(ours, "instance", call, now);
    CHECK(check_stream_token(ours, "another instance", token, call, now) == TokenVerdict::ok);
    CHECK(check_stream_token(with_tokens("other"), "instance", token, call, now) == TokenVerdict::forged);
    // Rotation: the new token first, the old one still accepted.
    const Settings rotated = with_tokens("new", ours.twilio_auth_token);
    CHECK(check_stream_token(rotated, "instance", token, call, now) == TokenVerdict::ok);
    CHECK(check_stream_token(rotated, "i", mint_stream_token(rotated, "i", call, now), call, now) == TokenVerdict::ok);
}

TEST_CASE("stream_token: required exactly when signatures are checked") {
    CHECK(stream_token_required(ours));
    CHECK_FALSE(stream_token_required(Settings{}));
    Settings off = ours;
    off.validate_twilio_signature = false;
    CHECK_FALSE(stream_token_required(off));
    const std::string token = mint_stream_token(Settings{}, "instance", call, now);
    CHECK(check_stream_token(Settings{}, "instance", token, call, now) == TokenVerdict::ok);
    CHECK(check_stream_token(ours, "instance", token, call, now) == TokenVerdict::forged);
}

TEST_CASE("digest: published vectors") {
    const auto hex_of = [](const std::string& bytes) {
        std::string out;
        for (const char c : bytes) {
            constexpr std::string_view digits = "0123456789abcdef";
            const auto byte = static_cast<unsigned char>(c);
            out.push_back(digits[byte >> 4]);
            out.push_back(digits[byte & 15]);
        }
        return out;
    };
    CHECK(hex_of(sha1("abc")) == "a9993e364706816aba3e25717850c26c9cd0d89d");  // FIPS 180-4 examples
    CHECK(hex_of(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const std::string what = "what do ya want for nothing?";  // RFC 2202 3, RFC 4231 4.3: key "Jefe"
    CHECK(hex_of(hmac_sha1("Jefe", what)) == "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    CHECK(hex_of(hmac_sha256("Jefe", what)) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(hex_of(hmac_sha1("", "")) == "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
    CHECK(to_base64("foobar") == "Zm9vYmFy");  // RFC 4648 10
    CHECK(to_base64("foob") == "Zm9vYg==");
    CHECK(to_base64("").empty());
    CHECK(to_base64url("\xfb\xff\xbf\xfe") == "-_-__g");
}

TEST_CASE("stream_token: a resume token says which resume it is for, and nobody else can say so") {
    for (std::uint32_t n = 1; n <= resumes_max; ++n) {
        const std::string token = mint_resume_token(ours, "instance", call, n, now);
        CHECK(check_resume_token(ours, "instance", token, call, now) == n);
        CHECK_FALSE(check_resume_token(ours, "instance", token, call, now + stream_token_seconds).has_value());
        CHECK_FALSE(check_resume_token(ours, "instance", token, "CA2", now).has_value());
        CHECK(check(token) == TokenVerdict::malformed);  // It opens no stream by itself.
        for (std::size_t i = 0; i < token.size(); ++i) {
            std::string changed = token;
            changed[i] = changed[i] == '1' ? '2' : '1';
            CHECK_FALSE(check_resume_token(ours, "instance", changed, call, now).has_value());
        }
        CHECK(token.size() < 100);
    }
    CHECK_FALSE(check_resume_token(ours, "i", mint_resume_token(ours, "i", call, resumes_max + 1, now), call, now));
    CHECK_FALSE(check_resume_token(ours, "i", mint_resume_token(ours, "i", call, 0, now), call, now));
    CHECK_FALSE(check_resume_token(ours, "i", mint_stream_token(ours, "i", call, now), call, now));
    for (const char* junk : {"", "r1.", "r1.1", "r1.1.", "r1.x.9999999999.abc", "r1.1.9999999999"}) {
        CHECK_FALSE(check_resume_token(ours, "instance", junk, call, now).has_value());
    }
}
