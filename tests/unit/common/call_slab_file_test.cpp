#include "common/io/call_slab_file.hpp"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace agentlocator;

namespace {

constexpr std::uint64_t other_layout = 12345;

void unmap(CallSlab* slab) {
    ::munmap(slab, sizeof(CallSlab));
}

}  // namespace

TEST_CASE("call_slab_file: workers of one layout share its region, another layout has its own") {
    const SlabFile file = *create_slab("test");
    CHECK(file.slab->regions[0].load() == memory_layout());
    const auto first = join_slab(file.fd.get(), 3);
    REQUIRE(first.has_value());
    CHECK(file.slab->workers[3].region.load() == 0);
    file.slab->slots[9].message[7] = 42;
    CHECK((*first)->slots[9].message[7] == 42);

    file.slab->regions[0].store(other_layout);  // As if it had been theirs.
    const auto second = join_slab(file.fd.get(), 4);
    REQUIRE(second.has_value());
    CHECK(file.slab->workers[4].region.load() == 1);
    CHECK(file.slab->regions[1].load() == memory_layout());
    CHECK((*second)->slots[9].message[7] == 0);
    (*second)->slots[9].message[7] = 43;
    CHECK(file.slab->slots[9].message[7] == 42);
    CHECK(&(*second)->workers[4] != &file.slab->workers[4]);
    CHECK((*second)->workers[3].region.load() == 0);  // The control part is one.

    const auto supervisor = map_slab(file.fd.get());  // Finds the region that is there.
    REQUIRE(supervisor.has_value());
    CHECK((*supervisor)->slots[9].message[7] == 43);
    (*supervisor)->directory[9].region.store(1);
    CHECK(holds_memory(**supervisor, 9));
    CHECK_FALSE(holds_memory(**supervisor, 8));
    unmap(*first);
    unmap(*second);
    unmap(*supervisor);
}

TEST_CASE("call_slab_file: more layouts than regions are refused") {
    const SlabFile file = *create_slab("test");
    for (std::uint32_t region = 0; region < slab_regions_max - 1; ++region) {
        file.slab->regions[region].store(other_layout + region);
    }
    const auto last = join_slab(file.fd.get(), 0);
    REQUIRE(last.has_value());
    CHECK(file.slab->workers[0].region.load() == slab_regions_max - 1);
    file.slab->regions[slab_regions_max - 1].store(other_layout);
    const auto refused = join_slab(file.fd.get(), 1);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().detail.find("4 other layouts") != std::string::npos);
    CHECK(file.slab->workers[1].region.load() == no_region);
    unmap(*last);
}

TEST_CASE("call_slab_file: a region is emptied when nobody needs it any more, and not before") {
    const SlabFile file = *create_slab("test");
    CallSlab& slab = *file.slab;
    slab.slots[100].message.fill(1);
    slab.regions[1].store(other_layout);
    CHECK(free_regions(slab, file.fd.get()) == 0);  // Nobody lives: the pool comes back to it.
    slab.workers[0].seat.store(1);
    slab.workers[0].region.store(1);
    slab.workers[1].seat.store(2);
    CHECK(free_regions(slab, file.fd.get()) == 0);  // One is on its way.
    slab.workers[1].region.store(1);
    slab.directory[100].owner.store(1);
    CHECK(free_regions(slab, file.fd.get()) == 0);  // A call's memory is there.
    slab.directory[100].region.store(1);
    CHECK(free_regions(slab, file.fd.get()) == 1);
    CHECK(slab.regions[0].load() == 0);
    CHECK(slab.regions[1].load() == other_layout);
    CHECK(slab.slots[100].message[0] == 0);
}

TEST_CASE("call_slab_file: a slab of another control part or size is refused") {
    const SlabFile file = *create_slab("test");
    file.slab->layout ^= 1;
    CHECK_FALSE(map_slab(file.fd.get()).has_value());
    CHECK_FALSE(join_slab(file.fd.get(), 0).has_value());
    const UniqueFd small(::memfd_create("small", MFD_CLOEXEC));
    REQUIRE(::ftruncate(small.get(), 4096) == 0);
    CHECK_FALSE(map_slab(small.get()).has_value());
}
