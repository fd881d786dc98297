#include "bridge-launcher/launch_plan.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace agentlocator;
using Texts = std::vector<std::string>;

namespace {

LaunchFacts good_facts() {
    LaunchFacts facts;
    facts.folders = {{.path = "/srv/x/baileys-bridge", .exists = true, .missing = {}}};
    facts.nodes = {{.path = "/usr/bin/node", .version = "v20.20.2"}};
    facts.looked_in = {"/usr/local/bin", "/usr/bin"};
    facts.environment = {"PATH=/usr/bin", "BAILEYS_PORT=4001", "BAILEYS_SECRET=s3cret", "TWILIO_AUTH_TOKEN=t0ken"};
    return facts;
}

LaunchProblem problem_of(const LaunchFacts& facts) {
    const auto planned = plan_launch(facts);
    const auto* problem = std::get_if<LaunchProblem>(&planned);
    REQUIRE(problem != nullptr);
    return *problem;
}

LaunchPlan plan_of(const LaunchFacts& facts) {
    const auto planned = plan_launch(facts);
    const auto* plan = std::get_if<LaunchPlan>(&planned);
    REQUIRE(plan != nullptr);
    return *plan;
}

bool has(const Texts& texts, std::string_view text) {
    return std::find(texts.begin(), texts.end(), text) != texts.end();
}

bool mentions(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("launch_plan: folder, node and environment make a plan") {
    const LaunchPlan plan = plan_of(good_facts());
    CHECK(plan.directory == "/srv/x/baileys-bridge");
    CHECK(plan.argv == Texts{"/usr/bin/node", "index.js"});
    CHECK(plan.node_major == 20);
    CHECK(has(plan.environment, "BAILEYS_PORT=4001"));
    CHECK(has(plan.environment, "BAILEYS_SECRET=s3cret"));
    CHECK(has(plan.environment, "TZ=UTC"));
    CHECK(has(plan.environment, "NODE_ENV=production"));
}

TEST_CASE("launch_plan: no secret is on the command line, and none of others reaches the bridge") {
    LaunchFacts facts = good_facts();
    facts.environment.insert(facts.environment.end(), {"OPENAI_API_KEY=k", "DATABASE_URL=d", "INTERNAL_SECRET=i",
                                                       "LISTEN_FDS=3", "TZ=Asia/Tokyo"});
    const LaunchPlan plan = plan_of(facts);
    for (const std::string& argument : plan.argv) {
        CHECK_FALSE(mentions(argument, "s3cret"));
    }
    CHECK(has(plan.environment, "INTERNAL_SECRET=i"));
    for (const char* name : {"TWILIO_AUTH_TOKEN", "OPENAI_API_KEY", "DATABASE_URL", "LISTEN_FDS"}) {
        CHECK(environment_value(plan.environment, name).empty());
    }
    CHECK(environment_value(plan.environment, "TZ") == "UTC");
}

TEST_CASE("launch_plan: an operator's NODE_ENV is kept") {
    LaunchFacts facts = good_facts();
    facts.environment.emplace_back("NODE_ENV=development");
    CHECK(environment_value(plan_of(facts).environment, "NODE_ENV") == "development");
}

TEST_CASE("launch_plan: a missing folder names every place looked at and both remedies") {
    LaunchFacts facts = good_facts();
    facts.folders = {{.path = "/a/baileys-bridge", .exists = false, .missing = {}},
                     {.path = "/a/AgentLocator/baileys-bridge", .exists = false, .missing = {}}};
    const LaunchProblem problem = problem_of(facts);
    CHECK(problem.code == ExitCode::bad_config);
    CHECK(mentions(problem.cause, "/a/baileys-bridge, /a/AgentLocator/baileys-bridge"));
    CHECK(mentions(problem.remedy, "BRIDGE_DIR"));
    CHECK(mentions(problem.remedy, "ENABLE_WA_BAILEYS=false"));
}

TEST_CASE("launch_plan: a BRIDGE_DIR that is no folder is named, and nothing else is used instead") {
    LaunchFacts facts = good_facts();
    facts.bridge_dir = "/nowhere";
    facts.folders = {{.path = "/nowhere", .exists = false, .missing = {}}};
    CHECK(mentions(problem_of(facts).cause, "BRIDGE_DIR=/nowhere is no folder"));
}

TEST_CASE("launch_plan: missing files are all named; the first folder that exists counts") {
    LaunchFacts facts = good_facts();
    facts.folders.insert(facts.folders.begin(),
                         {.path = "/first", .exists = true, .missing = {"package-lock.json", "index.js"}});
    const LaunchProblem problem = problem_of(facts);
    CHECK(problem.cause == "/first has no package-lock.json, no index.js");
    CHECK(problem.code == ExitCode::bad_config);
}

TEST_CASE("launch_plan: without node the places looked in are named") {
    LaunchFacts facts = good_facts();
    facts.nodes.clear();
    const LaunchProblem problem = problem_of(facts);
    CHECK(problem.cause == "node was not found; looked in /usr/local/bin, /usr/bin");
    CHECK(mentions(problem.remedy, "Node 20"));
    CHECK(problem.code == ExitCode::bad_config);
}

TEST_CASE("launch_plan: an old node is passed over for a newer one, or named with its version") {
    LaunchFacts facts = good_facts();
    facts.nodes = {{"/usr/bin/node", "v18.20.4"}, {"/opt/node/bin/node", ""}, {"/x/node", "v22.1.0"}};
    CHECK(plan_of(facts).node == "/x/node");
    facts.nodes.pop_back();
    CHECK(problem_of(facts).cause ==
          "the bridge needs Node 20 or newer; found /usr/bin/node (v18.20.4), /opt/node/bin/node (does not run)");
}

TEST_CASE("launch_plan: node's version at the limit and one below") {
    LaunchFacts facts = good_facts();
    facts.nodes = {{"/n", "v20.0.0"}};
    CHECK(plan_of(facts).node_major == node_major_min);
    facts.nodes = {{"/n", "v19.9.9"}};
    CHECK(mentions(problem_of(facts).cause, "v19.9.9"));
}

TEST_CASE("launch_plan: only what looks like node's answer is a version") {
    CHECK(node_major("v20.20.2\n") == 20);
    CHECK(node_major("v9") == 9);
    CHECK_FALSE(node_major("20.1.0"));
    CHECK_FALSE(node_major("vx.1"));
    CHECK_FALSE(node_major(""));
    CHECK_FALSE(node_major("v"));
    CHECK_FALSE(node_major("v99999999999999999999.1"));
}

TEST_CASE("launch_plan: the bridge is looked for beside the installation, in both layouts") {
    CHECK(bridge_folders("", "/srv/app") == Texts{"/srv/app/baileys-bridge", "/srv/app/AgentLocator/baileys-bridge"});
    CHECK(bridge_folders("", "/srv/AgentLocator") == Texts{"/srv/AgentLocator/baileys-bridge",
                                                           "/srv/AgentLocator/AgentLocator/baileys-bridge",
                                                           "/srv/baileys-bridge"});
    CHECK(bridge_folders("", "/").front() == "/baileys-bridge");
}

TEST_CASE("launch_plan: BRIDGE_DIR alone counts when set, from the installation's root if relative") {
    CHECK(bridge_folders("/b", "/srv/app") == Texts{"/b"});
    CHECK(bridge_folders("b/c", "/srv/app") == Texts{"/srv/app/b/c"});
    CHECK(bridge_folders("b", "/") == Texts{"/b"});
}

TEST_CASE("launch_plan: PATH comes first, relative folders in it are left out, no place twice") {
    CHECK(node_places("/usr/bin:.::/home/d/bin:/usr/bin", "/srv/app") ==
          Texts{"/usr/bin", "/home/d/bin", "/usr/local/bin", "/opt/node/bin", "/srv/app/build/node/bin"});
    CHECK(node_places("", "/").back() == "/build/node/bin");
}

TEST_CASE("launch_plan: npm sees proxies and its own settings, and no secret") {
    const LaunchFacts facts = good_facts();
    const LaunchPlan plan = plan_of(facts);
    const auto environment = install_environment(
        plan, {"PATH=/bin", "HTTPS_PROXY=http://p", "npm_config_registry=r", "BAILEYS_SECRET=s", "INTERNAL_SECRET=i",
               "TWILIO_AUTH_TOKEN=t", "WA_TOKEN=w", "HOME=/root", "AGENTLOCATOR_TAG=a/b"});
    CHECK(environment_value(environment, "PATH") == "/usr/bin:/bin");
    CHECK(environment_value(environment, "HTTPS_PROXY") == "http://p");
    CHECK(environment_value(environment, "npm_config_registry") == "r");
    CHECK(environment_value(environment, "AGENTLOCATOR_TAG") == "a/b");
    for (const char* name : {"BAILEYS_SECRET", "INTERNAL_SECRET", "TWILIO_AUTH_TOKEN", "WA_TOKEN"}) {
        CHECK(environment_value(environment, name).empty());
    }
}

TEST_CASE("launch_plan: a name is not found by its prefix") {
    CHECK(environment_value({"PATHS=x", "PATH=y"}, "PATH") == "y");
    CHECK(environment_value({"PATHS=x"}, "PATH").empty());
    CHECK(environment_value({"PATH"}, "PATH").empty());
}
