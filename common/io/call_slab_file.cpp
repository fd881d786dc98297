#include "common/io/call_slab_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <string>
#include <system_error>

namespace agentlocator {
namespace {

Error system_error(const char* what) {
    return error(Errc::io, std::string("call slab: ") + what + ": " + std::generic_category().message(errno));
}

constexpr std::uint32_t no_memory = slab_regions_max;

// One range of addresses: the control part, and behind it the memory of `region`, if any.
void* map(int fd, std::uint32_t region) {
    void* const at = ::mmap(nullptr, sizeof(CallSlab), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        return at;
    }
    constexpr int shared = MAP_SHARED | MAP_FIXED;
    bool mapped = ::mmap(at, slab_memory_at, PROT_READ | PROT_WRITE, shared, fd, 0) != MAP_FAILED;
    if (mapped && region != no_memory) {
        mapped =
            ::mmap(static_cast<char*>(at) + slab_memory_at, sizeof(CallSlab) - slab_memory_at, PROT_READ | PROT_WRITE,
                   shared, fd, static_cast<off_t>(slab_control_bytes + region * slab_region_bytes)) != MAP_FAILED;
    }
    if (!mapped) {
        ::munmap(at, sizeof(CallSlab));
        return MAP_FAILED;
    }
    return at;
}

Result<CallSlab*> map_checked(int fd, std::uint32_t region) {
    struct stat facts {};
    if (::fstat(fd, &facts) != 0) {
        return system_error("fstat");
    }
    if (static_cast<std::uint64_t>(facts.st_size) != slab_file_bytes) {
        return error(Errc::bad_message, "call slab: " + std::to_string(facts.st_size) + " bytes, this build has " +
                                            std::to_string(slab_file_bytes));
    }
    void* const at = map(fd, region);
    if (at == MAP_FAILED) {
        return system_error("mmap");
    }
    auto* const slab = static_cast<CallSlab*>(at);
    if (slab->magic != CallSlab::magic_value || slab->layout != control_layout()) {
        ::munmap(at, sizeof(CallSlab));
        return error(Errc::bad_message, "call slab: made by a build with another layout of its control part");
    }
    return slab;
}

std::uint32_t region_of(const CallSlab& slab, std::uint64_t layout) {
    for (std::uint32_t region = 0; region < slab_regions_max; ++region) {
        if (slab.regions[region].load() == layout) {
            return region;
        }
    }
    return no_memory;
}

// Finds or takes the region of our layout. Workers of a new build may do so at once: should two of them, by the
// supervisor's freeing one in between, take two regions, then these count as two layouts, which is no harm.
std::uint32_t take_region(CallSlab& slab) {
    std::uint32_t region = region_of(slab, memory_layout());
    for (std::uint32_t i = 0; region == no_memory && i < slab_regions_max; ++i) {
        std::uint64_t nobody = 0;
        if (slab.regions[i].compare_exchange_strong(nobody, memory_layout()) || nobody == memory_layout()) {
            region = i;
        }
    }
    return region;
}

bool is_used(const CallSlab& slab, std::uint32_t region) {
    return std::any_of(
               slab.workers.begin(), slab.workers.end(),
               [&](const WorkerEntry& worker) { return worker.seat.load() != 0 && worker.region.load() == region; }) ||
           std::any_of(slab.directory.begin(), slab.directory.end(), [&](const SlotEntry& entry) {
               return entry.owner.load() != no_worker && entry.region.load() == region;
           });
}

}  // namespace

Result<SlabFile> create_slab(std::string_view instance) {
    SlabFile file;
    file.fd.reset(::memfd_create("agentlocator-calls", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file.fd) {
        return system_error("memfd_create");
    }
    if (::ftruncate(file.fd.get(), static_cast<off_t>(slab_file_bytes)) != 0) {
        return system_error("ftruncate");
    }
    if (::fcntl(file.fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        return system_error("sealing");
    }
    void* const at = map(file.fd.get(), 0);
    if (at == MAP_FAILED) {
        return system_error("mmap");
    }
    // The file is all zeros, which is the state of an untouched slot: only the small tables are constructed, so that
    // the gigabyte of slots costs no page until a call uses it.
    file.slab = static_cast<CallSlab*>(at);
    for (WorkerEntry& worker : file.slab->workers) {
        new (&worker) WorkerEntry;
    }
    file.slab->next_call.store(1);
    file.slab->layout = control_layout();
    file.slab->regions[0].store(memory_layout());
    std::copy_n(instance.data(), std::min(instance.size(), file.slab->instance.size() - 1), file.slab->instance.data());
    file.slab->magic = CallSlab::magic_value;
    return file;
}

Result<CallSlab*> map_slab(int fd) {
    auto slab = map_checked(fd, no_memory);
    if (!slab) {
        return slab;
    }
    const std::uint32_t region = region_of(**slab, memory_layout());
    if (region == no_memory) {
        return slab;
    }
    ::munmap(*slab, sizeof(CallSlab));
    return map_checked(fd, region);
}

Result<CallSlab*> join_slab(int fd, std::uint32_t worker) {
    auto control = map_checked(fd, no_memory);
    if (!control) {
        return control;
    }
    const std::uint32_t region = take_region(**control);
    if (region != no_memory) {
        (*control)->workers[worker].region.store(static_cast<std::uint8_t>(region));
    }
    ::munmap(*control, sizeof(CallSlab));
    if (region == no_memory) {
        return error(Errc::refused, "call slab: calls of " + std::to_string(slab_regions_max) +
                                        " other layouts are alive; let them end first");
    }
    return map_checked(fd, region);
}

bool holds_memory(const CallSlab& slab, std::uint32_t slot) {
    const std::uint8_t region = slab.directory[slot].region.load();
    return region < slab_regions_max && slab.regions[region].load() == memory_layout();
}

std::uint32_t free_regions(CallSlab& slab, int fd) {
    std::uint32_t freed = 0;
    bool anybody = false;
    for (const WorkerEntry& worker : slab.workers) {
        if (worker.seat.load() != 0 && worker.region.load() == no_region) {
            return 0;  // On its way.
        }
        anybody = anybody || worker.seat.load() != 0;
    }
    // A pool that died as a whole comes back to what its calls left.
    for (std::uint32_t region = 0; anybody && region < slab_regions_max; ++region) {
        const auto from = static_cast<off_t>(slab_control_bytes + region * slab_region_bytes);
        if (slab.regions[region].load() == 0 || is_used(slab, region) ||
            ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, static_cast<off_t>(slab_region_bytes)) !=
                0) {
            continue;
        }
        slab.regions[region].store(0);
        freed |= 1U << region;
    }
    return freed;
}

}  // namespace agentlocator
