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

void* map(int fd) {
    return ::mmap(nullptr, sizeof(CallSlab), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

}  // namespace

Result<SlabFile> create_slab(std::string_view instance) {
    SlabFile file;
    file.fd.reset(::memfd_create("agentlocator-calls", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file.fd) {
        return system_error("memfd_create");
    }
    if (::ftruncate(file.fd.get(), sizeof(CallSlab)) != 0) {
        return system_error("ftruncate");
    }
    if (::fcntl(file.fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        return system_error("sealing");
    }
    void* const at = map(file.fd.get());
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
    file.slab->layout = slab_layout();
    std::copy_n(instance.data(), std::min(instance.size(), file.slab->instance.size() - 1), file.slab->instance.data());
    file.slab->magic = CallSlab::magic_value;
    return file;
}

Result<CallSlab*> map_slab(int fd) {
    struct stat facts {};
    if (::fstat(fd, &facts) != 0) {
        return system_error("fstat");
    }
    if (static_cast<std::size_t>(facts.st_size) < 2 * sizeof(std::uint64_t)) {
        return error(Errc::bad_message, "call slab: too small to be one");
    }
    if (static_cast<std::size_t>(facts.st_size) != sizeof(CallSlab)) {
        return error(Errc::bad_message, "call slab: " + std::to_string(facts.st_size) + " bytes, this build has " +
                                            std::to_string(sizeof(CallSlab)));
    }
    void* const at = map(fd);
    if (at == MAP_FAILED) {
        return system_error("mmap");
    }
    auto* const slab = static_cast<CallSlab*>(at);
    if (slab->magic != CallSlab::magic_value || slab->layout != slab_layout()) {
        ::munmap(at, sizeof(CallSlab));
        return error(Errc::bad_message, "call slab: made by a build with another layout");
    }
    return slab;
}

}  // namespace agentlocator
