#include "supervisor/io/hung_worker.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <initializer_list>
#include <map>

#include "common/io/call_slab_file.hpp"

using namespace agentlocator;

namespace {

// A connection that became a call's.
void mark(CallSlab& slab, std::uint32_t slot, std::uint64_t call, std::uint64_t cookie) {
    slab.directory[slot].owner.store(1);
    slab.directory[slot].call.store(call);
    slab.marks[slot].cookie.store(cookie);
    slab.marks[slot].call.store(call);
}

std::map<std::uint64_t, UniqueFd> sockets(std::initializer_list<std::uint64_t> cookies) {
    std::map<std::uint64_t, UniqueFd> made;
    for (const std::uint64_t cookie : cookies) {
        made[cookie] = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    }
    return made;
}

}  // namespace

TEST_CASE("hung_worker: what was taken is known by its cookie, and what is no call is let go") {
    const SlabFile file = *create_slab("test");
    mark(*file.slab, 3, 70, 1003);
    mark(*file.slab, call_slots_max - 1, 71, 1004);
    mark(*file.slab, 5, 72, 1005);  // Of another worker.
    const auto calls = calls_among(*file.slab, sockets({1003, 1004, 2000}));
    REQUIRE(calls.size() == 2);
    CHECK(calls[0].slot == 3);
    CHECK(calls[0].call == 70);
    CHECK(calls[0].socket);
    CHECK(calls[1].slot == call_slots_max - 1);
    CHECK(calls[1].call == 71);
}

TEST_CASE("hung_worker: a mark of the slot's last call, a freed slot and an unmarked one name no connection") {
    const SlabFile file = *create_slab("test");
    CallSlab& slab = *file.slab;
    mark(slab, 0, 70, 1000);
    slab.directory[0].call.store(71);  // Another call has the slot; the worker hangs before it has marked it.
    mark(slab, 1, 72, 1001);
    slab.directory[1].call.store(0);
    slab.directory[2].call.store(73);  // A build that knows no marks.
    CHECK(calls_among(slab, sockets({1000, 1001})).empty());
}
