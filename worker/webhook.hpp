#pragma once
// Twilio's webhooks: request -> response as pure functions. The router has checked method and signature before.
//
//   incoming_call     connect the call to the media path, or the apology when every line is taken
//   stream_status     204 whatever the body: anything else is reported as 15003 (F-13)
//   stream_ended      200 with a document always: it is the <action> of <Connect>; 204 there is 12100 and made Twilio
//                     connect the call a second time to a dead stream (F-9). Empty, unless the stream broke off while
//                     somebody holds the line: then the call is connected again, at most resumes_max times
//   call_status       204 once the status is durable, 503 when it cannot be stored
//   handle_recording  as the action of <Record> an empty document; as a status callback 204 or 503, as above
//
// incoming_call tells the store too, and waits for nothing: a call goes on without it. Routes that take unsigned
// requests (stream_status, stream_ended) tell it nothing.
#include "common/http_message.hpp"
#include "worker/form.hpp"
#include "worker/web_context.hpp"

namespace agentlocator {

struct WebRequest {
    const HttpRequest& http;
    const WebContext& context;
    const FormFields& fields;  // Of the form body of a POST, or the query of a GET.
};

[[nodiscard]] RouteResult incoming_call(const WebRequest& request);
[[nodiscard]] RouteResult incoming_call_preview(
    const WebRequest& request);  // To be looked at; its stream gets no token.
[[nodiscard]] RouteResult stream_status(const WebRequest& request);
[[nodiscard]] RouteResult stream_ended(const WebRequest& request);
[[nodiscard]] RouteResult call_status(const WebRequest& request);
[[nodiscard]] RouteResult handle_recording(const WebRequest& request);
[[nodiscard]] RouteResult webhook_test(const WebRequest& request);

}  // namespace agentlocator
