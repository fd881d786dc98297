#pragma once
// Every TwiML document we answer with is built here. Pure; compact, because blanks before the declaration or between
// tags have been blamed for 12100; only attributes that Twilio's schema knows (12200).
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "worker/base_url.hpp"

namespace agentlocator {

// Twilio docs: Stream, Parameter: name and value together must stay under 500 characters. Counted in bytes, which is
// never fewer.
inline constexpr std::size_t parameter_bytes_max = 499;

struct ConnectCall {
    const BaseUrl& base;
    std::string_view call_sid;
    std::string_view from;
    std::string_view to;
    std::string_view token;     // Empty: no such parameter.
    std::string_view resume{};  // The same.
};

struct ConnectDocument {
    std::string xml;
    std::vector<std::string_view>
        dropped{};  // Parameters too long to be passed. Never cut: half a number is a wrong one.
};

// <Connect action><Stream url statusCallback><Parameter .../>...</Stream></Connect><Hangup/>
// The tail decides what happens when Twilio does not follow the action: the call ends, it never falls silent (a <Pause>
// here kept callers on a dead line).
[[nodiscard]] ConnectDocument connect_document(const ConnectCall& call);

// Nothing more to do: Twilio hangs up. The only answer to an <action> that never does harm (F-9).
[[nodiscard]] std::string_view empty_document();

// Every line is taken: says so in Hebrew and English, then hangs up. Hebrew needs one of the Google voices (13512,
// 13520).
[[nodiscard]] std::string_view busy_document();

// Fit for an attribute in double quotes and for text. What XML 1.0 cannot hold, bad UTF-8 included, becomes U+FFFD: one
// such byte would make the whole document unreadable (12100).
[[nodiscard]] std::string xml_escape(std::string_view text);

}  // namespace agentlocator
