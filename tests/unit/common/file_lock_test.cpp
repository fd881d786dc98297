#include "common/io/file_lock.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

using namespace agentlocator;

namespace {

struct Folder {
    Folder() {
        char name[] = "/tmp/al-lock-XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path = name;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::string path;
};

}  // namespace

TEST_CASE("file_lock: one holder at a time, the next when he lets go; for its owner only") {
    const Folder folder;
    const std::string path = folder.path + "/lock";
    CHECK_FALSE(open_locked(path, 0));
    CHECK(errno == ENOENT);
    UniqueFd first = open_locked(path, O_CREAT);
    REQUIRE(first);
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    CHECK_FALSE(open_locked(path, O_CREAT));
    CHECK(errno == EWOULDBLOCK);
    first.reset();
    CHECK(open_locked(path, 0, LockWait::yes));
}

TEST_CASE("file_lock: open(2)'s own refusals stay") {
    const Folder folder;
    const std::string path = folder.path + "/lock";
    const UniqueFd made = open_locked(path, O_CREAT | O_EXCL);
    REQUIRE(made);
    CHECK_FALSE(open_locked(path, O_CREAT | O_EXCL));
    CHECK(errno == EEXIST);
    REQUIRE(::symlink(path.c_str(), (folder.path + "/link").c_str()) == 0);
    CHECK_FALSE(open_locked(folder.path + "/link", O_NOFOLLOW));
    CHECK(errno == ELOOP);
}
