#include "worker/api/api_reply.hpp"

#include <nlohmann/json.hpp>

#include "worker/http_reply.hpp"

namespace agentlocator {

using Json = nlohmann::ordered_json;

HttpResponse api_reply(unsigned status, const Json& document) {
    return reply(status, "application/json; charset=utf-8",
                 document.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

HttpResponse api_error(unsigned status, std::string_view what) {
    return api_reply(status, {{"success", false}, {"ok", false}, {"error", what}});
}

}  // namespace agentlocator
