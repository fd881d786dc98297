#include "common/io/life_lock.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

using namespace agentlocator;

namespace {

struct Folder {
    std::string path;
    Folder() {
        char pattern[] = "/tmp/al-life-XXXXXX";
        path = ::mkdtemp(pattern);
    }
    ~Folder() { std::filesystem::remove_all(path); }
    [[nodiscard]] std::vector<std::string> dead(bool buried) const {
        std::vector<std::string> names;
        LifeLock::for_each_dead(path, [&](const std::string& name) {
            names.push_back(name);
            return buried;
        });
        return names;
    }
    // What a killed process leaves: the file, and nobody who holds it.
    void leave(const std::string& name) const { std::ofstream(path + "/" + name + ".alive").put('x'); }
};

}  // namespace

TEST_CASE("life lock: who holds its lock lives, a file that nobody holds is a dead one's, until it is buried") {
    const Folder folder;
    const auto alive = LifeLock::take(folder.path, "worker1");
    REQUIRE(alive.has_value());
    folder.leave("worker2");
    std::ofstream(folder.path + "/unrelated").put('x');
    CHECK(folder.dead(false) == std::vector<std::string>{"worker2"});
    CHECK(folder.dead(true) == std::vector<std::string>{"worker2"});
    CHECK(folder.dead(true).empty());
}

TEST_CASE("life lock: an orderly end leaves nothing, a folder that is missing is made") {
    const Folder folder;
    const std::string inner = folder.path + "/a/b";
    {
        const auto alive = LifeLock::take(inner, "worker1");
        REQUIRE(alive.has_value());
        CHECK(std::filesystem::exists(inner + "/worker1.alive"));
    }
    CHECK_FALSE(std::filesystem::exists(inner + "/worker1.alive"));
    CHECK(LifeLock::take("/proc/nowhere", "x").error().code == Errc::io);
}

TEST_CASE("life lock: a file may be held by one, and by the next once it is let go") {
    const Folder folder;
    UniqueFd first = try_lock_file(folder.path + "/reader.lock");
    CHECK(first);
    CHECK_FALSE(try_lock_file(folder.path + "/reader.lock"));
    first.reset();
    CHECK(try_lock_file(folder.path + "/reader.lock"));
}
