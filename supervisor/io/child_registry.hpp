#pragma once
// Keeps children.json true: written whole and renamed into place before a new child may run.
#include <optional>
#include <string>

#include "common/result.hpp"
#include "supervisor/child_record.hpp"

namespace agentlocator {

// What a supervisor wrote into `runtime_dir`, dead or alive. Nothing: no such file, another user's, or not whole.
[[nodiscard]] std::optional<ChildRecords> read_child_records(const std::string& runtime_dir);

class ChildRegistry {
public:
    // `instance` and the identity of this process stand in every version of the file.
    ChildRegistry(std::string folder, std::string instance);

    [[nodiscard]] Result<void> write(std::vector<ChildRecord> children);
    // An orderly end: nothing was left behind, so nothing is recorded.
    void remove() const;

private:
    std::string path_;
    ChildRecords records_;
};

}  // namespace agentlocator
