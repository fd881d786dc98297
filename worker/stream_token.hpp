#pragma once
// The token that ties a media stream to the call it was announced for. incoming_call puts it into a <Parameter>; Twilio
// hands it back in `start`. Twilio's signature on the upgrade is replayable and names no call, and the query of a
// stream URL is dropped (Twilio docs: Stream), so a parameter is the only proof that a stream belongs to a call we
// answered.
//
//   t1.<expiry, seconds since 1970>.<base64url(HMAC-SHA256(key, "t1." expiry "." call sid))>
//   key = HMAC-SHA256(auth token, "agentlocator stream token")
//
// Stateless: any worker, and the next one after a crash or a deploy, verifies it. It may be presented more than once
// until it expires; that needs the auth token's holder or the caller's own stream to leak it within those seconds.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/config.hpp"

namespace agentlocator {

// Twilio opens the stream within a second or two of the answer; its own limit for any request of a call is 15 s.
inline constexpr std::int64_t stream_token_seconds = 120;

// True when `start` must present a token: Twilio's signatures are checked, so strangers are to be kept out.
[[nodiscard]] bool stream_token_required(const Settings& settings);

// How often one call is connected again after its connection was lost: more means that the line is bad, not the moment.
inline constexpr std::uint32_t resumes_max = 3;

// The token of a stream that goes on with a call: r1.<n>.<expiry>.<seal over all of it and the call sid>, n counting
// from 1. Signed like the other, so that any host knows how often this call was resumed.
[[nodiscard]] std::string mint_resume_token(const Settings& settings, std::string_view instance,
                                            std::string_view call_sid, std::uint32_t resume, std::int64_t now);
// Which resume a token is for; nothing when it is not a valid one for this call now.
[[nodiscard]] std::optional<std::uint32_t> check_resume_token(const Settings& settings, std::string_view instance,
                                                              std::string_view token, std::string_view call_sid,
                                                              std::int64_t now);

// Without an auth token the key comes from the instance id, which /version tells everybody: such a token proves
// nothing, and none is required then.
[[nodiscard]] std::string mint_stream_token(const Settings& settings, std::string_view instance,
                                            std::string_view call_sid, std::int64_t now);

enum class TokenVerdict : std::uint8_t { ok, missing, malformed, expired, forged };  // forged: or of another call.
[[nodiscard]] std::string_view to_string(TokenVerdict verdict);

// Accepts what either auth token minted, so that a rotation ends no call. Expired from the second of expiry on.
[[nodiscard]] TokenVerdict check_stream_token(const Settings& settings, std::string_view instance,
                                              std::string_view token, std::string_view call_sid, std::int64_t now);

}  // namespace agentlocator
