// The smallest child there can be: its first instruction tells when it ran, then it says `ready` and sleeps.
// Built by supervision_bench.py. The wire format of `ready` is that of common/control_packet.hpp.
#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "common/call_slab.hpp"
#include "common/control_packet.hpp"

int main() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    struct {
        std::int64_t pid;
        std::int64_t nanoseconds;
    } record{::getpid(), now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec};
    const char* path = std::getenv("BENCH_FIFO");
    if (const int fifo = path == nullptr ? -1 : ::open(path, O_WRONLY | O_NONBLOCK); fifo >= 0) {
        (void)!::write(fifo, &record, sizeof record);
        ::close(fifo);
    }
    agentlocator::ControlPacket ready;
    ready.type = agentlocator::PacketType::ready;
    ready.arg = static_cast<std::uint32_t>(agentlocator::control_layout());
    constexpr int control_fd = 4;
    (void)!::send(control_fd, &ready, sizeof ready, MSG_NOSIGNAL);
    for (;;) {
        ::pause();
    }
}
