#pragma once
// Creates and maps the call slab (common/call_slab.hpp). The mapping lasts as long as the process.
#include <string_view>

#include "common/call_slab.hpp"
#include "common/io/unique_fd.hpp"
#include "common/result.hpp"

namespace agentlocator {

struct SlabFile {
    UniqueFd fd;               // Sealed against shrinking and growing: a peer cannot cause SIGBUS.
    CallSlab* slab = nullptr;  // Never unmapped.
};

// A new, empty slab in a memfd. `instance` goes into /version (at most 39 characters).
[[nodiscard]] Result<SlabFile> create_slab(std::string_view instance);

// Maps one made by another process; refuses another magic or layout.
[[nodiscard]] Result<CallSlab*> map_slab(int fd);

}  // namespace agentlocator
