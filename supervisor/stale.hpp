#pragma once
// Which processes stand in the way of the one truth (promise P1), and why. Pure: a snapshot in, verdicts out; the
// shell (io/stale_cleanup) takes snapshots and acts on them.
//
// Evidence, strongest first:
//   1. recorded child   a record of a dead supervisor of ours: pid AND start ticks AND boot id
//   2. tagged child     its environment holds our private tag with the dead supervisor's instance, as a whole entry
//   3. old server       same user, command line AND working directory of a known server of this installation
//   4. old launcher     the shell above an old server, which would start it again
//   5. port owner       listens on our port and is none of these: named, ended only by --takeover
// Never: ourselves, our ancestors, pid 1, other users' processes, a living supervisor and all below it.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "supervisor/child_record.hpp"
#include "supervisor/old_server.hpp"
#include "supervisor/process_view.hpp"

namespace agentlocator {

enum class StaleReason : std::uint8_t { recorded_child, tagged_child, old_server, old_launcher, port_owner };
[[nodiscard]] std::string_view to_string(StaleReason reason);  // "recorded_child"

struct StaleScope {
    std::int64_t self = 0;
    std::uint32_t uid = 0;
    std::string boot_id;
    Installation installation;
    std::optional<ChildRecords> records;  // children.json, when there is one.
    std::vector<std::string> dead_tags;   // Whole values of AGENTLOCATOR_TAG that dead supervisors gave out.
    std::vector<std::int64_t> living;     // Supervisors that run: they and all below them are left alone.
    std::string address;                  // Our port: where we listen or want to.
    std::uint16_t port = 0;
    bool takeover = false;
};

// A socket that listens on our port, and the processes that hold it.
struct ListenerView {
    std::string address;
    std::uint32_t uid = 0;
    std::vector<std::int64_t> pids;  // Empty: not visible from here.
};

struct StaleSnapshot {
    std::vector<ProcessView> processes;
    std::vector<ListenerView> listeners;
};

struct StaleVerdict {
    ProcessView process;  // pid 0: a listener whose process cannot be seen.
    StaleReason reason = StaleReason::port_owner;
    bool stop = false;   // False: only named.
    std::string detail;  // "gunicorn main:app in /opt/agent: an old server of this installation"
    std::string remedy;  // What a person can do when it is not ours to end.
};

// Verdicts in the order of action: parents before their children, then those that are only named.
[[nodiscard]] std::vector<StaleVerdict> classify_stale(const StaleSnapshot& snapshot, const StaleScope& scope);

// One line for people: "python3 /usr/bin/gunicorn main:app", control bytes escaped, cut.
[[nodiscard]] std::string command_text(const ProcessView& process);

}  // namespace agentlocator
