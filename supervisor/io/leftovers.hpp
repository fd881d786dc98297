#pragma once
// Processes that a child of ours left behind. As subreaper we become their parent when theirs dies, so they are found
// among our own children and can be nobody else's. Main thread only.
#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace agentlocator {

// Become the parent of every orphan below us. False: the kernel refuses; double-forked leftovers then escape.
bool become_subreaper();

// Our children at this moment, adopted ones included. Empty where /proc does not say.
[[nodiscard]] std::vector<pid_t> own_children();

// Whether the process was started by (a descendant of) the child with this serial number.
[[nodiscard]] bool carries_serial(pid_t pid, const std::string& serial);

// Kills every child of ours for which `is_leftover` holds, and what these had below them, and reaps them.
// Returns how many were killed. Bounded in time: a process that even SIGKILL does not end is left.
std::size_t kill_leftovers(const std::function<bool(pid_t)>& is_leftover);

}  // namespace agentlocator
