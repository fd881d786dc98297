#pragma once
// What an HTTP request on the control socket asks for. Pure: a request in, a command or a refusal with a remedy out.
//
//   GET  /status /config /version          GET  /logs?target=1&lines=100&follow=1
//   POST /restart {"target":"1|bridge|all","rolling":false}     POST /scale {"workers":4}
//   POST /mode {"mode":"ECHO","for_seconds":600}                POST /stop {}     POST /reload {}
//   POST /upgrade {"folder":"/opt/agentlocator/2/bin"}
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "common/http_message.hpp"
#include "common/ws_mode.hpp"
#include "supervisor/supervisor.hpp"

namespace agentlocator {

inline constexpr std::size_t control_body_bytes_max = 64 * 1024;
inline constexpr std::size_t log_lines_asked = 100;

struct StatusQuery {};
struct ConfigQuery {};
struct VersionQuery {};
struct StopRequest {};
struct ReloadRequest {};
struct RestartRequest {
    RestartTarget target;
    bool rolling = false;
};
struct UpgradeRequest {
    std::string folder;  // Of the new programs, absolute; empty: where ours are.
};
struct ScaleRequest {
    std::uint32_t workers = 0;
};
struct ModeRequest {
    WsMode mode = WsMode::ai;
    std::optional<std::chrono::seconds> period;
};
struct LogsQuery {
    std::string target;  // Log target, "worker-1", "bridge", "supervisor"; empty: all.
    std::size_t lines = log_lines_asked;
    bool follow = false;
};

using ControlCommand = std::variant<StatusQuery, ConfigQuery, VersionQuery, StopRequest, ReloadRequest, RestartRequest,
                                    UpgradeRequest, ScaleRequest, ModeRequest, LogsQuery>;

struct ControlRefusal {
    unsigned status = 400;
    std::string error;
    std::string remedy;
};

[[nodiscard]] std::variant<ControlCommand, ControlRefusal> parse_control_request(const HttpRequest& request);

// {"ok":false,"error":...,"remedy":...}
[[nodiscard]] HttpResponse refusal_response(const ControlRefusal& refusal);
// {"ok":true,"message":...}
[[nodiscard]] HttpResponse success_response(std::string_view message);

}  // namespace agentlocator
