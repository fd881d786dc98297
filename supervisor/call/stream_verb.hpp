#pragma once
// The rules of <Stream> inside <Connect> (Twilio docs: TwiML <Stream>). Pure.
#include <string_view>

#include "supervisor/call/twiml.hpp"
#include "supervisor/call/url.hpp"

namespace agentlocator::call {

constexpr std::size_t parameter_chars_max = 500;  // Of name and value together.

// Reports what is wrong with it. False: it cannot be opened at all. Twilio opens wss:// only (31922). A server that was
// itself called in clear, by the very address that it names, may say ws://: it was told of no other name, and no Twilio
// will ever see that answer. `called_in_clear` is that address; empty when there is none.
[[nodiscard]] bool check_stream(const TwimlNode& stream, const Url& url, std::string_view called_in_clear,
                                Violations& violations);

}  // namespace agentlocator::call
