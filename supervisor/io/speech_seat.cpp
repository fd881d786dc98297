#include "supervisor/io/speech_seat.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "common/speech_message.hpp"

namespace agentlocator {
namespace {

constexpr int backlog = 256;  // Two generations of 120 workers, each with one connection.

}  // namespace

Result<SpeechSeat> open_speech_seat(const std::string& runtime_dir) {
    const std::string path = runtime_dir + "/" + speech_socket_name;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return error(Errc::bad_config, path + ": too long for a socket");
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ::unlink(path.c_str());
    const mode_t mask = ::umask(0177);
    const bool bound =
        listener && ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::umask(mask);
    if (!bound || ::listen(listener.get(), backlog) != 0) {
        return error(Errc::io, path + ": " + std::generic_category().message(errno));
    }
    auto heartbeat = HeartbeatPage::create();
    if (!heartbeat) {
        return heartbeat.error();
    }
    return SpeechSeat{std::move(listener), std::move(*heartbeat)};
}

}  // namespace agentlocator
