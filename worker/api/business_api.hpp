#pragma once
// What businesses have set for themselves, over /api. Secrets are shown nowhere.
//
//   GET  /api/businesses                                        whose numbers are whose
//   GET  /api/businesses/ID/settings  ?history=1                the newest values, or every version
//   POST /api/businesses/ID/settings  {name, value, channel?}   a new version; an empty value takes it away

#include <string_view>

#include "worker/api/api.hpp"

namespace agentlocator {

[[nodiscard]] bool is_business_path(std::string_view path);
[[nodiscard]] RouteResult business_answer(const HttpRequest& request, std::string_view path, const ApiContext& context);

}  // namespace agentlocator
