#pragma once
// The rules of <Stream> inside <Connect> (Twilio docs: TwiML <Stream>). Pure.
#include "supervisor/call/twiml.hpp"
#include "supervisor/call/url.hpp"

namespace agentlocator::call {

constexpr std::size_t parameter_chars_max = 500;  // Of name and value together.

// Reports what is wrong with it. False: Twilio could not open it at all.
[[nodiscard]] bool check_stream(const TwimlNode& stream, const Url& url, Violations& violations);

}  // namespace agentlocator::call
