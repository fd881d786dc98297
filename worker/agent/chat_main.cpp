// agentlocator-chat: `agentlocator chat`.
#include <cstdio>
#include <exception>

#include "common/exit_code.hpp"
#include "common/io/settings_source.hpp"
#include "worker/agent/io/chat.hpp"

int main() {
    using namespace agentlocator;
    try {
        const LoadedSettings loaded = load_settings({}, setting_facts());
        for (const SettingFault& fault : loaded.parsed.faults) {
            std::fprintf(stderr, "%s\n", fault.detail.c_str());
        }
        return loaded.parsed.faults.empty() ? run_chat(loaded.parsed.settings) : to_int(ExitCode::bad_config);
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "agentlocator chat: %s\n", failure.what());
        return to_int(ExitCode::internal);
    }
}
