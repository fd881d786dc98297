#pragma once
// Health, version and front page: what platforms, operators and the supervisor's own port check ask. Pure; no database,
// no network (F-34).
#include "worker/web_context.hpp"
#include "worker/webhook.hpp"

namespace agentlocator {

[[nodiscard]] RouteResult front_page(const WebRequest& request);
[[nodiscard]] RouteResult healthz(const WebRequest& request);  // "ok": this process answers.
[[nodiscard]] RouteResult readyz(const WebRequest& request);   // JSON; 503 with the problems when degraded.
[[nodiscard]] RouteResult version(
    const WebRequest& request);  // JSON; which build and whose instance answers (F-3, P1).
[[nodiscard]] RouteResult metrics(const WebRequest& request);  // Prometheus text.

}  // namespace agentlocator
