#pragma once
// Keeps children.json true: written whole and renamed into place before a new child may run.
#include <string>

#include "common/result.hpp"
#include "supervisor/child_record.hpp"

namespace agentlocator {

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
