#include "common/crash_point.hpp"

#ifdef AGENTLOCATOR_CRASH_POINTS

#include <csignal>
#include <cstdlib>
#include <string_view>

namespace agentlocator {
namespace {

struct Plan {
    std::string_view name;
    long passes = 0;
};

Plan read_plan() {
    const char* text = std::getenv("AGENTLOCATOR_CRASH");
    if (text == nullptr) {
        return {};
    }
    const std::string_view whole(text);
    const auto colon = whole.find(':');
    return {whole.substr(0, colon), colon == std::string_view::npos ? 1 : std::strtol(text + colon + 1, nullptr, 10)};
}

}  // namespace

void crash_point(const char* name) noexcept {
    static Plan plan = read_plan();
    if (plan.name == name && --plan.passes == 0) {
        ::raise(SIGKILL);
    }
}

}  // namespace agentlocator

#endif
