#include "supervisor/stale.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "common/ensure.hpp"
#include "common/log_line.hpp"

namespace agentlocator {
namespace {

using ProcessMap = std::map<std::int64_t, const ProcessView*>;

// The chain of parents of `pid`, itself first. Bounded by the seen set: a snapshot is not atomic and may hold a loop.
std::vector<std::int64_t> ancestry(const ProcessMap& processes, std::int64_t pid) {
    std::vector<std::int64_t> chain;
    std::set<std::int64_t> seen;
    while (pid > 0 && seen.insert(pid).second) {
        chain.push_back(pid);
        const auto found = processes.find(pid);
        pid = found == processes.end() ? 0 : found->second->parent;
    }
    return chain;
}

class Classifier {
public:
    Classifier(const StaleSnapshot& snapshot, const StaleScope& scope) : snapshot_(snapshot), scope_(scope) {
        for (const ProcessView& process : snapshot.processes) {
            processes_.emplace(process.pid, &process);
        }
        for (const std::int64_t pid : ancestry(processes_, scope.self)) {
            untouchable_.insert(pid);
        }
    }

    std::vector<StaleVerdict> run() {
        for (const auto& [pid, process] : processes_) {
            if (may_touch(*process)) {
                judge(*process);
            }
        }
        add_launchers();
        for (const ListenerView& listener : snapshot_.listeners) {
            judge(listener);
        }
        return ordered();
    }

private:
    [[nodiscard]] bool is_protected(std::int64_t pid) const {
        if (pid <= 1 || untouchable_.contains(pid)) {
            return true;
        }
        const auto chain = ancestry(processes_, pid);
        return std::any_of(chain.begin(), chain.end(), [&](std::int64_t above) {
            return above == scope_.self ||
                   std::find(scope_.living.begin(), scope_.living.end(), above) != scope_.living.end();
        });
    }

    // Another user's process is never ours, and its folder and environment would be the other user's words.
    [[nodiscard]] bool may_touch(const ProcessView& process) const {
        return process.uid == scope_.uid && process.state != 'Z' && process.state != 'X' && !is_protected(process.pid);
    }

    void judge(const ProcessView& process) {
        if (const ChildRecord* record = find_record(process)) {
            add(process, StaleReason::recorded_child,
                "child \"" + record->slot + "\" of the dead supervisor pid " +
                    std::to_string(scope_.records->supervisor_pid));
        } else if (has_dead_tag(process)) {
            add(process, StaleReason::tagged_child, "carries the tag of a dead supervisor of this installation");
        } else if (const auto server = match_old_server(process, scope_.installation);
                   server && !serves_another_supervisor(process)) {
            add(process, StaleReason::old_server,
                *server + " in " + log_value(process.cwd) + ": an old server of this installation");
        }
    }

    [[nodiscard]] const ChildRecord* find_record(const ProcessView& process) const {
        // A boot id that could not be read proves nothing.
        if (!scope_.records || scope_.boot_id.empty() || scope_.records->boot_id != scope_.boot_id) {
            return nullptr;
        }
        // The supervisor that wrote the records is alive: they are its children, not stale ones.
        const auto writer = processes_.find(scope_.records->supervisor_pid);
        if (writer != processes_.end() && writer->second->state != 'Z' &&
            writer->second->start_ticks == scope_.records->supervisor_start_ticks &&
            scope_.records->supervisor_pid != scope_.self) {
            return nullptr;
        }
        for (const ChildRecord& record : scope_.records->children) {
            if (record.pid == process.pid && record.start_ticks == process.start_ticks) {
                return &record;
            }
        }
        return nullptr;
    }

    [[nodiscard]] bool has_dead_tag(const ProcessView& process) const {
        return std::any_of(scope_.dead_tags.begin(), scope_.dead_tags.end(), [&](const std::string& tag) {
            const std::string entry = std::string(child_tag_variable) + "=" + tag;
            return !tag.empty() && std::find(process.environment.begin(), process.environment.end(), entry) !=
                                       process.environment.end();
        });
    }

    // Two supervisors with locks of their own may share a checkout (tests do): the other one's bridge looks like an old
    // one, but it carries a tag and hangs below a process that is a supervisor.
    [[nodiscard]] bool serves_another_supervisor(const ProcessView& process) const {
        const auto is_tag = [](const std::string& entry) {
            return entry.starts_with(std::string(child_tag_variable) + "=");
        };
        if (std::none_of(process.environment.begin(), process.environment.end(), is_tag)) {
            return false;
        }
        const auto chain = ancestry(processes_, process.parent);
        return std::any_of(chain.begin(), chain.end(), [&](std::int64_t pid) {
            const auto found = processes_.find(pid);
            return found != processes_.end() && found->second->uid == scope_.uid &&
                   found->second->exe.ends_with("/agentlocator");
        });
    }

    // A launcher that polls and restarts brings its server back before the port is free.
    void add_launchers() {
        const std::vector<StaleVerdict> servers = verdicts_;
        for (const StaleVerdict& verdict : servers) {
            if (verdict.reason != StaleReason::old_server) {
                continue;
            }
            for (const std::int64_t pid : ancestry(processes_, verdict.process.parent)) {
                const auto found = processes_.find(pid);
                if (found == processes_.end() || !may_touch(*found->second)) {
                    break;
                }
                if (const auto launcher = match_old_launcher(*found->second, scope_.installation)) {
                    add(*found->second, StaleReason::old_launcher,
                        *launcher + " above pid " + std::to_string(verdict.process.pid));
                }
            }
        }
    }

    void judge(const ListenerView& listener) {
        const std::string where = listener.address + ":" + std::to_string(scope_.port);
        const bool known = std::any_of(listener.pids.begin(), listener.pids.end(), [&](std::int64_t pid) {
            return is_chosen(pid) || pid == scope_.self || is_below_living(pid);
        });
        if (known) {
            return;  // Ended anyway, or ours: a socket handed to us by the service manager is held by it too.
        }
        if (listener.pids.empty()) {
            StaleVerdict verdict;
            verdict.process.uid = listener.uid;
            verdict.detail =
                "listens on " + where + "; its process cannot be seen from here (another user or container)";
            verdict.remedy = "look with `sudo ss -ltnp`, end it, or set PORT to another port";
            verdicts_.push_back(std::move(verdict));
            return;
        }
        for (const std::int64_t pid : listener.pids) {
            const auto found = processes_.find(pid);
            if (found == processes_.end() || is_chosen(pid)) {
                continue;
            }
            add(*found->second, StaleReason::port_owner, "listens on " + where + " and is not known to us");
            verdicts_.back().stop = scope_.takeover && may_touch(*found->second);
            verdicts_.back().remedy = found->second->uid == scope_.uid
                                          ? "end it, set PORT to another port, or run with --takeover to end it"
                                          : "ask its user to end it, or set PORT to another port";
        }
    }

    [[nodiscard]] bool is_below_living(std::int64_t pid) const {
        const auto chain = ancestry(processes_, pid);
        return std::any_of(chain.begin(), chain.end(), [&](std::int64_t above) {
            return std::find(scope_.living.begin(), scope_.living.end(), above) != scope_.living.end();
        });
    }

    [[nodiscard]] bool is_chosen(std::int64_t pid) const {
        return std::any_of(verdicts_.begin(), verdicts_.end(),
                           [&](const StaleVerdict& verdict) { return verdict.process.pid == pid; });
    }

    void add(const ProcessView& process, StaleReason reason, std::string detail) {
        if (!is_chosen(process.pid)) {
            verdicts_.push_back({process, reason, true, std::move(detail), {}});
        }
    }

    [[nodiscard]] std::vector<StaleVerdict> ordered() {
        const auto depth = [&](const StaleVerdict& verdict) {
            return ancestry(processes_, verdict.process.pid).size();
        };
        std::stable_sort(verdicts_.begin(), verdicts_.end(), [&](const StaleVerdict& a, const StaleVerdict& b) {
            return a.stop != b.stop ? a.stop : depth(a) < depth(b);
        });
        return std::move(verdicts_);
    }

    const StaleSnapshot& snapshot_;
    const StaleScope& scope_;
    ProcessMap processes_;
    std::set<std::int64_t> untouchable_;
    std::vector<StaleVerdict> verdicts_;
};

}  // namespace

std::string_view to_string(StaleReason reason) {
    switch (reason) {
        case StaleReason::recorded_child:
            return "recorded_child";
        case StaleReason::tagged_child:
            return "tagged_child";
        case StaleReason::old_server:
            return "old_server";
        case StaleReason::old_launcher:
            return "old_launcher";
        case StaleReason::port_owner:
            return "port_owner";
    }
    ensure_failed("StaleReason has a name", __FILE__, __LINE__);
}

std::vector<StaleVerdict> classify_stale(const StaleSnapshot& snapshot, const StaleScope& scope) {
    return Classifier(snapshot, scope).run();
}

std::string command_text(const ProcessView& process) {
    constexpr std::size_t shown_bytes_max = 160;  // One line beside the reason.
    std::string text;
    for (const std::string& word : process.argv) {
        text += (text.empty() ? "" : " ") + (word.empty() ? std::string("\"\"") : word);
        if (text.size() > shown_bytes_max) {
            text.resize(shown_bytes_max);
            text += "...";
            break;
        }
    }
    if (text.empty()) {
        text = "[" + process.name + "]";
    }
    for (char& c : text) {  // Another process wrote this: it may not move the cursor of whoever reads it.
        const auto byte = static_cast<unsigned char>(c);
        c = byte < 0x20 || byte == 0x7f ? '?' : c;
    }
    return text;
}

}  // namespace agentlocator
