#pragma once
// Responses of the few shapes we use, each with the same safety headers. Pure.
#include <string>
#include <string_view>

#include "common/http_message.hpp"
#include "worker/web_context.hpp"

namespace agentlocator {

// Every reply: never stored (a stale TwiML or health answer lies), never sniffed, framed or run as a page.
[[nodiscard]] HttpResponse reply(unsigned status, std::string_view content_type, std::string body);

[[nodiscard]] HttpResponse text_reply(unsigned status, std::string_view line);  // A line break is added.
[[nodiscard]] HttpResponse xml_reply(std::string_view document);                // 200 text/xml (12300, F-12).
[[nodiscard]] HttpResponse no_content();                                        // 204

// Turned away: `line` says why and what to do; it never holds a token, a signature or a phone number.
[[nodiscard]] RouteResult refuse(HttpResponse answer, std::string line);

// A peer's value for a log line: short, and "-" when empty. log_text is escaped too, for lines without fields.
[[nodiscard]] std::string log_cut(std::string_view value);
[[nodiscard]] std::string log_text(std::string_view value);

// The path of a target for a log line. The query stays out: that of a GET webhook holds phone numbers.
[[nodiscard]] std::string log_path(std::string_view target);

}  // namespace agentlocator
