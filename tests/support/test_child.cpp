// test-child: a worker (or bridge) that misbehaves on request, for tests of the supervisor. Speaks the real contract:
// descriptors by LISTEN_FDS, control packets, heartbeat in the slab, GET /version on the shared socket.
//
// What to do comes from the file $AGENTLOCATOR_TEST_SCRIPT.<slot>, else $AGENTLOCATOR_TEST_SCRIPT, words with blanks
// between, read at each start so that a test can change its mind:
//   exit=N          end at once with N              signal=N          end at once by a signal
//   crash_after=MS  abort that long after ready     silent            never say ready
//   no_heartbeat    hang from the start             ignore_term       neither SIGTERM nor drain moves it
//   flood           write lines without pause       flood_raw         write without line ends
//   daemon          leave a double-forked process in a session of its own, print its pid
//   child           leave an ordinary child process, print its pid
//   fds             print the open descriptors      environment       print the environment
//   say=TEXT        print it                        count=N           print N numbered lines, then go on
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "common/io/call_slab_file.hpp"
#include "common/io/packet_socket.hpp"
#include "common/time.hpp"

extern char** environ;

using namespace agentlocator;

namespace {

constexpr int http_fd = 3;
constexpr int control_fd = 4;
constexpr int slab_fd = 5;
constexpr int beat_ms = 100;

volatile std::sig_atomic_t told_to_end = 0;
void on_term(int) {
    told_to_end = 1;
}

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

void print(const std::string& line) {
    const std::string text = line + "\n";
    (void)!::write(STDOUT_FILENO, text.data(), text.size());
}

std::map<std::string, std::string> read_script() {
    const std::string path = variable("AGENTLOCATOR_TEST_SCRIPT");
    std::ifstream file(path + "." + variable("AGENTLOCATOR_SLOT"));
    if (!file) {
        file.open(path);
    }
    std::map<std::string, std::string> script;
    for (std::string word; file >> word;) {
        const auto equals = word.find('=');
        script[word.substr(0, equals)] = equals == std::string::npos ? "" : word.substr(equals + 1);
    }
    return script;
}

void print_descriptors() {
    std::string line = "fds:";
    DIR* folder = ::opendir("/proc/self/fd");
    while (const dirent* entry = ::readdir(folder)) {
        const std::string name = entry->d_name;
        if (name[0] != '.' && std::stoi(name) != ::dirfd(folder)) {
            char target[256] = {};
            (void)!::readlink(("/proc/self/fd/" + name).c_str(), target, sizeof target - 1);
            line += " " + name + "=" + target;
        }
    }
    ::closedir(folder);
    print(line);
}

void leave_process(bool daemon) {
    int report[2];
    (void)!::pipe(report);
    const pid_t first = ::fork();
    if (first == 0) {
        if (daemon) {
            ::setsid();
            if (::fork() != 0) {
                ::_exit(0);
            }
        }
        const pid_t self = ::getpid();
        (void)!::write(report[1], &self, sizeof self);
        ::signal(SIGTERM, SIG_IGN);
        ::signal(SIGHUP, SIG_IGN);
        for (;;) {
            ::pause();
        }
    }
    pid_t left = 0;
    (void)!::read(report[0], &left, sizeof left);
    if (daemon) {
        ::waitpid(first, nullptr, 0);
    }
    print("left pid=" + std::to_string(left));
}

void answer_http() {
    const int peer = ::accept4(http_fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) {
        return;
    }
    char request[4096];
    (void)!::recv(peer, request, sizeof request, 0);
    const std::string body = "{\"instance\":\"" + variable("AGENTLOCATOR_INSTANCE") + "\",\"slot\":\"" +
                             variable("AGENTLOCATOR_SLOT") + "\",\"pid\":" + std::to_string(::getpid()) + "}";
    const std::string text =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    (void)!::send(peer, text.data(), text.size(), MSG_NOSIGNAL);
    ::close(peer);
}

[[noreturn]] void flood(bool lines) {
    const std::string text(lines ? 99 : 100, 'x');
    const std::string piece = lines ? text + "\n" : text;
    for (;;) {
        if (::write(STDOUT_FILENO, piece.data(), piece.size()) < 0 && errno == EAGAIN) {
            continue;  // As a worker's log does: it never waits for its reader.
        }
        if (told_to_end != 0) {
            ::_exit(0);
        }
    }
}

}  // namespace

int main() {
    auto script = read_script();
    const auto has = [&](const char* word) { return script.contains(word); };
    const auto number = [&](const char* word) { return std::atoi(script[word].c_str()); };
    std::signal(SIGINT, SIG_IGN);
    std::signal(SIGTERM, has("ignore_term") ? SIG_IGN : on_term);
    if (has("say")) {
        print(script["say"]);
    }
    if (has("fds")) {
        print_descriptors();
    }
    if (has("environment")) {
        for (char** entry = environ; *entry != nullptr; ++entry) {
            print(std::string("env: ") + *entry);
        }
    }
    for (int i = 0; has("count") && i < number("count"); ++i) {
        print("line " + std::to_string(i));
    }
    if (has("exit")) {
        return number("exit");
    }
    if (has("signal")) {
        std::signal(number("signal"), SIG_DFL);
        ::raise(number("signal"));
    }
    if (has("daemon") || has("child")) {
        leave_process(has("daemon"));
    }
    const bool is_worker = !variable("LISTEN_FDS").empty();
    WorkerEntry* entry = nullptr;
    if (is_worker) {
        if (variable("LISTEN_PID") != std::to_string(::getpid())) {
            print("LISTEN_PID is wrong");
            return 78;
        }
        const auto slab = map_slab(slab_fd);
        if (!slab) {
            print(slab.error().detail);
            return 78;
        }
        entry = &(*slab)->workers[std::stoul(variable("AGENTLOCATOR_WORKER"))];
    }
    if (is_worker && !has("silent")) {
        (void)send_packet(control_fd, {.type = PacketType::ready, .arg = static_cast<std::uint32_t>(control_layout())});
    }
    const TimePoint ready_at = Clock::now();
    if (has("flood") || has("flood_raw")) {
        flood(has("flood"));
    }
    for (;;) {
        if (entry != nullptr && !has("no_heartbeat")) {
            entry->heartbeat_ns.store(Clock::now().time_since_epoch().count());
        }
        pollfd waiting[] = {{is_worker ? control_fd : -1, POLLIN, 0}, {is_worker ? http_fd : -1, POLLIN, 0}};
        ::poll(waiting, 2, beat_ms);
        if (told_to_end != 0) {
            print("ending");
            return 0;
        }
        if (has("crash_after") && Clock::now() - ready_at >= std::chrono::milliseconds(number("crash_after"))) {
            print("crashing on request");
            ::abort();
        }
        if ((waiting[1].revents & POLLIN) != 0 && !has("no_heartbeat")) {
            answer_http();
        }
        if (waiting[0].revents != 0) {
            ControlPacket packet;
            UniqueFd fd;
            const PacketIo state = receive_packet(control_fd, packet, fd);
            if (state == PacketIo::closed) {
                return 0;
            }
            if (state == PacketIo::done && packet.type == PacketType::drain && !has("ignore_term")) {
                print("draining");
                (void)send_packet(control_fd, {.type = PacketType::drained});
                return 0;
            }
        }
    }
}
