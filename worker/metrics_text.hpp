#pragma once
// The Prometheus text format (version 0.0.4): HELP and TYPE once, then all samples of a metric together. Pure.
// Any worker answers for all of them, from the shared slab, so that a scrape does not depend on who accepted it.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "worker/web_context.hpp"

namespace agentlocator {

inline constexpr std::string_view metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";

[[nodiscard]] std::string metrics_text(const WebContext& context, const std::vector<WorkerMetrics>& workers,
                                       bool ready);

// A label's value with backslash, quote and line feed escaped.
[[nodiscard]] std::string label_value(std::string_view value);

}  // namespace agentlocator
