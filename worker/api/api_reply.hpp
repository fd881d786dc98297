#pragma once
// Answers of /api: JSON in the shapes of the original, where `success` and `ok` say the same. Pure.
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "common/http_message.hpp"

namespace agentlocator {

[[nodiscard]] HttpResponse api_reply(unsigned status, const nlohmann::ordered_json& document);
// {"success":false,"ok":false,"error":...}
[[nodiscard]] HttpResponse api_error(unsigned status, std::string_view what);

}  // namespace agentlocator
