// The take-over against a simulated kernel: random short reads and writes, processes that die at every system call and
// at every log line, adopters that die too. The stream must come out byte for byte as if nothing had happened.
#include "worker/call_adoption.hpp"

#include <sys/mman.h>

#include <doctest/doctest.h>

#include <cstdlib>
#include <random>

#include "support.hpp"
#include "worker/base64.hpp"
#include "worker/call_transfer.hpp"

using namespace agentlocator;
using namespace agentlocator::test;

namespace {

struct Death {};  // Thrown where the process ends; memory outside the slab is lost by construction.

// Both sides of one TCP connection and its byte counters.
struct Kernel final : Wire {
    explicit Kernel(std::uint32_t seed) : random(seed) {}

    WireResult receive(std::span<std::uint8_t> into, std::size_t& count) override {
        maybe_die();
        if (received == inbound.size()) {
            return WireResult::again;
        }
        const std::size_t most = std::min({into.size(), inbound.size() - received, pick(1, 900)});
        std::copy_n(inbound.begin() + static_cast<long>(received), most, into.begin());
        received += most;
        maybe_die();  // The kernel gave the bytes away, the process could not note it.
        count = most;
        return WireResult::done;
    }
    WireResult send(const CallHandle::Unsent& bytes, std::size_t& count) override {
        maybe_die();
        if (pick(0, 9) == 0) {
            return WireResult::again;
        }
        const std::size_t most = std::min(bytes.size(), pick(1, 1500));
        for (std::size_t i = 0; i < most; ++i) {
            const std::size_t first = bytes.pieces[0].size();
            outbound += static_cast<char>(i < first ? bytes.pieces[0][i] : bytes.pieces[1][i - first]);
        }
        maybe_die();
        count = most;
        return WireResult::done;
    }
    std::size_t pick(std::size_t least, std::size_t most) {
        return std::uniform_int_distribution<std::size_t>(least, most)(random);
    }
    void maybe_die() {
        if (mortal && pick(0, 19) == 0) {
            ++deaths;
            throw Death{};
        }
    }

    std::mt19937 random;
    Bytes inbound;
    std::size_t received = 0;
    std::string outbound;
    bool mortal = true;
    int deaths = 0;
};

struct MortalLog final : LineLog {
    explicit MortalLog(Kernel& k) : kernel(k) {}
    void line(std::string_view text) override {
        lines.emplace_back(text);
        kernel.maybe_die();
    }
    Kernel& kernel;
    std::vector<std::string> lines;
};

// What a caller sends: start, media of random sizes, fragments, pings, stop.
Bytes caller_stream(std::mt19937& random, int frames) {
    Bytes all;
    const auto add = [&](const Bytes& frame) { all.insert(all.end(), frame.begin(), frame.end()); };
    add(client_frame(R"({"event":"start","start":{"streamSid":"MZ1","callSid":"CA1"},"streamSid":"MZ1"})"));
    for (int i = 0; i < frames; ++i) {
        Bytes audio(1 + random() % 400);
        for (auto& byte : audio) {
            byte = static_cast<std::uint8_t>(random());
        }
        std::string text(base64_size(audio.size()), '?');
        base64_encode(audio, text.data());
        const std::string message = R"({"event":"media","media":{"payload":")" + text + R"("},"streamSid":"MZ1"})";
        const auto mask = static_cast<std::uint32_t>(random());
        if (random() % 8 == 0) {
            const std::size_t cut = random() % message.size();
            add(client_frame(message.substr(0, cut), WsOpcode::text, false, mask));
            add(client_frame("p" + std::to_string(i), WsOpcode::ping, true, mask));
            add(client_frame(message.substr(cut), WsOpcode::continuation, true, mask));
        } else {
            add(client_frame(message, WsOpcode::text, true, mask));
        }
    }
    add(client_frame(R"({"event":"stop","streamSid":"MZ1"})"));
    add(client_frame(std::string("\x03\xe8", 2), WsOpcode::close));
    return all;
}

constexpr std::uint32_t slot = 3;
constexpr std::uint64_t call = 77;

struct World {
    explicit World(std::uint32_t seed) : kernel(seed), file(*create_slab("model")) {
        CallHandle(*file.slab, slot).reset();
        file.slab->directory[slot].call.store(call);
        // The connection carried an HTTP request before; the counts do not begin at zero.
        file.slab->directory[slot].sent_base.store(1'000'000);
        file.slab->directory[slot].received_base.store(2'000'000);
    }
    ~World() { ::munmap(file.slab, sizeof(CallSlab)); }  // Gigabytes of addresses each; thousands are made.
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    [[nodiscard]] SocketCount counts() const {
        return {1'000'000 + kernel.outbound.size(), 2'000'000 + kernel.received};
    }

    Kernel kernel;
    SlabFile file;
    PromptLibrary prompts = short_prompts();
    VoiceConversation conversation{VoiceRules{}, prompts, nullptr};
    std::unique_ptr<StreamScratch> scratch = std::make_unique<StreamScratch>();
    MortalLog log{kernel};
    StreamContext context{conversation, log, true, {}};
    TimePoint now = TimePoint(std::chrono::hours(1));
};

// Serves until the stream is finished. Returns the number of processes it took.
int serve(World& world) {
    std::uint32_t worker = 0;
    std::uint32_t last = 0;
    bool opened = false;
    for (int processes = 1;; ++processes) {
        REQUIRE(processes < 100'000);
        WorkerEntry& entry = world.file.slab->workers[worker];
        try {
            if (opened) {
                ControlPacket packet;
                packet.type = PacketType::adopt;
                packet.slot = slot;
                packet.call = call;
                packet.arg = last;
                const auto adopted = adopt_call(*world.file.slab, packet, world.counts());
                if (!adopted) {
                    FAIL("adoption failed: " << adopted.error().detail);
                }
                world.kernel
                    .maybe_die();  // The first adopter dies; the second still reads the first one's staging area.
            }
            last = worker;  // call_adopted arrived.
            entry.slot_in_hand.store(slot);
            CallTransfer transfer(*world.file.slab, worker, slot, world.context, *world.scratch);
            if (!opened) {
                opened = true;
                transfer.open("", {}, WsMode::echo, world.now);
            }
            transfer.parse_kept(world.now);
            while (!transfer.finished()) {
                if (transfer.wants_to_read()) {
                    transfer.receive(world.kernel, world.now);
                }
                transfer.flush(world.kernel);
                while (transfer.can_go_on()) {
                    transfer.parse_kept(world.now);
                    transfer.flush(world.kernel);
                }
            }
            return processes;
        } catch (const Death&) {
            worker = (worker + 1) % 5;
        }
    }
}

}  // namespace

TEST_CASE("call_adoption: a stream served by thousands of dying processes is byte for byte the same") {
    const char* asked = std::getenv("AGENTLOCATOR_SEEDS");
    const int seeds = asked == nullptr ? 300 : std::atoi(asked);
    int deaths = 0;
    for (int seed = 0; seed < seeds; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(static_cast<std::uint32_t>(seed));
        const Bytes stream = caller_stream(random, 60);
        World calm(static_cast<std::uint32_t>(seed));
        calm.kernel.inbound = stream;
        calm.kernel.mortal = false;
        REQUIRE(serve(calm) == 1);
        World rough(static_cast<std::uint32_t>(seed) + 1'000'000);
        rough.kernel.inbound = stream;
        serve(rough);
        deaths += rough.kernel.deaths;
        REQUIRE(rough.kernel.outbound == calm.kernel.outbound);
        const CallState& state = CallHandle(*rough.file.slab, slot).state();
        REQUIRE(state.rx == 60);
        REQUIRE(state.tx == 60);
        REQUIRE(std::count(rough.log.lines.begin(), rough.log.lines.end(), "WS_DONE sid=MZ1 rx=60 tx=60") <= 1);
    }
    CHECK(deaths > seeds * 5);  // Else this test proves nothing.
}

TEST_CASE("call_adoption: counts that contradict the record are refused, not guessed at") {
    World world(1);
    world.kernel.mortal = false;
    CallTransfer transfer(*world.file.slab, 0, slot, world.context, *world.scratch);
    transfer.open("HTTP/1.1 101", {}, WsMode::echo, world.now);
    ControlPacket packet;
    packet.slot = slot;
    packet.call = call;
    CHECK(adopt_call(*world.file.slab, packet, SocketCount{1'000'012, 2'000'000}).has_value());
    CHECK_FALSE(adopt_call(*world.file.slab, packet, SocketCount{1'000'013, 2'000'000})
                    .has_value());  // More than was ever queued.
    CHECK_FALSE(adopt_call(*world.file.slab, packet, SocketCount{1'000'012, 2'000'001})
                    .has_value());  // Bytes that lie nowhere.
    packet.call = call + 1;
    CHECK_FALSE(adopt_call(*world.file.slab, packet, SocketCount{1'000'012, 2'000'000}).has_value());  // Another call.
}
