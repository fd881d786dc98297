#include "supervisor/stale.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>

using namespace agentlocator;

namespace {

constexpr std::uint32_t our_uid = 1000;
const std::string root = "/srv/agent";

ProcessView process(std::int64_t pid, std::vector<std::string> argv, std::string cwd) {
    ProcessView view;
    view.pid = pid;
    view.parent = 1;
    view.start_ticks = static_cast<std::uint64_t>(pid) * 10;
    view.uid = our_uid;
    view.state = 'S';
    view.name = "x";
    view.argv = std::move(argv);
    view.cwd = std::move(cwd);
    return view;
}

StaleScope our_scope() {
    StaleScope scope;
    scope.self = 500;
    scope.uid = our_uid;
    scope.boot_id = "boot";
    scope.installation = {root, root + "/baileys-bridge"};
    scope.address = "127.0.0.1";
    scope.port = 5000;
    return scope;
}

std::vector<StaleVerdict> judge(std::vector<ProcessView> processes, const StaleScope& scope = our_scope(),
                                std::vector<ListenerView> listeners = {}) {
    return classify_stale({std::move(processes), std::move(listeners)}, scope);
}

bool is_stale(const ProcessView& view, const StaleScope& scope = our_scope()) {
    const auto verdicts = judge({view}, scope);
    return !verdicts.empty() && verdicts[0].stop;
}

ChildRecords records() {
    return {"dead", "boot", 400, 4000, {{"1", 401, 4010}, {"bridge", 402, 4020}}};
}

}  // namespace

TEST_CASE("stale: servers of the original in this installation are old") {
    const std::vector<std::pair<std::vector<std::string>, std::string>> old = {
        {{"/usr/bin/python3", "/usr/bin/gunicorn", "-k", "eventlet", "-w", "1", "main:app"}, root},
        {{"/usr/bin/python3", "/usr/bin/gunicorn", "-b", "0.0.0.0:5000", "AgentLocator.main:app"}, root},
        {{"gunicorn", "main:app"}, root + "/AgentLocator"},
        {{"/usr/bin/python3.11", "-u", "-m", "gunicorn", "wsgi:app"}, root},
        {{"gunicorn: master [AgentLocator.main:app]"}, root},
        {{"gunicorn: worker [main:app]"}, root + "/AgentLocator"},
        {{"python", "main.py"}, root},
        {{"python3", "-X", "dev", "./main.py", "--debug"}, root + "/AgentLocator"},
        {{"python3", "AgentLocator/main.py"}, root},
        {{"python3", root + "/main.py"}, root},
        {{"python", "-m", "AgentLocator.main"}, root},
        {{"/opt/venv/bin/python3", "/opt/venv/bin/uvicorn", "asgi:app", "--port", "5000"}, root},
        {{"node", "index.js"}, root + "/baileys-bridge"},
        {{"/usr/bin/node", "--max-old-space-size=256", "./index.js"}, root + "/AgentLocator/baileys-bridge"},
        {{"nodejs", "-r", "dotenv/config", "index.js"}, root + "/baileys-bridge"},
        {{"node", "baileys_service.js"}, root + "/services/whatsapp"},
    };
    for (const auto& entry : old) {
        const auto& argv = entry.first;
        const auto& cwd = entry.second;
        const auto verdicts = judge({process(700, argv, cwd)});
        CAPTURE(argv[0]);
        REQUIRE(verdicts.size() == 1);
        CHECK(verdicts[0].reason == StaleReason::old_server);
        CHECK(verdicts[0].stop);
        CHECK(verdicts[0].detail.find("an old server of this installation") != std::string::npos);
    }
}

TEST_CASE("stale: look-alikes survive") {
    const std::vector<std::pair<std::vector<std::string>, std::string>> others = {
        {{"gunicorn", "main:app"}, "/srv/other"},
        {{"gunicorn", "main:app"}, "/srv/agent2"},
        {{"gunicorn", "main:app"}, "/srv"},
        {{"gunicorn", "main:app"}, root + "/baileys-bridge"},
        {{"gunicorn", "main:app"}, root + "/elsewhere"},
        {{"gunicorn", "shop.main:app"}, root},
        {{"gunicorn", "main:application"}, root},
        {{"gunicorn", "xmain:app"}, root},
        {{"gunicorn"}, root},
        {{"gunicornx", "main:app"}, root},
        {{"gunicorn: master [shop:app]"}, root},
        {{"gunicorn: master [main:app] extra"}, root},
        {{"vim", "main.py"}, root},
        {{"grep", "gunicorn", "main:app"}, root},
        {{"bash", "-c", "gunicorn main:app"}, root},
        {{"python3", "-c", "main.py"}, root},
        {{"python3", "other.py", "main.py"}, root},
        {{"python3", "main.py"}, "/home/leah"},
        {{"python3", "../other/main.py"}, root},
        {{"python3", "/srv/other/main.py"}, root},
        {{"python3"}, root},
        {{"pythonish", "main.py"}, root},
        {{"python3", "-m", "pytest", "main.py"}, root},
        {{"node", "index.js"}, root},
        {{"node", "index.js"}, "/srv/other/baileys-bridge"},
        {{"node", "server.js"}, root + "/baileys-bridge"},
        {{"node", "../other/index.js"}, root + "/baileys-bridge"},
        {{"node", "-e", "index.js"}, root + "/baileys-bridge"},
        {{"node", "--", "index.js"}, "/tmp"},
        {{"npm", "ci"}, root + "/baileys-bridge"},
        {{"nodemon", "index.js"}, root + "/baileys-bridge"},
        {{""}, root},
        {{}, root},
        {{"bash", "start_all.sh"}, root},
    };
    for (const auto& entry : others) {
        const auto& argv = entry.first;
        const auto& cwd = entry.second;
        CAPTURE(argv.empty() ? "" : argv.back());
        CHECK(judge({process(700, argv, cwd)}).empty());
    }
}

TEST_CASE("stale: who owns a process and what it is to us decides before its name does") {
    const ProcessView server = process(700, {"gunicorn", "main:app"}, root);
    CHECK(is_stale(server));
    ProcessView other = server;
    other.uid = our_uid + 1;
    CHECK_FALSE(is_stale(other));
    other = server;
    other.state = 'Z';
    CHECK_FALSE(is_stale(other));
    other = server;
    other.pid = 1;
    CHECK_FALSE(is_stale(other));

    StaleScope scope = our_scope();
    scope.self = 700;
    CHECK_FALSE(is_stale(server, scope));  // Ourselves.
    ProcessView self = process(500, {"agentlocator", "run"}, root);
    self.parent = 700;
    CHECK(judge({server, self}).empty());  // Our ancestor: ending it would end what called us.
    other = server;
    other.parent = 500;
    CHECK(judge({other, process(500, {"agentlocator"}, root)}).empty());  // Our child.
    scope = our_scope();
    scope.living = {600};
    other.parent = 650;
    ProcessView between = process(650, {"sh"}, root);
    between.parent = 600;
    CHECK(judge({other, between}, scope).empty());  // Below a living supervisor.
}

TEST_CASE("stale: an installation without a root of its own matches nothing") {
    for (const std::string folder : {"", "/"}) {
        StaleScope scope = our_scope();
        scope.installation = {folder, folder + "baileys-bridge"};
        CHECK(judge({process(700, {"gunicorn", "main:app"}, folder), process(701, {"python3", "main.py"}, "/"),
                     process(702, {"node", "index.js"}, "/baileys-bridge")},
                    scope)
                  .empty());
    }
}

TEST_CASE("stale: recorded children need pid, start ticks and boot id") {
    StaleScope scope = our_scope();
    scope.records = records();
    const ProcessView child = process(401, {"agentlocator-worker"}, "/");
    auto verdicts = judge({child}, scope);
    REQUIRE(verdicts.size() == 1);
    CHECK(verdicts[0].reason == StaleReason::recorded_child);
    CHECK(verdicts[0].detail == "child \"1\" of the dead supervisor pid 400");

    ProcessView reused = child;
    reused.start_ticks += 1;
    CHECK(judge({reused}, scope).empty());
    reused = child;
    reused.pid = 403;
    CHECK(judge({reused}, scope).empty());
    reused = child;
    reused.uid += 1;
    CHECK(judge({reused}, scope).empty());
    scope.boot_id = "other boot";
    CHECK(judge({child}, scope).empty());
    scope.boot_id.clear();
    scope.records->boot_id.clear();
    CHECK(judge({child}, scope).empty());
}

TEST_CASE("stale: the records of a living supervisor condemn nobody") {
    StaleScope scope = our_scope();
    scope.records = records();
    const ProcessView child = process(401, {"agentlocator-worker"}, "/");
    const ProcessView writer = process(400, {"agentlocator", "run"}, "/");
    CHECK(judge({child, writer}, scope).empty());
    ProcessView reused = writer;  // Its pid belongs to somebody else by now.
    reused.start_ticks += 1;
    CHECK(judge({child, reused}, scope).size() == 1);
    ProcessView zombie = writer;
    zombie.state = 'Z';
    CHECK(judge({child, zombie}, scope).size() == 1);
}

TEST_CASE("stale: a tag counts as a whole entry of a dead instance only") {
    StaleScope scope = our_scope();
    scope.dead_tags = {"agentlocator/dead"};
    ProcessView child = process(401, {"anything"}, "/");
    child.environment = {"A=1", "AGENTLOCATOR_TAG=agentlocator/dead"};
    auto verdicts = judge({child}, scope);
    REQUIRE(verdicts.size() == 1);
    CHECK(verdicts[0].reason == StaleReason::tagged_child);
    for (const char* entry :
         {"AGENTLOCATOR_TAG=agentlocator/dead2", "AGENTLOCATOR_TAG=agentlocator/dea", "AGENTLOCATOR_TAG=agentlocator/",
          "XAGENTLOCATOR_TAG=agentlocator/dead", "AGENTLOCATOR_TAG=agentlocator/dead ",
          "agentlocator_tag=agentlocator/dead", "X=AGENTLOCATOR_TAG=agentlocator/dead"}) {
        child.environment = {entry};
        CHECK_MESSAGE(judge({child}, scope).empty(), entry);
    }
    scope.dead_tags = {""};
    child.environment = {"AGENTLOCATOR_TAG="};
    CHECK(judge({child}, scope).empty());
}

TEST_CASE("stale: the bridge of another living supervisor in the same checkout is not an old server") {
    ProcessView bridge = process(701, {"node", "index.js"}, root + "/baileys-bridge");
    bridge.parent = 700;
    bridge.environment = {"AGENTLOCATOR_TAG=agentlocator/other"};
    ProcessView other = process(700, {"agentlocator", "run"}, "/");
    other.exe = "/opt/agent/bin/agentlocator";
    CHECK(judge({bridge, other}).empty());
    other.exe = "/usr/bin/bash";  // Its supervisor is gone.
    CHECK(judge({bridge, other}).size() == 1);
    other.exe = "/opt/agent/bin/agentlocator";
    bridge.environment.clear();  // Nothing says that it belongs to a supervisor.
    CHECK(judge({bridge, other}).size() == 1);
}

TEST_CASE("stale: the launcher above an old server goes first, any other parent stays") {
    ProcessView launcher = process(600, {"bash", "AgentLocator/start_all.sh"}, root);
    ProcessView master = process(610, {"gunicorn", "main:app"}, root);
    master.parent = 600;
    ProcessView worker = process(605, {"gunicorn", "main:app"}, root);
    worker.parent = 610;
    const auto verdicts = judge({worker, master, launcher});
    REQUIRE(verdicts.size() == 3);
    CHECK(verdicts[0].process.pid == 600);
    CHECK(verdicts[0].reason == StaleReason::old_launcher);
    CHECK(verdicts[1].process.pid == 610);
    CHECK(verdicts[2].process.pid == 605);
    launcher.argv = {"bash", "/srv/other/start_all.sh"};
    CHECK(judge({worker, master, launcher}).size() == 2);
    launcher.argv = {"bash"};
    CHECK(judge({worker, master, launcher}).size() == 2);
    launcher.argv = {"vim", "start_all.sh"};
    CHECK(judge({worker, master, launcher}).size() == 2);
}

TEST_CASE("stale: an unknown owner of the port is named and ended only by takeover") {
    const ProcessView owner = process(700, {"python3", "-m", "http.server", "5000"}, "/home/leah");
    StaleScope scope = our_scope();
    const std::vector<ListenerView> listeners = {{"127.0.0.1", our_uid, {700}}};
    auto verdicts = judge({owner}, scope, listeners);
    REQUIRE(verdicts.size() == 1);
    CHECK(verdicts[0].reason == StaleReason::port_owner);
    CHECK_FALSE(verdicts[0].stop);
    CHECK(verdicts[0].detail == "listens on 127.0.0.1:5000 and is not known to us");
    CHECK(verdicts[0].remedy.find("--takeover") != std::string::npos);
    scope.takeover = true;
    CHECK(judge({owner}, scope, listeners)[0].stop);

    ProcessView other = owner;
    other.uid = 0;
    verdicts = judge({other}, scope, listeners);
    REQUIRE(verdicts.size() == 1);
    CHECK_FALSE(verdicts[0].stop);
    CHECK(verdicts[0].remedy.find("--takeover") == std::string::npos);
}

TEST_CASE("stale: a listener without a visible process is reported") {
    StaleScope scope = our_scope();
    scope.takeover = true;
    const auto verdicts = judge({}, scope, {{"0.0.0.0", 33, {}}});
    REQUIRE(verdicts.size() == 1);
    CHECK(verdicts[0].process.pid == 0);
    CHECK(verdicts[0].process.uid == 33);
    CHECK_FALSE(verdicts[0].stop);
}

TEST_CASE("stale: a socket of our own, of our supervisor or of a condemned process is no unknown owner") {
    const ProcessView self = process(500, {"agentlocator"}, "/");
    const ProcessView manager = process(300, {"systemd", "--user"}, "/");
    CHECK(judge({self, manager}, our_scope(), {{"127.0.0.1", our_uid, {300, 500}}}).empty());
    StaleScope scope = our_scope();
    scope.living = {600};
    ProcessView worker = process(601, {"agentlocator-worker"}, "/");
    worker.parent = 600;
    CHECK(judge({worker, process(600, {"agentlocator"}, "/")}, scope, {{"127.0.0.1", our_uid, {601}}}).empty());
    const ProcessView old = process(700, {"gunicorn", "main:app"}, root);
    const auto verdicts = judge({old}, our_scope(), {{"127.0.0.1", our_uid, {700}}});
    REQUIRE(verdicts.size() == 1);
    CHECK(verdicts[0].reason == StaleReason::old_server);
}

TEST_CASE("stale: a torn snapshot with a loop of parents ends") {
    ProcessView a = process(700, {"gunicorn", "main:app"}, root);
    ProcessView b = process(701, {"bash", "start_all.sh"}, root);
    a.parent = 701;
    b.parent = 700;
    CHECK(judge({a, b}).size() == 2);
}

TEST_CASE("stale: a command is shown on one line") {
    CHECK(command_text(process(1, {"a", "", "b\n\x1b[31m"}, "/")) == "a \"\" b??[31m");
    ProcessView kernel = process(2, {}, "");
    kernel.name = "kthread";
    CHECK(command_text(kernel) == "[kthread]");
    CHECK(command_text(process(3, {std::string(500, 'x')}, "/")).size() == 163);
}

TEST_CASE("stale: ten thousand random decoys, none chosen") {
    constexpr unsigned seed = 20240826;
    std::mt19937 random(seed);
    CAPTURE(seed);
    const auto pick = [&](const auto& from) -> const auto& {
        return from[std::uniform_int_distribution<std::size_t>(0, from.size() - 1)(random)];
    };
    using Argv = std::vector<std::string>;
    // Command lines that would be chosen in one of our folders; below, something is always wrong with the process.
    const std::vector<Argv> real = {{"/usr/bin/python3", "/usr/bin/gunicorn", "main:app"},
                                    {"gunicorn", "AgentLocator.main:app"},
                                    {"gunicorn: master [main:app]"},
                                    {"python3", "main.py"},
                                    {"python3", "-u", "AgentLocator/main.py"},
                                    {"uvicorn", "asgi:app"},
                                    {"node", "index.js"},
                                    {"node", "baileys_service.js"}};
    // Command lines that only look like them.
    const std::vector<Argv> false_friends = {{"gunicorn", "shop.main:app"},
                                             {"gunicorn", "main:app2"},
                                             {"gunicorn", "-c", "main.py"},
                                             {"less", "main.py"},
                                             {"python3", "../../main.py"},
                                             {"python3", "main.pyc"},
                                             {"python3", "manage.py", "main.py"},
                                             {"node", "index.mjs"},
                                             {"node", "dist/index.js"},
                                             {"node", "-e", "index.js"},
                                             {"bash", "start_all.sh"},
                                             {"bash", "-c", "python3 main.py"},
                                             {"gunicorn: worker [other:app]"},
                                             {"uvicorn", "api:app"},
                                             {"tail", "-f", "gunicorn.log"},
                                             {"pkill", "-f", "gunicorn.*main:app"}};
    const std::vector<std::string> our_folders = {root, root + "/AgentLocator", root + "/baileys-bridge",
                                                  root + "/AgentLocator/baileys-bridge", root + "/services/whatsapp"};
    const std::vector<std::string> other_folders = {"/srv/agent2",
                                                    "/srv/agen",
                                                    "/srv",
                                                    "/",
                                                    "/srv/agent/old",
                                                    "/home/x/agent",
                                                    "/srv/agent.bak",
                                                    "/srv/AGENT",
                                                    "/srv/agent/AgentLocator2",
                                                    "/tmp/srv/agent",
                                                    "/srv/agent/node_modules",
                                                    "",
                                                    "/srv/other/baileys-bridge",
                                                    "/srv/agent/baileys-bridge/auth"};
    const std::vector<std::string> tags = {"AGENTLOCATOR_TAG=agentlocator/dead0", "AGENTLOCATOR_TAG=agentlocator/dea",
                                           "AGENTLOCATOR_TAG=agentlocator",       "AGENTLOCATOR_TAG=",
                                           "XAGENTLOCATOR_TAG=agentlocator/dead", "PATH=/bin"};
    StaleScope scope = our_scope();
    scope.records = records();
    scope.dead_tags = {"agentlocator/dead"};

    std::vector<ProcessView> decoys;
    for (std::int64_t pid = 1000; pid < 11'000; ++pid) {
        ProcessView decoy = process(pid, {}, "");
        decoy.environment = {pick(tags)};
        switch (random() % 4) {
            case 0:  // Right command, right folder, another user.
                decoy.argv = pick(real);
                decoy.cwd = pick(our_folders);
                decoy.uid = our_uid + 1 + static_cast<std::uint32_t>(random() % 5);
                break;
            case 1:  // Right command, another folder.
                decoy.argv = pick(real);
                decoy.cwd = pick(other_folders);
                break;
            case 2:  // Right folder, another command.
                decoy.argv = pick(false_friends);
                decoy.cwd = pick(our_folders);
                break;
            default:  // A recorded pid or a recorded time, never both; a right command in the wrong one of our folders.
                decoy.argv = {"node", "index.js"};
                decoy.cwd = root;
                decoy.start_ticks = random() % 2 == 0 ? 4010 : 4020;
        }
        // Names as hostile as the kernel allows.
        decoy.name = random() % 3 == 0 ? "gunicorn) S (1" : "node";
        decoy.parent = random() % 5 == 0 ? 1 : 1000 + static_cast<std::int64_t>(random() % 10'000);
        decoys.push_back(std::move(decoy));
    }
    ProcessView reused = process(401, {"agentlocator-worker"}, root);
    reused.start_ticks = 4011;
    decoys.push_back(reused);
    CHECK(judge(decoys, scope).empty());

    // The same crowd hides four that must be found, and only they are.
    decoys.push_back(process(402, {"node", "index.js"}, "/"));
    decoys.back().start_ticks = 4020;
    decoys.push_back(process(20'001, {"gunicorn", "main:app"}, root));
    decoys.push_back(process(20'002, {"node", "index.js"}, root + "/baileys-bridge"));
    decoys.push_back(process(20'003, {"sleep"}, "/"));
    decoys.back().environment = {"AGENTLOCATOR_TAG=agentlocator/dead"};
    std::shuffle(decoys.begin(), decoys.end(), random);
    std::set<std::int64_t> chosen;
    for (const StaleVerdict& verdict : judge(decoys, scope)) {
        chosen.insert(verdict.process.pid);
    }
    CHECK(chosen == std::set<std::int64_t>{402, 20'001, 20'002, 20'003});
}
