#pragma once
// Asks the running supervisor over its Unix socket. One request a connection, everything with a deadline. An error's
// detail says what to do.
#include <chrono>
#include <functional>
#include <string>

#include "common/config.hpp"
#include "common/http_message.hpp"
#include "common/io/unique_fd.hpp"
#include "common/result.hpp"

namespace agentlocator {

struct ControlPlace {
    std::string socket;     // <runtime_dir>/control.sock
    std::string lock_path;  // Its holder may have been started with another runtime folder, and says where it answers.
};

inline constexpr std::chrono::milliseconds control_deadline{
    5000};  // Status takes 5 ms; a stalled machine takes longer.

class ControlClient {
public:
    explicit ControlClient(ControlPlace place) : place_(std::move(place)) {}

    // not_found: no supervisor runs. timeout: it does not answer. refused: we may not ask it.
    [[nodiscard]] Result<HttpResponse> ask(const std::string& method, const std::string& target,
                                           const std::string& body = {},
                                           std::chrono::milliseconds deadline = control_deadline) const;

    // Gives the body to `take` as it comes until the supervisor ends it, `stop_fd` becomes readable (a signal) or
    // `take` returns false.
    [[nodiscard]] Result<void> follow(const std::string& target, int stop_fd,
                                      const std::function<bool(std::string_view)>& take) const;

private:
    [[nodiscard]] Result<UniqueFd> connect() const;

    ControlPlace place_;
};

}  // namespace agentlocator
