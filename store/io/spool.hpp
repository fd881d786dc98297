#pragma once
// The files in which facts wait until the database has them. One process writes its own segments, locked (flock) for as
// long as it lives; a segment without a lock belongs to a process that died, and whoever takes the lock applies it.
//
//   <data>/spool/<process>-<number>.spool      current, then sealed; deleted when all of it is applied
//   <data>/spool/rejected.jsonl                facts no database takes (constraint), for a person to look at
//
// Not thread-safe by itself: StoreWriter guards it. Blocking file work: never on the media thread.
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "common/io/unique_fd.hpp"
#include "common/result.hpp"

namespace agentlocator {

struct SpoolLimits {
    std::uint64_t bytes_max = 256ULL << 20U;    // Of all segments we hold; more is refused.
    std::uint64_t segment_bytes = 1ULL << 20U;  // What a crash makes us apply again, at most.
};

struct SpoolSegment {
    std::string path;
    UniqueFd fd;
    std::uint64_t written = 0;  // Whole records only.
    std::uint64_t applied = 0;
    bool sealed = false;   // Nothing is added any more.
    bool adopted = false;  // Of another process.
};
using SegmentPtr = std::shared_ptr<SpoolSegment>;  // Shared with the thread that applies it, without the lock held.

class Spool {
public:
    // `process` names our segments: unique for as long as its files may lie around.
    Spool(std::string folder, std::string process, SpoolLimits limits);
    ~Spool();
    Spool(const Spool&) = delete;
    Spool& operator=(const Spool&) = delete;

    // Adds whole records. Error too_large: the limit; io: the disk. On error nothing was added.
    [[nodiscard]] Result<void> write(std::string_view records);
    // The descriptor to fdatasync so that all that was written so far is durable; the segment stays open meanwhile.
    [[nodiscard]] SegmentPtr unsynced() const { return current_; }
    // After a failed fdatasync nobody knows what the disk holds: go on in a new file, and write again what counts.
    void abandon_current();

    // The oldest segment with records to apply; null: none.
    [[nodiscard]] SegmentPtr oldest_waiting() const;
    // `segment` was applied up to `position`; finished ones are deleted.
    void on_applied(const SegmentPtr& segment, std::uint64_t position);
    // `segment` cannot be read: its file stays, for a person, and is not looked at again by this process.
    void forget(const SegmentPtr& segment);
    // Takes over what dead processes left. Returns how many segments.
    std::size_t adopt_orphans();

    [[nodiscard]] std::uint64_t bytes_waiting() const;
    [[nodiscard]] const std::string& folder() const { return folder_; }

private:
    [[nodiscard]] Result<void> open_segment();
    void finish(const SegmentPtr& segment);

    const std::string folder_;
    const std::string process_;
    const SpoolLimits limits_;
    std::uint64_t number_ = 0;
    SegmentPtr current_;
    std::deque<SegmentPtr> segments_;    // Oldest first; the current one is the last of ours.
    std::vector<SegmentPtr> forgotten_;  // Kept locked, so that no other process tries them again and again.
};

// Bytes [from, to) of a segment.
[[nodiscard]] Result<std::string> read_segment(const SpoolSegment& segment, std::uint64_t from, std::uint64_t to);

}  // namespace agentlocator
