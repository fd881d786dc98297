#pragma once
// Method and path -> handler. The one entry point from the shell into the HTTP side of a worker; pure.
//
// Matching works on a copy of the path: repeated slashes count as one (F-14), one at the end is ignored, so is the path
// of PUBLIC_BASE_URL at the front; nothing is percent-decoded. The raw target is kept for the signature. Nothing is
// ever redirected: Twilio would lose the body of a POST (it repeats as GET) and takes only 101 on the stream path
// (31920).
#include <string>
#include <string_view>

#include "common/http_message.hpp"
#include "worker/web_context.hpp"
#include "worker/webhook.hpp"

namespace agentlocator {

// Never throws. Whatever fails inside, stream_status answers 204 and stream_ended 200 with an empty document (F-9,
// F-13).
[[nodiscard]] RouteResult route(const HttpRequest& request, const WebContext& context);

// The answer to bytes that are no request: the status the parser gave, and close.
[[nodiscard]] HttpResponse parse_failure(unsigned status);

// The path as it is matched: "//webhook///x/?q" -> "/webhook/x". `prefix` is taken off the front.
[[nodiscard]] std::string normal_path(std::string_view target, std::string_view prefix);

// Whether the router has this path itself.
[[nodiscard]] bool is_routed(std::string_view path);

// How a handler is called: what it throws ends here, as `fallback()` (or 500 without one) and a line for the log.
using Handler = RouteResult (*)(const WebRequest&);
using Fallback = HttpResponse (*)();
[[nodiscard]] RouteResult run_guarded(Handler handler, Fallback fallback, const WebRequest& request);

}  // namespace agentlocator
