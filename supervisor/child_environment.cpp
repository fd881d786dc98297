#include "supervisor/child_environment.hpp"

#include <algorithm>
#include <array>

#include "common/control_packet.hpp"
#include "common/speech_message.hpp"
#include "supervisor/child_record.hpp"

namespace agentlocator {
namespace {

// Ours alone: descriptors, the service manager, and what a supervisor above us may have told us about ourselves.
constexpr std::array<std::string_view, 12> not_inherited{
    "LISTEN_PID",       "LISTEN_FDS",         "LISTEN_FDNAMES",      "NOTIFY_SOCKET",      "WATCHDOG_USEC",
    "WATCHDOG_PID",     "AGENTLOCATOR_SLOT",  "AGENTLOCATOR_WORKER", "AGENTLOCATOR_BUILD", "AGENTLOCATOR_INSTANCE",
    child_tag_variable, spawn_serial_variable};

bool is_inherited(std::string_view name) {
    const auto& settings = setting_names();
    return std::find(not_inherited.begin(), not_inherited.end(), name) == not_inherited.end() &&
           std::find(settings.begin(), settings.end(), name) == settings.end();
}

// The speech helper holds engines of others that read what callers cause to be said. It gets what it needs, by name,
// and nobody's key.
bool speech_may_have(std::string_view name) {
    constexpr std::array<std::string_view, 12> allowed{"PATH",           "HOME",
                                                       "LANG",           "TZ",
                                                       "TMPDIR",         "LD_LIBRARY_PATH",
                                                       "AGENT_LANGUAGE", "ORPHAN_GRACE_MS",
                                                       "ASAN_OPTIONS",   "UBSAN_OPTIONS",
                                                       "TSAN_OPTIONS",   "LSAN_OPTIONS"};
    return std::find(allowed.begin(), allowed.end(), name) != allowed.end() || name.starts_with("EMBEDDED_");
}

// The bridge talks to WhatsApp, not to Twilio or a speech service: it gets no key but the one its own door asks for.
bool may_have(const ChildIdentity& child, std::string_view entry) {
    const std::string_view name = entry.substr(0, entry.find('='));
    if (child.is_speech) {
        return speech_may_have(name);
    }
    const auto& secrets = secret_setting_names();
    return child.is_worker || name == "BAILEYS_SECRET" ||
           (!name.starts_with("TWILIO_") && std::find(secrets.begin(), secrets.end(), name) == secrets.end());
}

}  // namespace

std::vector<std::string> child_environment(const std::vector<std::string_view>& own, const Settings& settings,
                                           const std::vector<std::string>& others, const ChildIdentity& child) {
    std::vector<std::string> environment;
    const auto add = [&](std::string_view entry) {
        if (may_have(child, entry)) {
            environment.emplace_back(entry);
        }
    };
    for (const std::string_view entry : own) {
        if (is_inherited(entry.substr(0, entry.find('=')))) {
            add(entry);
        }
    }
    for (const std::string& entry : to_environment(settings)) {
        add(entry);
    }
    for (const std::string& entry : others) {
        add(entry);
    }
    const auto set = [&](std::string_view name, std::string_view value) {
        environment.push_back(std::string(name) + "=" + std::string(value));
    };
    set("AGENTLOCATOR_SLOT", child.slot);
    set("AGENTLOCATOR_INSTANCE", child.instance);
    set("AGENTLOCATOR_BUILD", child.build);
    set(child_tag_variable, std::string(child_tag_service) + "/" + std::string(child.instance));
    set(spawn_serial_variable, std::to_string(child.serial));
    if (child.is_worker) {
        set("AGENTLOCATOR_WORKER", std::to_string(child.entry));
        set("LISTEN_FDS", "3");  // LISTEN_PID is known after the fork only (io/spawner).
        set("LISTEN_FDNAMES", std::string(fd_name_http) + ":" + fd_name_control + ":" + fd_name_slab);
        set(speech_socket_variable, settings.runtime_dir + "/" + speech_socket_name);
    }
    if (child.is_speech) {
        set("LISTEN_FDS", "2");
        set("LISTEN_FDNAMES", std::string(fd_name_speech) + ":" + fd_name_heartbeat);
    }
    return environment;
}

}  // namespace agentlocator
