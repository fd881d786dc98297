#pragma once
// Method and path -> handler. The one entry point from the shell into the HTTP side of a worker; pure.
//
// Matching works on a copy of the path: repeated slashes count as one (F-14), one at the end is ignored, nothing is
// percent-decoded. The raw target is kept for the signature. Nothing is ever redirected: Twilio would lose the body of
// a POST (a redirect repeats as GET) and refuses any answer but 101 on the stream path (31920).
#include "common/http_message.hpp"
#include "worker/web_context.hpp"

namespace agentlocator {

// Never throws. Whatever fails inside, stream_status answers 204 and stream_ended 200 with an empty document (F-9,
// F-13).
[[nodiscard]] RouteResult route(const HttpRequest& request, const WebContext& context);

// The answer to bytes that are no request: the status the parser gave, and close.
[[nodiscard]] HttpResponse parse_failure(unsigned status);

}  // namespace agentlocator
