#include "supervisor/call_vault.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "common/io/call_slab_file.hpp"

using namespace agentlocator;

namespace {

ControlPacket packet(PacketType type, std::uint32_t slot, std::uint64_t call) {
    ControlPacket p;
    p.type = type;
    p.slot = slot;
    p.call = call;
    return p;
}

struct VaultUnderTest {
    VaultUnderTest() : file(*create_slab("test")), vault(*file.slab) {}

    void ready(std::uint32_t worker, std::uint8_t region = 0) {
        file.slab->workers[worker].region.store(region);
        vault.on_ready(worker, out);
    }
    void open(std::uint32_t worker, std::uint32_t slot, std::uint64_t call) {
        file.slab->directory[slot].owner.store(worker + 1);
        file.slab->directory[slot].call.store(call);
        vault.on_packet(worker, packet(PacketType::call_opened, slot, call), out);
    }
    void say(std::uint32_t worker, PacketType type, std::uint32_t slot, std::uint64_t call) {
        vault.on_packet(worker, packet(type, slot, call), out);
    }
    VaultCommands take() { return std::exchange(out, {}); }

    SlabFile file;
    CallVault vault;
    VaultCommands out;
};

}  // namespace

TEST_CASE("call_vault: a dead worker's calls go to the living, with its staging area as source") {
    VaultUnderTest t;
    t.ready(0);
    t.open(0, 10, 1);
    t.ready(1);
    CHECK(t.take().empty());
    t.vault.on_died(0, Death::killed, t.out);
    const auto commands = t.take();
    REQUIRE(commands.size() == 1);
    CHECK(commands[0].worker == 1);
    CHECK(commands[0].packet.type == PacketType::adopt);
    CHECK(commands[0].packet.slot == 10);
    CHECK(commands[0].packet.call == 1);
    CHECK(commands[0].packet.arg == 0);
    CHECK(commands[0].packet.flags == 0);
    CHECK(t.file.slab->directory[10].owner.load() == 2);
    CHECK_FALSE(t.vault.entry_free(0));  // Its staging area may still be needed.
    t.say(1, PacketType::call_adopted, 10, 1);
    CHECK(t.vault.entry_free(0));
}

TEST_CASE("call_vault: when nobody lives the calls wait for the next worker") {
    VaultUnderTest t;
    t.ready(0);
    t.open(0, 10, 1);
    CHECK_FALSE(t.vault.calls_wait());
    t.vault.on_died(0, Death::killed, t.out);
    CHECK(t.take().empty());
    CHECK(t.vault.calls_wait());
    CHECK_FALSE(t.vault.entry_free(0));
    t.ready(5);
    CHECK_FALSE(t.vault.calls_wait());
    const auto commands = t.take();
    REQUIRE(commands.size() == 1);
    CHECK(commands[0].worker == 5);
    CHECK(commands[0].packet.arg == 0);
}

TEST_CASE("call_vault: an adopter that dies is replaced, and the source stays the first worker") {
    VaultUnderTest t;
    t.ready(0);
    t.open(0, 10, 1);
    t.ready(1);
    t.ready(2);
    t.vault.on_died(0, Death::killed, t.out);
    const auto first = t.take();
    REQUIRE(first.size() == 1);
    t.vault.on_died(first[0].worker, Death::killed, t.out);
    const auto second = t.take();
    REQUIRE(second.size() == 1);
    CHECK(second[0].worker != first[0].worker);
    CHECK(second[0].packet.arg == 0);
}

TEST_CASE("call_vault: new calls spread evenly whoever accepted them") {
    VaultUnderTest t;
    for (std::uint32_t worker = 0; worker < 4; ++worker) {
        t.ready(worker);
    }
    for (std::uint32_t slot = 0; slot < 100; ++slot) {
        t.open(0, slot, slot + 1);
        for (const VaultCommand& command : t.take()) {
            CHECK(command.packet.type == PacketType::release);
            t.say(0, PacketType::call_released, command.packet.slot, command.packet.call);
            for (const VaultCommand& next : t.take()) {
                CHECK(next.packet.type == PacketType::adopt);
                t.say(next.worker, PacketType::call_adopted, next.packet.slot, next.packet.call);
            }
            const VaultCommands last = t.take();  // Now the first worker may let the socket go.
            REQUIRE(last.size() == 1);
            CHECK(last[0].packet.type == PacketType::parted);
            CHECK(last[0].worker == 0);
        }
    }
    for (std::uint32_t worker = 0; worker < 4; ++worker) {
        CHECK(t.vault.calls_of(worker) >= 24);
        CHECK(t.vault.calls_of(worker) <= 26);
    }
}

TEST_CASE("call_vault: a leaving worker gives its calls away unless everybody leaves") {
    VaultUnderTest t;
    t.ready(0);
    t.open(0, 10, 1);
    t.vault.on_leaving(0, t.out);
    CHECK(t.take().empty());  // Nobody else: the call ends where it is.
    VaultUnderTest two;
    two.ready(0);
    two.ready(1);
    two.open(0, 10, 1);
    two.vault.on_leaving(0, two.out);
    const auto commands = two.take();
    REQUIRE(commands.size() == 1);
    CHECK(commands[0].packet.type == PacketType::release);
    two.say(0, PacketType::call_released, 10, 1);
    CHECK(two.take().at(0).worker == 1);
}

TEST_CASE("call_vault: a call whose second handler died is poison") {
    VaultUnderTest t;
    t.ready(0);
    t.ready(1);
    t.ready(2);
    t.open(0, 10, 1);
    std::uint32_t owner = 0;
    for (int death = 1; death <= 2; ++death) {
        t.file.slab->workers[owner].slot_in_hand.store(10);
        CHECK(t.vault.on_died(owner, Death::of_itself, t.out));
        const auto commands = t.take();
        REQUIRE(commands.size() == 1);
        CHECK(commands[0].packet.flags == (death == 2 ? packet_flag_poison : 0));
        owner = commands[0].worker;
        t.say(owner, PacketType::call_adopted, 10, 1);
    }
    CHECK(t.vault.poisoned() == 1);
    CHECK_FALSE(
        t.vault.on_died(owner, Death::of_itself, t.out));  // Killed while it closes the call: still one poison call.
    t.ready(3);
    CHECK(t.take().at(0).packet.flags == packet_flag_poison);
    CHECK(t.vault.poisoned() == 1);
}

TEST_CASE("call_vault: a call that was in hand when workers were killed is poison only after five in a row") {
    VaultUnderTest t;
    for (std::uint32_t worker = 0; worker <= excused_deaths_max; ++worker) {
        t.ready(worker);
    }
    t.open(0, 10, 1);
    std::uint32_t owner = 0;
    for (std::uint32_t death = 1; death <= excused_deaths_max; ++death) {
        t.file.slab->workers[owner].slot_in_hand.store(10);
        CHECK(t.vault.on_died(owner, Death::killed, t.out));
        const auto commands = t.take();
        REQUIRE(commands.size() == 1);
        CHECK(commands[0].packet.flags == (death == excused_deaths_max ? packet_flag_poison : 0));
        owner = commands[0].worker;
        t.say(owner, PacketType::call_adopted, 10, 1);
    }
    CHECK(t.vault.poisoned() == 1);
}

TEST_CASE("call_vault: what a dead worker claimed and never announced is freed, and counted") {
    VaultUnderTest t;
    t.ready(0);
    t.file.slab->directory[7].owner.store(1);
    t.file.slab->directory[7].call.store(3);
    t.file.slab->directory[8].owner.store(1);  // No connection yet.
    t.open(0, 9, 4);                           // This one had ended, and was told of.
    t.file.slab->directory[9].sid_key.store(5);
    t.say(0, PacketType::call_closed, 9, 4);
    t.vault.on_died(0, Death::killed, t.out);
    for (std::uint32_t slot = 7; slot <= 9; ++slot) {
        CHECK(t.file.slab->directory[slot].owner.load() == no_worker);
        CHECK(t.file.slab->directory[slot].call.load() == 0);
    }
    CHECK(t.file.slab->calls_lost.load() == 1);
}

TEST_CASE("call_vault: late packets of an earlier call do not touch the slot's next one") {
    VaultUnderTest t;
    t.ready(0);
    t.ready(1);
    t.open(0, 10, 1);
    t.open(1, 10, 2);  // Worker 0 closed call 1 and worker 1 claimed the slot; its packet came first.
    CHECK(t.vault.calls() == 1);
    t.say(0, PacketType::call_closed, 10, 1);
    CHECK(t.take().empty());
    CHECK(t.vault.calls() == 1);
    t.say(1, PacketType::call_closed, 10, 2);
    CHECK(t.take().at(0).kind == VaultCommand::Kind::drop_socket);
    CHECK(t.vault.calls() == 0);
}

TEST_CASE("call_vault: random lives, deaths and moves lose no call and leave nothing behind") {
    for (std::uint32_t seed = 0; seed < 200; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        VaultUnderTest t;
        std::set<std::uint32_t> alive;
        std::map<std::uint32_t, std::pair<std::uint32_t, std::uint64_t>> carried;  // slot -> worker, call
        std::vector<VaultCommand> mail;
        std::uint64_t next_call = 1;
        std::uint64_t opened = 0;
        std::uint64_t closed = 0;
        const auto collect = [&] {
            for (const VaultCommand& command : t.take()) {
                if (command.kind == VaultCommand::Kind::send) {
                    mail.push_back(command);
                }
            }
        };
        const auto deliver = [&](std::size_t at) {
            const VaultCommand command = mail[at];
            mail.erase(mail.begin() + static_cast<long>(at));
            if (alive.count(command.worker) == 0) {
                return;
            }
            const auto slot = command.packet.slot;
            if (command.packet.type == PacketType::release) {
                if (carried.count(slot) != 0 && carried[slot] == std::pair(command.worker, command.packet.call)) {
                    carried.erase(slot);
                    t.say(command.worker, PacketType::call_released, slot, command.packet.call);
                }
            } else if (command.packet.type == PacketType::adopt) {
                REQUIRE(carried.count(slot) == 0);  // Never two workers with one call.
                carried[slot] = {command.worker, command.packet.call};
                t.say(command.worker, PacketType::call_adopted, slot, command.packet.call);
            }
            collect();
        };
        for (int step = 0; step < 400; ++step) {
            switch (random() % 6) {
                case 0:
                    if (alive.size() < 4) {
                        std::uint32_t worker = 0;
                        while (alive.count(worker) != 0 || !t.vault.entry_free(worker)) {
                            ++worker;
                        }
                        alive.insert(worker);
                        t.ready(worker);
                    }
                    break;
                case 1:
                    if (!alive.empty()) {
                        const std::uint32_t worker =
                            *std::next(alive.begin(), static_cast<long>(random() % alive.size()));
                        alive.erase(worker);
                        std::erase_if(mail, [&](const auto& command) { return command.worker == worker; });
                        std::erase_if(carried, [&](const auto& entry) { return entry.second.first == worker; });
                        t.vault.on_died(worker, Death::killed, t.out);
                    }
                    break;
                case 2:
                case 3:
                    if (!alive.empty()) {
                        const std::uint32_t worker =
                            *std::next(alive.begin(), static_cast<long>(random() % alive.size()));
                        const auto slot = static_cast<std::uint32_t>(opened % call_slots_max);
                        carried[slot] = {worker, next_call};
                        t.open(worker, slot, next_call++);
                        ++opened;
                    }
                    break;
                case 4:
                    if (!carried.empty()) {
                        const auto call = *std::next(carried.begin(), static_cast<long>(random() % carried.size()));
                        carried.erase(call.first);
                        t.say(call.second.first, PacketType::call_closed, call.first, call.second.second);
                        ++closed;
                    }
                    break;
                case 5:
                    if (!mail.empty()) {
                        // In order for each worker, any worker first.
                        const std::uint32_t worker = mail[random() % mail.size()].worker;
                        const auto first = std::find_if(mail.begin(), mail.end(),
                                                        [&](const auto& command) { return command.worker == worker; });
                        deliver(static_cast<std::size_t>(first - mail.begin()));
                    }
                    break;
            }
            collect();
            REQUIRE(t.vault.calls() == opened - closed);
        }
        if (alive.empty()) {
            std::uint32_t worker = 0;
            while (!t.vault.entry_free(worker)) {
                ++worker;
            }
            alive.insert(worker);
            t.ready(worker);
            collect();
        }
        while (!mail.empty()) {
            deliver(0);
        }
        CHECK(carried.size() == opened - closed);  // Every call that did not end is carried by somebody.
    }
}

TEST_CASE("call_vault: under a blind kernel the calls of a dead worker are lost, those let go of are not") {
    VaultUnderTest t;
    t.file.slab->blind.store(1);
    t.ready(0);
    t.open(0, 10, 1);
    t.open(0, 11, 2);
    t.ready(1);
    t.vault.on_leaving(0, t.out);
    (void)t.take();
    t.say(0, PacketType::call_released, 10, 1);
    CHECK(t.take().at(0).packet.flags == 0);
    t.say(1, PacketType::call_adopted, 10, 1);
    CHECK(t.take().at(0).packet.type == PacketType::parted);
    t.vault.on_died(0, Death::killed, t.out);
    const auto commands = t.take();
    REQUIRE(commands.size() == 1);
    CHECK(commands[0].packet.slot == 11);
    CHECK(commands[0].packet.flags == packet_flag_lost);
}

TEST_CASE("call_vault: between two layouts calls travel with a snapshot") {
    VaultUnderTest t;
    t.ready(0);
    t.open(0, 10, 1);
    t.open(0, 11, 2);
    t.ready(1, 1);
    (void)t.take();
    t.vault.on_leaving(0, t.out);
    auto commands = t.take();
    REQUIRE(commands.size() == 2);
    CHECK(commands[0].packet.flags == packet_flag_snapshot);
    // One comes with its snapshot, the other had been let go of before the other layout was known: it goes back.
    ControlPacket released = packet(PacketType::call_released, 10, 1);
    released.flags = packet_flag_snapshot;
    t.vault.on_packet(0, released, t.out);
    t.say(0, PacketType::call_released, 11, 2);
    commands = t.take();
    REQUIRE(commands.size() == 2);
    CHECK(commands[0].worker == 1);
    CHECK(commands[0].packet.flags == packet_flag_snapshot);
    CHECK(commands[1].worker == 0);
    CHECK(commands[1].packet.flags == 0);
    t.say(0, PacketType::call_adopted, 11, 2);
    commands = t.take();
    REQUIRE(commands.size() == 1);  // And is asked for again.
    CHECK(commands[0].packet.type == PacketType::release);
    CHECK(commands[0].packet.flags == packet_flag_snapshot);
}

TEST_CASE("call_vault: a snapshot serves until the first adopter has made its memory the call's") {
    VaultUnderTest t;
    t.ready(0);
    t.open(0, 10, 1);
    t.ready(1, 1);
    t.vault.on_leaving(0, t.out);
    ControlPacket released = packet(PacketType::call_released, 10, 1);
    released.flags = packet_flag_snapshot;
    t.vault.on_packet(0, released, t.out);
    t.vault.on_died(0, Death::killed, t.out);
    t.ready(2, 1);
    (void)t.take();
    // It died before: the next one reads the same snapshot.
    t.vault.on_died(1, Death::killed, t.out);
    auto commands = t.take();
    REQUIRE(commands.size() == 1);
    CHECK(commands[0].worker == 2);
    CHECK(commands[0].packet.flags == packet_flag_snapshot);
    // It died behind it: the call is like any other of that layout.
    t.ready(3, 1);
    t.ready(4, 0);
    t.file.slab->directory[10].region.store(1);
    t.vault.on_died(2, Death::killed, t.out);
    commands = t.take();
    REQUIRE(commands.size() == 1);
    CHECK(commands[0].worker == 3);
    CHECK(commands[0].packet.flags == 0);
}

TEST_CASE("call_vault: what nobody living can read waits for a rescuer, or is given up") {
    VaultUnderTest t;
    t.ready(0);
    t.open(0, 10, 1);
    t.open(0, 11, 2);
    t.ready(1, 1);
    (void)t.take();
    CHECK_FALSE(t.vault.region_to_rescue().has_value());
    t.vault.on_died(0, Death::killed, t.out);
    CHECK(t.take().empty());
    REQUIRE(t.vault.region_to_rescue().has_value());
    CHECK(*t.vault.region_to_rescue() == 0);
    t.ready(2, 0);
    auto commands = t.take();
    REQUIRE(commands.size() == 2);
    CHECK(commands[0].worker == 2);
    CHECK_FALSE(t.vault.region_to_rescue().has_value());
    t.vault.on_died(2, Death::killed, t.out);
    (void)t.take();
    t.vault.give_up(0, t.out);
    commands = t.take();
    REQUIRE(commands.size() == 2);
    for (const VaultCommand& command : commands) {
        CHECK(command.worker == 1);
        CHECK(command.packet.flags == packet_flag_foreign);
    }
    CHECK_FALSE(t.vault.region_to_rescue().has_value());
    // Nobody lives at all: they wait for their seat's next worker, as ever.
    t.vault.on_died(1, Death::killed, t.out);
    CHECK_FALSE(t.vault.region_to_rescue().has_value());
}

TEST_CASE("call_vault: what a leaving worker carries when its supervisor dies is asked for again") {
    VaultUnderTest t;
    t.file.slab->directory[10].owner.store(1);
    t.file.slab->directory[10].call.store(1);
    for (const std::uint32_t worker : {0U, 1U}) {
        t.file.slab->workers[worker].seat.store(worker + 1);
        t.file.slab->workers[worker].region.store(0);
    }
    t.vault.restore_worker(0, true, 2);
    t.vault.restore_worker(1, false, 2);
    t.vault.restore_call(0, {.slot = 10, .call = 1, .released = false}, t.out);
    t.vault.finish_restore([](std::uint32_t) {}, t.out);
    const auto commands = t.take();
    REQUIRE(commands.size() == 1);
    CHECK(commands[0].worker == 0);
    CHECK(commands[0].packet.type == PacketType::release);
    t.say(0, PacketType::call_released, 10, 1);
    CHECK(t.take().at(0).worker == 1);
}
