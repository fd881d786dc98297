#include "common/ensure.hpp"

#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

namespace agentlocator {
namespace {

void put(const char* text) noexcept {
    [[maybe_unused]] const auto ignored = ::write(2, text, std::strlen(text));
}

}  // namespace

void ensure_failed(const char* condition, const char* file, int line) noexcept {
    char digits[16] = {};
    std::to_chars(digits, digits + sizeof digits - 1, line);
    put("event=invariant_broken condition=\"");
    put(condition);
    put("\" at=");
    put(file);
    put(":");
    put(digits);
    put("\n");
    std::abort();
}

}  // namespace agentlocator
