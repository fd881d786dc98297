#include "supervisor/io/port_owner.hpp"

#include <dirent.h>

#include <algorithm>
#include <memory>

#include "common/text.hpp"
#include "supervisor/io/read_file.hpp"

namespace agentlocator {
namespace {

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;

Folder open_folder(const std::string& path) {
    return {::opendir(path.c_str()), ::closedir};
}

void find_holders(std::int64_t pid, std::vector<PortOwner>& owners) {
    const std::string path = "/proc/" + std::to_string(pid) + "/fd";
    const Folder folder = open_folder(path);
    while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
        const std::string link = read_link(path + "/" + entry->d_name);
        if (!link.starts_with("socket:[")) {
            continue;
        }
        for (PortOwner& owner : owners) {
            const bool known = std::find(owner.pids.begin(), owner.pids.end(), pid) != owner.pids.end();
            if (!known && link == "socket:[" + std::to_string(owner.listener.inode) + "]") {
                owner.pids.push_back(pid);
            }
        }
    }
}

}  // namespace

std::vector<PortOwner> find_port_owners(const std::string& address, std::uint16_t port) {
    std::vector<PortOwner> owners;
    for (const char* file : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        constexpr std::size_t bytes_max = 64 * 1024 * 1024;  // 400,000 connections; a listener is near the top.
        for (TcpListener& listener : parse_tcp_listeners(read_file(file, bytes_max).value_or(""), port)) {
            if (addresses_conflict(address, listener.address)) {
                owners.push_back({std::move(listener), {}});
            }
        }
    }
    if (owners.empty()) {
        return owners;
    }
    const Folder folder = open_folder("/proc");
    while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
        if (const auto pid = parse_integer(entry->d_name); pid && *pid > 0) {
            find_holders(*pid, owners);
        }
    }
    return owners;
}

}  // namespace agentlocator
