#include "supervisor/io/build_id.hpp"

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "common/call_slab.hpp"
#include "common/text.hpp"

namespace agentlocator {
namespace {

// The linker's build id: the same for the same code, and different for every other.
int find_build_id(dl_phdr_info* info, std::size_t /*size*/, void* out) {
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const auto& header = info->dlpi_phdr[i];
        if (header.p_type != PT_NOTE) {
            continue;
        }
        const auto* at = reinterpret_cast<const char*>(info->dlpi_addr + header.p_vaddr);
        const char* const end = at + header.p_memsz;
        while (at + sizeof(ElfW(Nhdr)) <= end) {
            ElfW(Nhdr) note{};
            std::memcpy(&note, at, sizeof note);
            constexpr std::size_t alignment = 4;
            const auto aligned = [](std::size_t size) { return (size + alignment - 1) / alignment * alignment; };
            const char* const content = at + sizeof note + aligned(note.n_namesz);
            if (note.n_type == NT_GNU_BUILD_ID) {
                constexpr std::size_t shown_bytes = 6;
                *static_cast<std::string*>(out) = hex(content, std::min<std::size_t>(note.n_descsz, shown_bytes));
            }
            at = content + aligned(note.n_descsz);
        }
    }
    return 1;  // The first object is the program itself.
}

}  // namespace

std::string build_id() {
    if (const char* given = std::getenv("AGENTLOCATOR_BUILD"); given != nullptr && *given != '\0') {
        return given;
    }
    std::string id;
    ::dl_iterate_phdr(find_build_id, &id);
    return id.empty() ? "unknown" : id;
}

BuildLayout own_layout() {
    const auto text = [](std::uint64_t layout) {
        return hex(reinterpret_cast<const unsigned char*>(&layout), sizeof layout);
    };
    return {text(control_layout()), text(memory_layout()), snapshot_version};
}

}  // namespace agentlocator
