#include "store/io/spool.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "store/spool_record.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace agentlocator;

namespace {

class Folder {
public:
    Folder() {
        char pattern[] = "/tmp/al-spool-XXXXXX";
        path_ = std::string(::mkdtemp(pattern)) + "/spool";
    }
    ~Folder() { std::filesystem::remove_all(std::filesystem::path(path_).parent_path()); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::size_t files() const {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
    }

private:
    std::string path_;
};

std::string record(const std::string& body) {
    std::string bytes;
    append_record(bytes, body);
    return bytes;
}

// Applies all that waits, as a list of bodies.
std::vector<std::string> drain(Spool& spool) {
    std::vector<std::string> all;
    while (const SegmentPtr segment = spool.oldest_waiting()) {
        const auto bytes = read_segment(*segment, segment->applied, segment->written);
        REQUIRE(bytes);
        for (const std::string_view body : read_records(*bytes).bodies) {
            all.emplace_back(body);
        }
        spool.on_applied(segment, segment->written);
    }
    return all;
}

}  // namespace

TEST_CASE("spool: what is written is read in order, across segments, and the files go when it is applied") {
    const Folder folder;
    Spool spool(folder.path(), "a", {.bytes_max = 1'000'000, .segment_bytes = 100});
    std::vector<std::string> bodies;
    for (int i = 0; i < 50; ++i) {
        bodies.push_back("fact " + std::to_string(i));
        REQUIRE(spool.write(record(bodies.back())));
    }
    CHECK(folder.files() > 5);
    CHECK(drain(spool) == bodies);
    CHECK(spool.bytes_waiting() == 0);
    CHECK(folder.files() == 1);  // The current one.
    REQUIRE(spool.write(record("one more")));
    CHECK(drain(spool) == std::vector<std::string>{"one more"});
}

TEST_CASE("spool: the limit refuses what is too much and takes more when there is room again") {
    const Folder folder;
    const std::string one = record("123456789");
    Spool spool(folder.path(), "a", {.bytes_max = 3 * one.size(), .segment_bytes = 1000});
    for (int i = 0; i < 3; ++i) {
        REQUIRE(spool.write(one));
    }
    const auto refused = spool.write(one);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::too_large);
    CHECK(drain(spool).size() == 3);
    CHECK(spool.write(one));
}

TEST_CASE("spool: a dead process's segments are adopted once, a living one's never") {
    const Folder folder;
    auto first = std::make_unique<Spool>(folder.path(), "first", SpoolLimits{});
    REQUIRE(first->write(record("a")));
    REQUIRE(first->write(record("b")));
    Spool second(folder.path(), "second", {});
    Spool third(folder.path(), "third", {});
    CHECK(second.adopt_orphans() == 0);
    first.reset();  // Its lock goes with it; what it had not applied stays.
    REQUIRE(second.adopt_orphans() == 1);
    CHECK(third.adopt_orphans() == 0);
    CHECK(drain(second) == std::vector<std::string>{"a", "b"});
    CHECK(folder.files() == 0);
}

TEST_CASE("spool: a torn end is no record, an empty file is removed, strangers' files are left alone") {
    const Folder folder;
    std::filesystem::create_directories(folder.path());
    std::ofstream(folder.path() + "/x-1.spool") << record("whole") << record("torn").substr(0, 10);
    std::ofstream(folder.path() + "/x-2.spool").close();
    std::ofstream(folder.path() + "/notes.txt") << "mine";
    Spool spool(folder.path(), "a", {});
    CHECK(spool.adopt_orphans() == 1);
    CHECK(drain(spool) == std::vector<std::string>{"whole"});
    CHECK(folder.files() == 1);
}

TEST_CASE("spool: its files are for this user alone") {
    const Folder folder;
    Spool spool(folder.path(), "a", {});
    REQUIRE(spool.write(record("x")));
    struct stat status {};
    REQUIRE(::stat((folder.path() + "/a-1.spool").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0600U);
    REQUIRE(::stat(folder.path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0700U);
}

TEST_CASE("spool: a folder that cannot be written is an error, and heals") {
    const Folder folder;
    std::filesystem::create_directories(std::filesystem::path(folder.path()).parent_path());
    std::ofstream(folder.path()) << "a file where the folder should be";
    Spool spool(folder.path(), "a", {});
    const auto refused = spool.write(record("x"));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::io);
    std::filesystem::remove(folder.path());
    std::filesystem::create_directories(folder.path());
    CHECK(spool.write(record("x")));
}
