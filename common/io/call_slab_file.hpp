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

// A new, empty slab in a memfd, with the first region for this build's layout. `instance` goes into /version (at most
// 39 characters).
[[nodiscard]] Result<SlabFile> create_slab(std::string_view instance);

// For a supervisor: maps one made by another process; refuses another magic or control part. The memory of calls is
// there only if workers of this build's layout have been (holds_memory); otherwise it must not be touched.
[[nodiscard]] Result<CallSlab*> map_slab(int fd);

// For a worker: the same, with a region of its layout; its entry says which from then on. Refused when other layouts
// occupy all regions.
[[nodiscard]] Result<CallSlab*> join_slab(int fd, std::uint32_t worker);

// The memory of that slot is laid out as this build does.
[[nodiscard]] bool holds_memory(const CallSlab& slab, std::uint32_t slot);

// Empties the regions that no worker and no call uses any more while workers of other layouts live. The supervisor's,
// who alone starts workers: none may be on its way into a region. Returns which, one bit each.
[[nodiscard]] std::uint32_t free_regions(CallSlab& slab, int fd);

}  // namespace agentlocator
