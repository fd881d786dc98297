#include "worker/voice/message_ring.hpp"

#include <doctest/doctest.h>
#include <poll.h>
#include <unistd.h>

#include <deque>
#include <random>
#include <string>
#include <thread>

#include "worker/voice/io/agent_channel.hpp"

using namespace agentlocator;

namespace {

using Ring = MessageRing<ToAgent>;

ToAgentMessage message(std::uint32_t number, std::string_view payload) {
    return {.kind = ToAgent::audio,
            .slot = number % 4096,
            .call = number + 1,
            .turn = number + 2,
            .sentence = number + 3,
            .value = -static_cast<std::int64_t>(number),
            .payload = payload};
}

// What any message with this number must carry.
std::string payload_of(std::uint32_t number, std::size_t size) {
    std::string text(size, '?');
    for (std::size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>(number * 31 + i);
    }
    return text;
}

}  // namespace

TEST_CASE("message_ring: messages of all sizes come out in order, whole, around the end of the memory") {
    Ring ring(1 << 17);
    std::mt19937 random(7);
    std::deque<std::pair<std::uint32_t, std::size_t>> expected;
    std::uint32_t next = 0;
    int refused = 0;
    int taken = 0;
    while (taken < 20'000) {
        const std::size_t size = random() % 8 == 0 ? random() % (agent_payload_max + 1) : random() % 400;
        // Sometimes nearly full, sometimes emptied: the rewind and the filler are both passed many times.
        if (random() % 64 < (next / 2000 % 2 == 0 ? 33U : 30U)) {
            if (ring.push(message(next, payload_of(next, size)))) {
                expected.emplace_back(next++, size);
            } else {
                ++refused;
                REQUIRE(expected.size() > 4);
            }
            continue;
        }
        ToAgentMessage got;
        REQUIRE(ring.pop(got) == !expected.empty());
        if (!expected.empty()) {
            const auto [number, bytes] = expected.front();
            expected.pop_front();
            ++taken;
            REQUIRE(got.call == number + 1);
            REQUIRE(got.slot == number % 4096);
            REQUIRE(got.turn == number + 2);
            REQUIRE(got.sentence == number + 3);
            REQUIRE(got.value == -static_cast<std::int64_t>(number));
            REQUIRE(got.payload == payload_of(number, bytes));
        }
    }
    CHECK(refused > 0);
}

TEST_CASE("message_ring: a full ring refuses and stays as it was; largest messages pass") {
    Ring ring(1 << 17);
    const std::string largest(agent_payload_max, 'x');
    int count = 0;
    while (ring.push(message(0, largest))) {
        ++count;
    }
    CHECK(count == 7);  // 8 heads and payloads would be more than 128 KiB.
    CHECK(ring.push(message(1, "small")));
    ToAgentMessage got;
    for (int i = 0; i < 7; ++i) {
        REQUIRE(ring.pop(got));
        REQUIRE(got.payload.size() == agent_payload_max);
    }
    REQUIRE(ring.pop(got));
    CHECK(got.payload == "small");
    CHECK_FALSE(ring.pop(got));
    CHECK(ring.push(message(2, largest)));
}

TEST_CASE("message_ring: the payload on loan is not overwritten while it is used") {
    Ring ring(1 << 17);
    REQUIRE(ring.push(message(1, std::string(agent_payload_max, 'a'))));
    ToAgentMessage got;
    REQUIRE(ring.pop(got));
    while (ring.push(message(2, std::string(agent_payload_max, 'b')))) {
    }
    CHECK(got.payload == std::string(agent_payload_max, 'a'));
}

TEST_CASE("agent_channel: audio leaves room for events, and a refused message changes nothing") {
    AgentChannel channel(1 << 17);
    int audio = 0;
    while (channel.media().tell(message(0, std::string(160, 'x')))) {
        ++audio;
    }
    ToAgentMessage event = message(0, {});
    event.kind = ToAgent::utterance_ended;
    int events = 0;
    while (channel.media().tell(event)) {
        ++events;
    }
    CHECK(audio > 500);
    CHECK(events * 48 >= (1 << 17) / 8 - 256);
    ToAgentMessage got;
    int count = 0;
    while (channel.agent().next(got)) {
        ++count;
    }
    CHECK(count == audio + events);
}

TEST_CASE("agent_channel: two threads exchange messages; whoever sleeps is woken") {
    AgentChannel channel(1 << 17);
    constexpr std::uint32_t total = 20'000;
    std::thread agent([&] {
        AgentEnd& end = channel.agent();
        std::uint32_t seen = 0;
        while (seen < total) {
            ToAgentMessage got;
            while (seen < total && end.next(got)) {
                REQUIRE(got.payload == payload_of(seen, seen % 700));
                FromAgentMessage answer{.kind = FromAgent::speech, .call = got.call, .payload = got.payload};
                while (!end.tell(answer)) {
                    std::this_thread::yield();
                }
                ++seen;
            }
            if (seen < total && end.may_sleep()) {
                std::uint64_t count = 0;  // A blocking wait, without a clock: a lost wake-up hangs this test.
                while (::read(end.wake_fd(), &count, sizeof count) < 0) {
                    pollfd waiting{end.wake_fd(), POLLIN, 0};
                    ::poll(&waiting, 1, -1);
                }
            }
            end.awake();
        }
    });
    std::uint32_t sent = 0;
    std::uint32_t answered = 0;
    while (answered < total) {
        const std::string payload = payload_of(sent, sent % 700);
        if (sent < total && channel.media().tell(message(sent, payload))) {
            ++sent;
        }
        FromAgentMessage got;
        while (channel.media().next(got)) {
            REQUIRE(got.call == answered + 1);
            REQUIRE(got.payload.size() == answered % 700);
            ++answered;
        }
    }
    agent.join();
}
