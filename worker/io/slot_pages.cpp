#include "worker/io/slot_pages.hpp"

#include <sys/mman.h>

namespace agentlocator {

void give_back_voice(CallSlot& slot) {
    static_assert(offsetof(CallSlot, voice) % 4096 == 0 && sizeof(VoiceArea) % 4096 == 0);
    // A hole in the file, for every process that maps it. On failure the pages are only kept, as they were.
    ::madvise(&slot.voice, sizeof slot.voice, MADV_REMOVE);
}

}  // namespace agentlocator
