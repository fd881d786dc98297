#include "supervisor/io/take_port.hpp"

#include <utility>

#include "common/io/settings_source.hpp"
#include "supervisor/io/stale_cleanup.hpp"

namespace agentlocator {
namespace {

// The listener of adopted workers is the one to go on with, unless the settings name another place by now.
bool is_where(const PublicSocket& socket, const Settings& settings) {
    return socket.fd && (socket.activated || (socket.port == settings.port && socket.address == settings.bind_address));
}

}  // namespace

Result<PortTaken> take_port(PublicSocket activated, const Settings& settings, const std::optional<LockRecord>& previous,
                            bool takeover, Adoption* adoption, const Report& report) {
    PortTaken taken;
    taken.socket = std::move(activated);
    if (adoption != nullptr && !taken.socket.fd && is_where(adoption->listener, settings)) {
        taken.socket = std::move(adoption->listener);
    }
    Result<PublicSocket> opened = error(Errc::refused, "");
    if (!taken.socket.fd) {
        opened = open_public_socket(settings.bind_address, settings.port);
        if (!opened && opened.error().code != Errc::refused) {
            return opened.error();
        }
    }
    StaleScope scope = make_stale_scope(settings, find_installation_root(), previous, takeover);
    if (adoption != nullptr) {
        for (const std::int64_t pid : adoption->pids()) {
            scope.living.push_back(pid);
        }
    }
    const auto cleared = clear_stale(scope, settings.term_timeout, report);
    if (!cleared) {
        return cleared.error();
    }
    std::string owners;
    for (const StaleVerdict& verdict : cleared->remaining) {
        owners += "\n  " + describe(verdict);
    }
    if (!taken.socket.fd) {
        if (!opened) {
            opened = open_public_socket(settings.bind_address, settings.port);
        }
        if (!opened && adoption != nullptr && adoption->listener.fd) {
            // Calls are going on: better on the old port than not at all. The same number is our own listener, at an
            // address that was written in another way.
            if (adoption->listener.port != settings.port) {
                taken.problems.push_back({"port_kept",
                                          opened.error().detail + owners + "; serving on port " +
                                              std::to_string(adoption->listener.port) + " as before",
                                          "free the port, then `agentlocator stop` and start again"});
            }
            taken.socket = std::move(adoption->listener);
            owners.clear();
        } else if (!opened) {
            return error(opened.error().code, opened.error().detail + owners);
        } else {
            taken.socket = std::move(*opened);
        }
    }
    if (!owners.empty()) {
        taken.problems.push_back(
            {"port_shared", "another process listens on our port too:" + owners, "end it, or start with --takeover"});
    }
    return taken;
}

}  // namespace agentlocator
