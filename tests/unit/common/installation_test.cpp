#include "common/installation.hpp"

#include <doctest/doctest.h>

using agentlocator::installation_root;

TEST_CASE("installation: a build folder and an installed tree lead to the same root") {
    CHECK(installation_root("/srv/AgentLocator/build/release/bin/agentlocator") == "/srv/AgentLocator");
    CHECK(installation_root("/opt/agentlocator/bin/agentlocator") == "/opt/agentlocator");
}

TEST_CASE("installation: a program elsewhere lives in its own folder") {
    CHECK(installation_root("/home/dana/agentlocator") == "/home/dana");
    CHECK(installation_root("/bin/agentlocator") == "/");
    CHECK(installation_root("/agentlocator") == "/");
    CHECK(installation_root("/build/release/bin/agentlocator") == "/");
}
