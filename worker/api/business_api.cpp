#include "worker/api/business_api.hpp"

#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "store/business_settings.hpp"
#include "store/queries.hpp"
#include "worker/api/api_reply.hpp"
#include "worker/form.hpp"

namespace agentlocator {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view list_path = "/api/businesses";
constexpr std::string_view settings_suffix = "/settings";

// Of "/api/businesses/ID/settings". Nothing: another path.
std::optional<std::int64_t> business_of(std::string_view path) {
    if (!path.starts_with(list_path) || !path.ends_with(settings_suffix) ||
        path.size() <= list_path.size() + 1 + settings_suffix.size() || path[list_path.size()] != '/') {
        return std::nullopt;
    }
    path.remove_prefix(list_path.size() + 1);
    path.remove_suffix(settings_suffix.size());
    return parse_integer(path);
}

HttpResponse database_failed() {
    return api_error(503, "the database does not answer now");
}

HttpResponse listed(const Result<Table>& table, const char* name) {
    if (!table) {
        return database_failed();
    }
    Json document = {{"success", true}, {"ok", true}};
    document[name] = to_json(*table);
    return api_reply(200, document);
}

HttpResponse change(const HttpRequest& request, std::int64_t business, const ApiContext& context) {
    const Json body = Json::parse(request.body, nullptr, false);
    const auto word = [&](const char* name) -> std::optional<std::string> {
        const bool given = body.is_object() && body.contains(name) && body[name].is_string();
        return given ? std::optional(body[name].get<std::string>()) : std::nullopt;
    };
    const auto name = word("name");
    const auto value = word("value");
    if (!name || !value || (body.contains("channel") && !word("channel"))) {
        return api_error(400, R"(the body must be {"name": TEXT, "value": TEXT, "channel": TEXT})");
    }
    const auto version = change_business(
        *context.database,
        {.business = business, .channel = word("channel").value_or(""), .name = *name, .value = *value, .by = "api"},
        context.now_ms);
    if (version) {
        return api_reply(200, {{"success", true}, {"ok", true}, {"version", *version}});
    }
    const Error& fault = version.error();
    return fault.code == Errc::bad_message ? api_error(400, fault.detail)
           : fault.code == Errc::not_found ? api_error(404, "no such business")
                                           : database_failed();
}

}  // namespace

bool is_business_path(std::string_view path) {
    return path == list_path || business_of(path).has_value();
}

RouteResult business_answer(const HttpRequest& request, std::string_view path, const ApiContext& context) {
    const auto business = business_of(path);
    const bool post = request.method == "POST" && business;
    if (!post && request.method != "GET") {
        return {.answer = api_error(405, business ? "use GET or POST" : "use GET")};
    }
    if (context.database == nullptr) {
        return {.answer = database_failed()};
    }
    if (post) {
        return {.answer = change(request, *business, context)};
    }
    if (!business) {
        return {.answer = listed(list_businesses(*context.database), "businesses")};
    }
    const auto query = parse_form(request.query());
    const bool history = query && field(*query, "history") == "1";
    return {.answer = listed(list_business_values(*context.database, *business, history), "settings")};
}

}  // namespace agentlocator
