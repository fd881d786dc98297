#include "worker/api/api.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "store/messages.hpp"
#include "store/phone.hpp"
#include "store/queries.hpp"
#include "worker/api/api_reply.hpp"
#include "worker/api/business_api.hpp"
#include "worker/digest.hpp"
#include "worker/form.hpp"

namespace agentlocator {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t per_page_max = 100;
constexpr std::size_t message_bytes_max = 65'536 * 4;  // WhatsApp's 65 536 characters, in UTF-8.
constexpr std::size_t idempotency_bytes_max = 200;
constexpr std::string_view conversation_prefix = "/api/whatsapp/conversation/";
constexpr std::string_view call_prefix = "/api/calls/";

struct Call {
    const HttpRequest& http;
    std::string_view path;
    const ApiContext& context;
    FormFields query;
};

std::int64_t number(const Call& call, std::string_view name, std::int64_t otherwise, std::int64_t most) {
    const auto value = parse_integer(field(call.query, name));
    return std::clamp<std::int64_t>(value.value_or(otherwise), 1, most);
}

std::optional<std::int64_t> business(const Call& call) {
    return parse_integer(field(call.query, "business_id"));
}

HttpResponse database_failed(const Error&) {
    return api_error(503, "the database does not answer now");
}

Json pagination(std::int64_t page, std::int64_t per_page, std::int64_t total) {
    return {{"page", page}, {"per_page", per_page}, {"total", total}, {"pages", (total + per_page - 1) / per_page}};
}

HttpResponse list_answer(const Call& call, std::string_view name, Result<Table> (*list)(Database&, const Page&)) {
    const std::int64_t per_page = number(call, "per_page", 50, per_page_max);
    const std::int64_t page = number(call, "page", 1, INT64_MAX / per_page_max);
    const auto days = parse_integer(field(call.query, "days"));
    const auto table =
        list(*call.context.database,
             {.business = business(call),
              .since = days ? call.context.now_ms - std::clamp<std::int64_t>(*days, 0, 36'500) * 86'400'000 : 0,
              .limit = per_page,
              .offset = (page - 1) * per_page});
    if (!table) {
        return database_failed(table.error());
    }
    Json document = {{"success", true}, {"ok", true}};
    document[std::string(name)] = to_json(*table);
    document["page"] = page;
    document["per_page"] = per_page;
    return api_reply(200, document);
}

HttpResponse one_call(const Call& call) {
    const auto record = show_call(*call.context.database, std::string(call.path.substr(call_prefix.size())));
    if (!record) {
        return database_failed(record.error());
    }
    if (record->call.rows.empty()) {
        return api_error(404, "no such call");
    }
    Json document = {{"success", true}, {"ok", true}};
    document["call"] = to_json(record->call, 0);
    document["turns"] = to_json(record->turns);
    document["recordings"] = to_json(record->recordings);
    document["appointments"] = to_json(record->appointments);
    return api_reply(200, document);
}

HttpResponse messages_answer(const Call& call) {
    const std::int64_t per_page = number(call, "per_page", 20, per_page_max);
    const std::int64_t page = number(call, "page", 1, INT64_MAX / per_page_max);
    const std::string direction(field(call.query, "direction"));
    const auto found = list_messages(*call.context.database, {.business = business(call),
                                                              .direction = direction,
                                                              .status = std::string(field(call.query, "status")),
                                                              .limit = per_page,
                                                              .offset = (page - 1) * per_page});
    if (!found) {
        return database_failed(found.error());
    }
    return api_reply(200, {{"success", true},
                           {"ok", true},
                           {"messages", to_json(found->messages)},
                           {"pagination", pagination(page, per_page, found->total)}});
}

HttpResponse conversations_answer(const Call& call) {
    const auto found = list_messages(*call.context.database,
                                     {.business = business(call), .latest_of_each = true, .limit = page_rows_max});
    if (!found) {
        return database_failed(found.error());
    }
    return api_reply(
        200, {{"success", true}, {"ok", true}, {"conversations", to_json(found->messages)}, {"total", found->total}});
}

HttpResponse conversation_answer(const Call& call) {
    // A plus in a path is a plus; some clients encode it.
    std::string written(call.path.substr(conversation_prefix.size()));
    if (written.starts_with("%2B") || written.starts_with("%2b")) {
        written.replace(0, 3, "+");
    }
    if (const auto at = written.find("%40"); at != std::string::npos) {
        written.replace(at, 3, "@");
    }
    // Who hides his number, and a group, are known by their address alone.
    const auto phone = normal_phone(written);
    if (!phone && written.find('@') == std::string::npos) {
        return api_error(400, "not a telephone number");
    }
    const std::string chat = phone.value_or(written);
    const std::int64_t per_page = number(call, "per_page", 50, per_page_max);
    const std::int64_t page = number(call, "page", 1, INT64_MAX / per_page_max);
    const auto found = list_messages(*call.context.database, {.business = business(call),
                                                              .chat = chat,
                                                              .oldest_first = true,
                                                              .limit = per_page,
                                                              .offset = (page - 1) * per_page});
    if (!found) {
        return database_failed(found.error());
    }
    return api_reply(200, {{"success", true},
                           {"ok", true},
                           {"conversation", to_json(found->messages)},
                           {"phone_number", chat},
                           {"pagination", pagination(page, per_page, found->total)}});
}

std::string text_of(const Json& body, const char* name) {
    const auto found = body.find(name);
    return found != body.end() && found->is_string() ? found->get<std::string>() : std::string();
}

RouteResult bad_request(std::string_view what) {
    return {.answer = api_error(400, what)};
}

HttpResponse queued(const MessageOutFact& message, std::string_view status, std::string_view provider) {
    return api_reply(202, {{"success", true},
                           {"ok", true},
                           {"result", {{"provider", provider}, {"status", status}}},
                           {"message_id", message.id}});
}

std::string idempotency_key(const HttpRequest& request, const Json& body) {
    const auto header = request.header("Idempotency-Key");
    return header ? std::string(*header) : text_of(body, "idempotency_key");
}

// What must be the same under one idempotency key.
std::string hash_of(const MessageOutFact& message) {
    const std::string digest = sha256(Json({message.to, message.text, message.media_url, message.provider}).dump());
    return hex(digest.data(), digest.size());
}

// Under a key that is known: the answer of before, or 409 for another message.
std::optional<HttpResponse> known_answer(const MessageOutFact& message, const ApiContext& context) {
    if (context.database == nullptr) {
        return std::nullopt;  // The same id is not sent twice all the same: the outbox keeps the first.
    }
    const auto known = find_outbox(*context.database, message.id);
    if (!known || !*known) {
        return std::nullopt;
    }
    if ((*known)->body_hash != message.body_hash) {
        return api_error(409, "this idempotency key was used for another message");
    }
    return queued(message, (*known)->status, (*known)->provider);
}

RouteResult send(const Call& call) {
    const Json body = Json::parse(call.http.body, nullptr, false);
    if (!body.is_object()) {
        return bad_request("the body must be a JSON object");
    }
    MessageOutFact message{.business = body.contains("business_id") && body["business_id"].is_number_integer()
                                           ? body["business_id"].get<std::int64_t>()
                                           : 0,
                           .provider = text_of(body, "provider"),
                           .text = text_of(body, "message"),
                           .media_url = text_of(body, "media_url"),
                           .asked_at = call.context.now_ms};
    message.text = message.text.empty() ? text_of(body, "text") : message.text;
    message.provider = message.provider.empty() ? call.context.settings.whatsapp_provider : message.provider;
    const auto to = normal_phone(text_of(body, "to"));
    if (text_of(body, "to").ends_with("@g.us")) {
        return bad_request("\"to\" is a group: only people are written to");
    }
    if (!to) {
        return bad_request("\"to\" must be a telephone number");
    }
    if (message.text.empty() && message.media_url.empty()) {
        return bad_request("\"message\" is missing");
    }
    if (message.text.size() > message_bytes_max) {
        return bad_request("\"message\" is too long");
    }
    if (message.provider != "auto" && message.provider != "baileys" && message.provider != "twilio") {
        return bad_request("\"provider\" must be baileys, twilio or auto");
    }
    const std::string key = idempotency_key(call.http, body);
    if (key.size() > idempotency_bytes_max) {
        return bad_request("the idempotency key is too long");
    }
    message.to = *to;
    message.body_hash = hash_of(message);
    message.id = key.empty() ? call.context.random_id : message_id(message.business, key);
    if (!key.empty()) {
        if (auto known = known_answer(message, call.context)) {
            return {.answer = std::move(*known)};
        }
    }
    return {.answer = queued(message, "queued", message.provider),
            .facts = {message},
            .unless_stored = api_error(503, "the message could not be stored")};
}

RouteResult answer_with_database(const Call& call) {
    if (call.path == "/api/calls") {
        return {.answer = list_answer(call, "calls", list_calls)};
    }
    if (call.path == "/api/leads") {
        return {.answer = list_answer(call, "leads", list_leads)};
    }
    if (call.path == "/api/whatsapp/messages") {
        return {.answer = messages_answer(call)};
    }
    if (call.path == "/api/whatsapp/conversations") {
        return {.answer = conversations_answer(call)};
    }
    if (call.path.starts_with(conversation_prefix)) {
        return {.answer = conversation_answer(call)};
    }
    if (call.path.starts_with(call_prefix)) {
        return {.answer = one_call(call)};
    }
    return {.answer = api_error(404, "no such path")};
}

}  // namespace

std::string message_id(std::int64_t business, std::string_view idempotency_key) {
    const std::string digest = sha256(std::to_string(business) + "/" + std::string(idempotency_key));
    return "m" + hex(digest.data(), 16);
}

bool api_needs_database(const HttpRequest& request, std::string_view path) {
    return path != "/api/whatsapp/send" || request.header("Idempotency-Key").has_value();
}

RouteResult api_answer(const HttpRequest& request, std::string_view path, const ApiContext& context) {
    auto query = parse_form(request.query());
    const Call call{request, path, context, query ? std::move(*query) : FormFields()};
    if (path == "/api/whatsapp/send") {
        return request.method == "POST" ? send(call) : RouteResult{.answer = api_error(405, "use POST")};
    }
    if (is_business_path(path)) {
        return business_answer(request, path, context);
    }
    if (request.method != "GET") {
        return {.answer = api_error(405, "use GET")};
    }
    if (context.database == nullptr) {
        return {.answer = api_error(503, "the database does not answer now")};
    }
    return answer_with_database(call);
}

}  // namespace agentlocator
