#include "worker/stream_token.hpp"

#include <array>

#include "common/ensure.hpp"
#include "common/text.hpp"
#include "worker/digest.hpp"

namespace agentlocator {

namespace {

constexpr std::string_view version = "t1.";
constexpr std::string_view resume_version = "r1.";
constexpr std::size_t expiry_digits_max = 18;  // Far beyond any date, and no overflow.

// `head`: version, and for a resume its number, with the dots behind them.
std::string seal(std::string_view secret, std::string_view head, std::string_view expiry, std::string_view call_sid) {
    // The call sid comes last: it is the only part that may hold a dot.
    const std::string key = hmac_sha256(secret, "agentlocator stream token");
    std::string message(head);
    message.append(expiry).append(".").append(call_sid);
    return to_base64url(hmac_sha256(key, message));
}

std::string mint(const Settings& settings, std::string_view instance, std::string_view head, std::string_view call_sid,
                 std::int64_t now) {
    const std::string_view secret = settings.twilio_auth_token.empty() ? instance : settings.twilio_auth_token;
    const std::string expiry = std::to_string(now + stream_token_seconds);
    return std::string(head) + expiry + "." + seal(secret, head, expiry, call_sid);
}

// `rest`: what follows the head.
TokenVerdict check(const Settings& settings, std::string_view instance, std::string_view head, std::string_view rest,
                   std::string_view call_sid, std::int64_t now) {
    const auto dot = rest.find('.');
    if (dot == std::string_view::npos || dot > expiry_digits_max) {
        return TokenVerdict::malformed;
    }
    const auto expiry = parse_integer(rest.substr(0, dot));
    if (!expiry || *expiry < 0) {
        return TokenVerdict::malformed;
    }
    const std::string_view given = rest.substr(dot + 1);
    const std::string_view first = settings.twilio_auth_token.empty() ? instance : settings.twilio_auth_token;
    bool genuine = false;
    for (const std::string_view secret : std::array<std::string_view, 2>{first, settings.twilio_auth_token_old}) {
        if (!secret.empty()) {
            genuine = equal_constant_time(given, seal(secret, head, rest.substr(0, dot), call_sid)) || genuine;
        }
    }
    if (!genuine) {
        return TokenVerdict::forged;
    }
    return now < *expiry ? TokenVerdict::ok : TokenVerdict::expired;
}

}  // namespace

bool stream_token_required(const Settings& settings) {
    return settings.validate_twilio_signature && !settings.twilio_auth_token.empty();
}

std::string mint_stream_token(const Settings& settings, std::string_view instance, std::string_view call_sid,
                              std::int64_t now) {
    return mint(settings, instance, version, call_sid, now);
}

std::string_view to_string(TokenVerdict verdict) {
    switch (verdict) {
        case TokenVerdict::ok:
            return "ok";
        case TokenVerdict::missing:
            return "missing";
        case TokenVerdict::malformed:
            return "malformed";
        case TokenVerdict::expired:
            return "expired";
        case TokenVerdict::forged:
            return "forged";
    }
    ensure_failed("TokenVerdict has a name", __FILE__, __LINE__);
}

TokenVerdict check_stream_token(const Settings& settings, std::string_view instance, std::string_view token,
                                std::string_view call_sid, std::int64_t now) {
    if (token.empty()) {
        return TokenVerdict::missing;
    }
    if (!token.starts_with(version)) {
        return TokenVerdict::malformed;
    }
    return check(settings, instance, version, token.substr(version.size()), call_sid, now);
}

std::string mint_resume_token(const Settings& settings, std::string_view instance, std::string_view call_sid,
                              std::uint32_t resume, std::int64_t now) {
    return mint(settings, instance, std::string(resume_version) + std::to_string(resume) + ".", call_sid, now);
}

std::optional<std::uint32_t> check_resume_token(const Settings& settings, std::string_view instance,
                                                std::string_view token, std::string_view call_sid, std::int64_t now) {
    if (!token.starts_with(resume_version)) {
        return std::nullopt;
    }
    const auto dot = token.find('.', resume_version.size());
    if (dot == std::string_view::npos) {
        return std::nullopt;
    }
    const auto resume = parse_integer(token.substr(resume_version.size(), dot - resume_version.size()));
    if (!resume || *resume < 1 || *resume > resumes_max) {
        return std::nullopt;
    }
    const std::string_view head = token.substr(0, dot + 1);
    if (check(settings, instance, head, token.substr(dot + 1), call_sid, now) != TokenVerdict::ok) {
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(*resume);
}

}  // namespace agentlocator
