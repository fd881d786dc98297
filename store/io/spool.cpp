#include "store/io/spool.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "common/io/file_lock.hpp"

namespace agentlocator {
namespace {

Error io_error(const std::string& path, const char* what) {
    return error(Errc::io, path + ": " + what + ": " + std::strerror(errno));
}

// A new name is durable when its folder is.
bool sync_folder(const std::string& folder) {
    const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return fd && ::fsync(fd.get()) == 0;
}

}  // namespace

Spool::Spool(std::string folder, std::string process, SpoolLimits limits)
    : folder_(std::move(folder)), process_(std::move(process)), limits_(limits) {
    std::error_code ignored;  // Said by the first write that fails for it.
    std::filesystem::create_directories(folder_, ignored);
    ::chmod(folder_.c_str(), S_IRWXU);
}

// What is not applied stays for the next process; locks go with the descriptors.
Spool::~Spool() {
    if (current_ && current_->applied == current_->written) {
        ::unlink(current_->path.c_str());
    }
}

Result<void> Spool::open_segment() {
    auto segment = std::make_shared<SpoolSegment>();
    do {  // Whoever looks for orphans may take a new file for one before it is locked.
        segment->path = folder_ + "/" + process_ + "-" + std::to_string(++number_) + ".spool";
        segment->fd = open_locked(segment->path, O_CREAT | O_EXCL | O_APPEND);
    } while (!segment->fd && (errno == EWOULDBLOCK || errno == ESTALE));
    if (!segment->fd) {
        return io_error(segment->path, "open");
    }
    if (!sync_folder(folder_)) {
        const Error failed = io_error(folder_, "sync");
        ::unlink(segment->path.c_str());
        return failed;
    }
    current_ = segment;
    segments_.push_back(std::move(segment));
    return {};
}

Result<void> Spool::write(std::string_view records) {
    if (bytes_waiting() + records.size() > limits_.bytes_max) {
        return error(Errc::too_large, "the spool holds " + std::to_string(bytes_waiting()) + " bytes, its limit");
    }
    if (current_ && current_->written > 0 && current_->applied == current_->written) {
        // All applied: begin again, so that little is applied a second time after a crash.
        if (::ftruncate(current_->fd.get(), 0) == 0) {
            current_->written = current_->applied = 0;
        }
    }
    if (current_ && current_->written >= limits_.segment_bytes) {
        current_->sealed = true;
        current_.reset();
    }
    if (!current_) {
        if (auto opened = open_segment(); !opened) {
            return opened;
        }
    }
    for (std::size_t done = 0; done < records.size();) {
        const ssize_t count = ::write(current_->fd.get(), records.data() + done, records.size() - done);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            const Error failed = io_error(current_->path, "write");
            if (::ftruncate(current_->fd.get(), static_cast<off_t>(current_->written)) != 0) {
                abandon_current();  // Half a record at its end: read as torn.
            }
            return failed;
        }
        done += static_cast<std::size_t>(count);
    }
    current_->written += records.size();
    return {};
}

void Spool::abandon_current() {
    if (current_) {
        current_->sealed = true;
        current_.reset();
    }
}

SegmentPtr Spool::oldest_waiting() const {
    const auto found = std::find_if(segments_.begin(), segments_.end(),
                                    [](const SegmentPtr& segment) { return segment->applied < segment->written; });
    return found == segments_.end() ? nullptr : *found;
}

void Spool::on_applied(const SegmentPtr& segment, std::uint64_t position) {
    segment->applied = position;
    if (segment->sealed && segment->applied >= segment->written) {
        finish(segment);
    }
}

void Spool::forget(const SegmentPtr& segment) {
    if (current_ == segment) {
        current_.reset();
    }
    std::erase(segments_, segment);
    forgotten_.push_back(segment);
}

void Spool::finish(const SegmentPtr& segment) {
    ::unlink(segment->path.c_str());  // Before the lock goes with the descriptor.
    std::erase(segments_, segment);
}

std::size_t Spool::adopt_orphans() {
    // Sealed segments whose last record was applied before they were sealed have nobody left to delete them.
    for (const SegmentPtr& segment : std::deque<SegmentPtr>(segments_)) {
        if (segment->sealed && segment->applied >= segment->written) {
            finish(segment);
        }
    }
    std::size_t adopted = 0;
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(folder_, failed)) {
        const std::string path = entry.path().string();
        const auto named = [&](const SegmentPtr& segment) { return segment->path == path; };
        const bool ours = std::any_of(segments_.begin(), segments_.end(), named) ||
                          std::any_of(forgotten_.begin(), forgotten_.end(), named);
        if (ours || entry.path().extension() != ".spool") {
            continue;
        }
        UniqueFd fd = open_locked(path, O_NOFOLLOW);
        struct stat status {};
        if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
            continue;  // Its owner lives, or somebody else was faster.
        }
        auto segment = std::make_shared<SpoolSegment>();
        segment->path = path;
        segment->fd = std::move(fd);
        segment->written = static_cast<std::uint64_t>(status.st_size);
        segment->sealed = true;
        segment->adopted = true;
        if (segment->written == 0) {
            ::unlink(path.c_str());
            continue;
        }
        segments_.push_front(std::move(segment));  // Older than ours.
        ++adopted;
    }
    return adopted;
}

std::uint64_t Spool::bytes_waiting() const {
    std::uint64_t sum = 0;
    for (const SegmentPtr& segment : segments_) {
        sum += segment->written - segment->applied;
    }
    return sum;
}

Result<std::string> read_segment(const SpoolSegment& segment, std::uint64_t from, std::uint64_t to) {
    std::string bytes(to - from, '\0');
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t count =
            ::pread(segment.fd.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(from + done));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return count < 0 ? io_error(segment.path, "read") : error(Errc::io, segment.path + ": shorter than it was");
        }
        done += static_cast<std::size_t>(count);
    }
    return bytes;
}

}  // namespace agentlocator
