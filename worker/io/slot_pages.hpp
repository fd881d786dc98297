#pragma once
// Memory of calls that are over. The slab is a file in memory: a page that was once written stays until it is given
// back, and new calls go round all slots.
#include "common/call_slab.hpp"

namespace agentlocator {

// Gives the pages of the slot's voice area back to the kernel; they read as zeros then.
void give_back_voice(CallSlot& slot);

}  // namespace agentlocator
