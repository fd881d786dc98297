#include "supervisor/io/child_registry.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "common/io/unique_fd.hpp"
#include "supervisor/io/process_table.hpp"
#include "supervisor/io/read_file.hpp"

namespace agentlocator {

std::optional<ChildRecords> read_child_records(const std::string& runtime_dir) {
    const std::string path = runtime_dir + "/" + child_record_file;
    struct stat status {};
    // Another user's file would name processes of ours to be ended.
    if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != ::geteuid()) {
        return std::nullopt;
    }
    const auto text = read_file(path);
    auto records = text ? parse_child_records(*text) : error(Errc::not_found, path);
    return records ? std::optional(std::move(*records)) : std::nullopt;
}

ChildRegistry::ChildRegistry(std::string folder, std::string instance)
    : path_(std::move(folder) + "/" + child_record_file) {
    records_.instance = std::move(instance);
    records_.boot_id = read_boot_id();
    records_.supervisor_pid = ::getpid();
    records_.supervisor_start_ticks = read_start_ticks(::getpid()).value_or(0);
}

Result<void> ChildRegistry::write(std::vector<ChildRecord> children) {
    records_.children = std::move(children);
    const std::string text = encode_child_records(records_);
    const std::string draft = path_ + ".new";
    const auto failed = [&] {
        const int code = errno;
        ::unlink(draft.c_str());
        return error(Errc::io, "write " + path_ + ": " + std::generic_category().message(code));
    };
    UniqueFd file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) {
        return failed();
    }
    // No fsync: after a crash of the machine the boot id makes every record void.
    if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        return failed();
    }
    if (std::rename(draft.c_str(), path_.c_str()) != 0) {
        return failed();
    }
    return {};
}

void ChildRegistry::remove() const {
    ::unlink(path_.c_str());
}

}  // namespace agentlocator
