#pragma once
// The handlers of /api: request in, answer and facts out. They run on the API thread and may ask the database; the gate
// has let the request in already. What a request acknowledges is told as a fact and answered when it is durable.
//
//   GET  /api/calls  /api/calls/<sid>  /api/leads               ?business_id= &page= &per_page= &days=
//   POST /api/whatsapp/send            {to, message|text, provider?, business_id?, media_url?, idempotency_key?}
//   GET  /api/whatsapp/messages        ?business_id= &direction= &status= &page= &per_page=
//   GET  /api/whatsapp/conversations   /api/whatsapp/conversation/<phone>
//   /api/businesses ...                worker/api/business_api
#include <optional>
#include <string>

#include "common/config.hpp"
#include "common/http_message.hpp"
#include "store/database.hpp"
#include "worker/web_context.hpp"

namespace agentlocator {

struct ApiContext {
    const Settings& settings;
    std::int64_t now_ms = 0;
    std::string random_id;         // For a message without an idempotency key.
    Database* database = nullptr;  // Null: it cannot be reached now.
};

// Requests that need no database are answered without one, and first.
[[nodiscard]] bool api_needs_database(const HttpRequest& request, std::string_view path);

[[nodiscard]] RouteResult api_answer(const HttpRequest& request, std::string_view path, const ApiContext& context);

// The id of a message: the same for the same key of the same business, however often and by whomever it is sent.
[[nodiscard]] std::string message_id(std::int64_t business, std::string_view idempotency_key);

}  // namespace agentlocator
