#include "worker/call_record.hpp"

#include <doctest/doctest.h>

#include "support.hpp"

using namespace agentlocator;
using namespace agentlocator::test;

namespace {

constexpr TimePoint now = TimePoint(std::chrono::hours(1));

// A call that had its `start`, in the hands of worker entry 1.
void begin_call(CallSlab& slab, std::uint32_t slot, std::string_view sid, std::int64_t opened) {
    CallHandle call(slab, slot);
    call.reset();
    slab.directory[slot].owner.store(2);
    slab.directory[slot].sid_key.store(sid_key(sid));
    CallState& state = call.begin();
    state.opened_ns = opened;
    REQUIRE(state.call_sid.assign(sid));
    call.commit();
}

}  // namespace

TEST_CASE("call_record: the newest stream of a call, whoever has it, and after its end") {
    const SlabFile file = *create_slab("test");
    CHECK_FALSE(find_call(*file.slab, 0, "CA1").has_value());
    begin_call(*file.slab, 9, "CA1", 100);
    begin_call(*file.slab, 4, "CA1", 200);
    begin_call(*file.slab, 7, "CA2", 300);
    auto found = find_call(*file.slab, 0, "CA1");
    REQUIRE(found.has_value());
    CHECK(found->slot == 4);
    CHECK(found->served);
    CHECK(found->fate() == StreamFate::open);
    free_slot(file.slab->directory[4], now);
    found = find_call(*file.slab, 0, "CA1");
    REQUIRE(found.has_value());
    CHECK(found->slot == 4);
    CHECK(found->fate() == StreamFate::lost);  // Nobody ended it: it died with its worker.
    CHECK_FALSE(find_call(*file.slab, 0, "CA3").has_value());
    // The key alone is no proof.
    file.slab->directory[7].sid_key.store(sid_key("CA3"));
    CHECK_FALSE(find_call(*file.slab, 0, "CA3").has_value());
}

TEST_CASE("call_record: a slot with a record of late is taken last") {
    const SlabFile file = *create_slab("test");
    begin_call(*file.slab, 0, "CA1", 100);
    free_slot(file.slab->directory[0], now);
    CHECK(claim_slot(*file.slab, 0, 0, now) == 1);
    CHECK(claim_slot(*file.slab, 0, 0, now + call_kept - std::chrono::seconds(1)) == 2);
    CHECK(claim_slot(*file.slab, 0, 0, now + call_kept) == 0);  // Old enough now.
    begin_call(*file.slab, 5, "CA1", 100);
    free_slot(file.slab->directory[5], now);
    for (std::uint32_t slot = 0; slot < call_slots_max; ++slot) {
        if (slot != 5) {
            file.slab->directory[slot].owner.store(1);
        }
    }
    CHECK(claim_slot(*file.slab, 3, 0, now) == 5);  // A live call is worth more than a record.
    CHECK(file.slab->directory[5].owner.load() == 4);
    CHECK_FALSE(claim_slot(*file.slab, 0, 0, now).has_value());
}
