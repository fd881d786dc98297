#include "supervisor/io/adoption.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <system_error>
#include <utility>

#include "common/crash_point.hpp"
#include "common/io/packet_socket.hpp"
#include "common/log_line.hpp"
#include "common/time.hpp"
#include "supervisor/io/child_registry.hpp"
#include "supervisor/io/hung_worker.hpp"
#include "supervisor/io/process_table.hpp"

namespace agentlocator {
namespace {

// A worker looks for us every 20 ms and answers within one turn of its loop: one that is silent for so long hangs.
constexpr Duration answer_max = 3s;
constexpr std::chrono::milliseconds kill_max{2000};  // Only a process stuck in the kernel takes longer.

bool has_ended(const UniqueFd& pidfd) {
    pollfd ready{pidfd.get(), POLLIN, 0};
    return ::poll(&ready, 1, 0) != 0;
}

// Pinned first, looked at afterwards: what is true of the pid then is true of the process the pidfd names.
UniqueFd pin(const ChildRecord& record) {
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(record.pid), 0U)));
    return pidfd && is_alive(record.pid, record.start_ticks) ? std::move(pidfd) : UniqueFd();
}

UniqueFd duplicate(const UniqueFd& fd) {
    return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
}

// The children of a supervisor that is dead, or that we were before an exec.
ChildRecords orphans_of(const std::string& runtime_dir) {
    auto records = read_child_records(runtime_dir);
    if (!records || records->boot_id.empty() || records->boot_id != read_boot_id() ||
        (records->supervisor_pid != ::getpid() && is_alive(records->supervisor_pid, records->supervisor_start_ticks))) {
        return {};
    }
    return std::move(*records);
}

class Gate {
public:
    explicit Gate(const std::string& runtime_dir) : path_(runtime_dir + "/" + workers_socket_name) {}
    ~Gate() { ::unlink(path_.c_str()); }
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;

    [[nodiscard]] Result<void> open() {
        sockaddr_un address{};
        if (path_.size() >= sizeof address.sun_path) {
            return error(Errc::io, path_ + " is too long for a socket");
        }
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
        ::unlink(path_.c_str());  // We hold the lock: whoever opened it is dead.
        listener_.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        constexpr int backlog = 256;  // All workers at once.
        if (!listener_ || ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
            ::chmod(path_.c_str(), 0600) != 0 || ::listen(listener_.get(), backlog) != 0) {
            return error(Errc::io, path_ + ": " + std::generic_category().message(errno));
        }
        return {};
    }

    struct Visitor {
        UniqueFd socket;
        pid_t pid = 0;
    };
    // Nothing: nobody is waiting. A stranger comes with pid 0.
    [[nodiscard]] std::optional<Visitor> accept() const {
        Visitor visitor;
        visitor.socket.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!visitor.socket) {
            return std::nullopt;
        }
        ucred peer{};
        socklen_t size = sizeof peer;
        if (::getsockopt(visitor.socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid()) {
            visitor.pid = peer.pid;
        }
        return visitor;
    }
    [[nodiscard]] int fd() const { return listener_.get(); }

private:
    std::string path_;
    UniqueFd listener_;
};

struct Collected {
    UniqueFd slab;
    UniqueFd listener;
    std::vector<AdoptedChild> adopted;
    std::vector<Adoption::Kept> kept;
    std::vector<TakenDescriptors> taken;  // From workers that did not answer.
};

// The workers that should come, and what those that came have handed over.
class Collection {
public:
    Collection(Gate& gate, std::vector<AdoptedChild> expected) : gate_(gate), workers_(std::move(expected)) {
        descriptors_.resize(workers_.size());
    }

    void run(TimePoint deadline) {
        while (!all_settled()) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
            if (left.count() <= 0) {
                return;
            }
            std::vector<pollfd> waiting{{gate_.fd(), POLLIN, 0}};
            for (const AdoptedChild& worker : workers_) {
                waiting.push_back({worker.pidfd.get(), POLLIN, 0});
                waiting.push_back({worker.told.complete() ? -1 : worker.control.get(), POLLIN, 0});
            }
            (void)::poll(waiting.data(), waiting.size(), static_cast<int>(left.count()));
            take_all();
        }
        take_all();  // Of those that ended, too: what they had sent lies here, with the sockets.
    }

    // Who came to the end of his tale is adopted. The others are dead afterwards; the calls they got to tell of are
    // kept, and from those that only hang everything is taken first.
    void finish(Collected& all, const Report& report) {
        for (std::size_t i = 0; i < workers_.size(); ++i) {
            AdoptedChild& worker = workers_[i];
            if (worker.told.complete() && same_slab(all.slab, descriptors_[i].slab)) {
                if (!all.slab) {
                    all.slab = std::move(descriptors_[i].slab);
                }
                if (!all.listener) {
                    all.listener = std::move(descriptors_[i].listener);
                }
                all.adopted.push_back(std::move(worker));
                continue;
            }
            TakenDescriptors taken;
            if (!has_ended(worker.pidfd)) {
                taken = take_descriptors(worker.record.pid, worker.pidfd);
                end(worker, taken.problem, report);
            }
            for (std::size_t told = 0; told < worker.sockets.size(); ++told) {
                const CallReport& call = worker.told.calls()[told];
                all.kept.push_back({call.slot, call.call, std::move(worker.sockets[told])});
            }
            all.taken.push_back(std::move(taken));
        }
        for (TakenDescriptors& taken : all.taken) {
            if (!all.slab) {
                all.slab = std::move(taken.slab);
            }
            if (!all.listener) {
                all.listener = std::move(taken.listener);
            }
        }
    }

private:
    struct Descriptors {
        UniqueFd slab;
        UniqueFd listener;
    };

    [[nodiscard]] bool all_settled() const {
        return std::all_of(workers_.begin(), workers_.end(), [](const AdoptedChild& worker) {
            return worker.told.complete() || has_ended(worker.pidfd);
        });
    }

    void take_all() {
        accept_all();
        for (std::size_t i = 0; i < workers_.size(); ++i) {
            take_packets(i);
        }
    }

    void accept_all() {
        while (auto visitor = gate_.accept()) {
            const auto found = std::find_if(workers_.begin(), workers_.end(), [&](const AdoptedChild& worker) {
                return worker.record.pid == visitor->pid;
            });
            if (found != workers_.end() && !found->told.complete()) {
                forget(static_cast<std::size_t>(found - workers_.begin()));
                found->control = std::move(visitor->socket);
            }
        }
    }

    void forget(std::size_t index) {
        workers_[index].told = {};
        workers_[index].sockets.clear();
        workers_[index].control.reset();
        descriptors_[index] = {};
    }

    void take_packets(std::size_t index) {
        AdoptedChild& worker = workers_[index];
        while (worker.control && !worker.told.complete()) {
            ControlPacket packet;
            UniqueFd fd;
            const PacketIo result = receive_packet(worker.control.get(), packet, fd);
            if (result == PacketIo::again) {
                return;
            }
            const auto kept = result == PacketIo::done ? worker.told.on_packet(packet, static_cast<bool>(fd))
                                                       : std::optional<HandBack::Kept>();
            if (!kept && result == PacketIo::closed) {
                worker.control.reset();  // It ended, or will come again; what it told so far may be all there is.
                return;
            }
            if (!kept) {
                return forget(index);
            }
            if (*kept == HandBack::Kept::slab) {
                descriptors_[index].slab = std::move(fd);
            } else if (*kept == HandBack::Kept::listener) {
                descriptors_[index].listener = std::move(fd);
            } else if (*kept == HandBack::Kept::call) {
                worker.sockets.push_back(std::move(fd));
            }
            CRASH_POINT(hand_back_taken);
        }
    }

    static bool same_slab(const UniqueFd& first, const UniqueFd& other) {
        struct stat a {};
        struct stat b {};
        return !first || (::fstat(first.get(), &a) == 0 && ::fstat(other.get(), &b) == 0 && a.st_ino == b.st_ino &&
                          a.st_dev == b.st_dev);
    }

    // It may still serve its calls; nobody else may be given them before it is dead.
    static void end(const AdoptedChild& worker, const std::string& problem, const Report& report) {
        const std::string cause = "it did not hand back its calls in time; it is killed, and its calls " +
                                  (problem.empty() ? "go on elsewhere" : "end: " + problem);
        report(log_line("worker_not_adopted",
                        {{"slot", worker.record.slot}, {"pid", worker.record.pid}, {"cause", cause}}));
        ::syscall(SYS_pidfd_send_signal, worker.pidfd.get(), SIGKILL, nullptr, 0U);
        pollfd ready{worker.pidfd.get(), POLLIN, 0};
        (void)::poll(&ready, 1, static_cast<int>(kill_max.count()));
    }

    Gate& gate_;
    std::vector<AdoptedChild> workers_;
    std::vector<Descriptors> descriptors_;
};

// The workers among them; the bridge becomes the adoption's, and the speech helper is ended.
std::vector<AdoptedChild> sort_orphans(const ChildRecords& records, bool want_bridge, Adoption& adoption) {
    std::vector<AdoptedChild> expected;
    for (const ChildRecord& record : records.children) {
        adoption.last_serial = std::max(adoption.last_serial, record.serial);
        if (record.slot == "speech") {
            // It holds nothing of a call, and its socket is the old supervisor's: a new one takes its place.
            if (const UniqueFd old = pin(record)) {
                ::syscall(SYS_pidfd_send_signal, old.get(), SIGKILL, nullptr, 0U);
            }
            continue;
        }
        const bool is_bridge = record.slot == "bridge";
        const bool is_worker = !record.slot.empty() && record.slot.find_first_not_of("0123456789") == std::string::npos;
        UniqueFd pidfd = is_worker || (is_bridge && want_bridge) ? pin(record) : UniqueFd();
        if (!pidfd) {
            continue;  // Gone, or for the stale clean-up.
        }
        AdoptedChild child;
        child.record = record;
        child.pidfd = std::move(pidfd);
        if (is_bridge) {
            adoption.bridge = std::move(child);
        } else {
            expected.push_back(std::move(child));
        }
    }
    return expected;
}

}  // namespace

std::vector<std::int64_t> Adoption::pids() const {
    std::vector<std::int64_t> list;
    for (const AdoptedChild& worker : workers) {
        list.push_back(worker.record.pid);
    }
    if (bridge) {
        list.push_back(bridge->record.pid);
    }
    return list;
}

Result<std::optional<Adoption>> adopt_orphans(const std::string& runtime_dir, bool want_bridge, Heritage* heritage,
                                              const Report& report) {
    const ChildRecords records = orphans_of(runtime_dir);
    Adoption adoption;
    adoption.instance = records.instance;
    Collected all;
    if (heritage != nullptr) {
        all.slab = duplicate(heritage->slab);  // The original stays with the heritage: we may have to turn back.
        all.listener = duplicate(heritage->listener);
    }
    if (all.slab) {
        if (const auto readable = map_slab(all.slab.get()); !readable) {
            return readable.error();
        }
    }
    std::vector<AdoptedChild> expected = sort_orphans(records, want_bridge, adoption);
    if (!expected.empty()) {
        Gate gate(runtime_dir);
        if (const auto opened = gate.open(); !opened) {
            return opened.error();
        }
        CRASH_POINT(adoption_open);
        Collection collection(gate, std::move(expected));
        collection.run(Clock::now() + answer_max);
        collection.finish(all, report);
        adoption.workers = std::move(all.adopted);
        adoption.kept = std::move(all.kept);
    }
    if (all.slab) {
        // A slab of another layout stays with the build that made it: its workers go on serving.
        const auto mapped = map_slab(all.slab.get());
        if (!mapped) {
            return mapped.error();
        }
        adoption.slab = {std::move(all.slab), *mapped};
        adoption.instance = (*mapped)->instance.data();
        adoption.listener = describe_socket(std::move(all.listener));
        adoption.listener.activated = heritage != nullptr && heritage->document.activated;
    }
    if (adoption.slab.slab == nullptr && !adoption.bridge && heritage == nullptr) {
        return std::optional<Adoption>();
    }
    for (TakenDescriptors& taken : all.taken) {
        if (adoption.slab.slab != nullptr) {
            std::ranges::move(calls_among(*adoption.slab.slab, std::move(taken.sockets)),
                              std::back_inserter(adoption.kept));
        }
    }
    for (std::size_t i = 0; heritage != nullptr && i < heritage->sockets.size(); ++i) {
        const KeptSocket& socket = heritage->document.sockets[i];
        adoption.kept.push_back({socket.slot, socket.call, std::move(heritage->sockets[i])});
    }
    return std::optional<Adoption>(std::move(adoption));
}

}  // namespace agentlocator
