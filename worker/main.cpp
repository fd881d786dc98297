// agentlocator-worker: settings, descriptors, signals; then the server until it is drained.
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>

#include "common/exit_code.hpp"
#include "common/io/call_slab_file.hpp"
#include "common/io/life_lock.hpp"
#include "common/io/secret_file.hpp"
#include "common/io/settings_source.hpp"
#include "common/log_line.hpp"
#include "common/speech_message.hpp"
#include "common/text.hpp"
#include "store/io/business_directory.hpp"
#include "store/io/janitor.hpp"
#include "store/io/person_reader.hpp"
#include "worker/agent/io/agent_thread.hpp"
#include "worker/api/io/answer_thread.hpp"
#include "worker/api/io/bridge_reader.hpp"
#include "worker/api/io/outbox_thread.hpp"
#include "worker/embedded_prompts.hpp"
#include "worker/io/server.hpp"
#include "worker/io/startup.hpp"
#include "worker/options.hpp"
#include "worker/store_recorder.hpp"
#include "worker/voice/voice_conversation.hpp"

namespace agentlocator {
namespace {

constexpr std::size_t store_news_max = 16'384;  // Twice what the writer takes: every outcome finds room.

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

int refuse(ExitCode code, const std::string& why) {
    std::cout << log_line("worker_refused", {{"cause", why}}) << std::endl;
    return to_int(code);
}

std::string random_instance() {
    unsigned char bytes[16];
    return ::getentropy(bytes, sizeof bytes) == 0 ? hex(bytes, sizeof bytes) : "";
}

std::vector<std::uint8_t> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

Result<PromptLibrary> load_prompts(const Settings& settings) {
    std::vector<std::uint8_t> greeting;
    if (!settings.greeting_file.empty()) {
        greeting = read_file(settings.greeting_file);
        if (greeting.empty()) {
            return error(Errc::bad_config, "AI_GREETING_FILE=" + settings.greeting_file + " cannot be read");
        }
    }
    auto prompts = embedded_prompts(greeting);
    if (!prompts) {
        return error(Errc::bad_config, "AI_GREETING_FILE=" + settings.greeting_file + ": " + prompts.error().detail);
    }
    return prompts;
}

std::uint16_t port_of(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    // sin_port and sin6_port share their place.
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

BuildInfo build_info() {
    return {AGENTLOCATOR_VERSION, variable("AGENTLOCATOR_BUILD"), variable("GIT_COMMIT"), variable("BUILD_TIME"),
            variable("DEPLOY_ID")};
}

int serve(const WorkerOptions& options) {
    const ParsedSettings parsed = settings_from_environment(setting_facts());
    if (!parsed.faults.empty()) {
        std::string all;
        for (const SettingFault& fault : parsed.faults) {
            all += (all.empty() ? "" : "; ") + fault.detail;
        }
        return refuse(ExitCode::bad_config, all);
    }
    const Settings& settings = parsed.settings;
    auto prompts = load_prompts(settings);
    if (!prompts) {
        return refuse(ExitCode::bad_config, prompts.error().detail);
    }
    const auto database = parse_database_url(settings.database_url, settings.data_dir);
    if (!database) {
        return refuse(ExitCode::bad_config, "DATABASE_URL: " + database.error().detail);
    }
    std::error_code ignored;  // Said by whatever fails for want of the folder.
    std::filesystem::create_directories(settings.data_dir, ignored);
    const std::string token_path = settings.data_dir + "/admin-token";
    bool token_is_new = false;
    auto admin_token = settings.admin_token.empty() ? keep_secret(token_path, &token_is_new)
                                                    : Result<std::string>(settings.admin_token);
    std::string no_api;  // Why /api stays closed: calls go on without it.
    if (!admin_token) {
        no_api = admin_token.error().detail;
        admin_token = std::string();
    }
    auto files = read_agent_files(settings.agent);
    if (!files) {
        return refuse(ExitCode::bad_config, files.error().detail);
    }
    auto inherited = inherit_descriptors();
    if (!inherited) {
        return refuse(ExitCode::bad_config, inherited.error().detail);
    }
    const bool alone = !inherited->control;
    if (!inherited->http) {
        auto listener = listen_on(options.bind_address.empty() ? settings.bind_address : options.bind_address,
                                  options.port.value_or(settings.port));
        if (!listener) {
            return refuse(ExitCode::temporary, listener.error().detail + "; stop its owner or choose another --port");
        }
        inherited->http = std::move(*listener);
    }
    const auto worker = static_cast<std::uint32_t>(parse_integer(variable("AGENTLOCATOR_WORKER")).value_or(0));
    if (worker >= worker_entries_max) {
        return refuse(ExitCode::bad_config, "AGENTLOCATOR_WORKER=" + std::to_string(worker) + "; valid: 0-" +
                                                std::to_string(worker_entries_max - 1));
    }
    CallSlab* slab = nullptr;
    SlabFile own;
    if (inherited->slab) {
        const auto mapped = join_slab(inherited->slab.get(), worker);
        if (!mapped) {
            return refuse(ExitCode::internal, mapped.error().detail);
        }
        slab = *mapped;
    } else {
        auto made = create_slab(random_instance());
        if (!made) {
            return refuse(ExitCode::failed, made.error().detail);
        }
        own = std::move(*made);
        slab = own.slab;
        slab->workers[worker].region.store(0);
        slab->mode.store(static_cast<std::uint32_t>(settings.ws_mode));
    }
    // Blocked before the first thread, so that every thread inherits it. Ctrl-C is the supervisor's business.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    // The kernel sends it when our supervisor dies while we are stopped; our calls want to go on.
    std::signal(SIGHUP, SIG_IGN);
    raise_descriptor_limit();
    const std::uint16_t port = port_of(inherited->http.get());
    const std::string seat = variable("AGENTLOCATOR_SLOT").empty() ? "1" : variable("AGENTLOCATOR_SLOT");
    const std::string store_name =
        "worker" + seat + "-" + std::to_string(::getpid()) + "-" + random_instance().substr(0, 8);
    StoreNewsBox store_news(store_news_max);
    const auto say_later = [&](std::string line) {
        static_cast<void>(store_news.push(StoreNews(StoreLine{std::move(line)})));
    };
    // Where nobody sees that we live, what we have in hand is free when its lease runs out.
    const auto alive = LifeLock::take(settings.data_dir + "/leases", store_name);
    OutboxThread outbox(settings, *database, store_name, say_later);
    std::optional<AnswerThread> answers;
    if (settings.whatsapp_answers) {
        answers.emplace(settings, AnswerThreadParts{.database = *database,
                                                    .owner = store_name,
                                                    .files = *files,
                                                    .metrics = slab->messages,
                                                    .on_answer = [&] { outbox.wake(); },
                                                    .say = say_later});
    }
    const auto on_message_in = [&] {
        if (answers) {
            answers->wake();
        }
    };
    std::optional<BridgeReader> bridge;
    if (settings.bridge_enabled && !settings.bridge_secret.empty()) {
        bridge.emplace(settings, *database, slab->messages, on_message_in, say_later);
    }
    StoreWriter store({.database = *database,
                       .spool_folder = settings.data_dir + "/spool",
                       .process = store_name,
                       .limits = {.bytes_max = settings.spool_bytes_max},
                       .log = &store_news,
                       .on_message_out = [&] { outbox.wake(); },
                       .on_message_in = on_message_in});
    ApiThread api(settings, *database);
    PaymentThreads payments(settings, *database, store_name, say_later);
    std::optional<Janitor> janitor;
    if (settings.retention_days > 0) {
        janitor.emplace(settings, *database, store_name, say_later);
    }
    StoreRecorder records(store);
    const BusinessDirectory businesses(*database, "voice");
    PersonReader people(*database);
    AgentChannel channel;
    const AgentThread agent(channel.agent(), settings, std::move(*files),
                            {.speech_socket = variable(speech_socket_variable),
                             .records = &records,
                             .metrics = slab->conversations,
                             .entry = slab->agents[worker],
                             .log = [&](std::string_view line) { say_later(std::string(line)); },
                             .own_settings = [&](const std::string& called) { return businesses.find(called); },
                             .people = &people});
    VoiceConversation conversation(voice_rules(settings), *prompts, &channel.media(), &slab->conversations);
    Server server({.settings = settings,
                   .build = build_info(),
                   .slab = *slab,
                   .worker = worker,
                   .seat = seat,
                   .listener = std::move(inherited->http),
                   .control = std::move(inherited->control),
                   .slab_file = std::move(inherited->slab),
                   .signals = UniqueFd(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC)),
                   .conversation = conversation,
                   .agent = &channel.media(),
                   .store = &store,
                   .store_news = &store_news,
                   .api = &api,
                   .payments = &payments,
                   .admin_token = *admin_token});
    if (token_is_new && no_api.empty()) {
        server.say(
            log_line("admin_token_made", {{"file", token_path}, {"detail", "it opens /api; ADMIN_TOKEN replaces it"}}));
    }
    if (!no_api.empty()) {
        server.say(log_line("api_closed", {{"cause", no_api}, {"remedy", "make it readable, or set ADMIN_TOKEN"}}));
    }
    if (alone) {
        server.say(log_line("worker_ready", {{"port", port}, {"mode", to_string(settings.ws_mode)}}));
    }
    return server.run();
}

}  // namespace
}  // namespace agentlocator

int main(int argc, char** argv) {
    using namespace agentlocator;
    ::prctl(PR_SET_NAME, "agentlocator-worker");  // Started through a descriptor it would be a number.
    int exit_status = 0;
    const auto options = parse_worker_options(argc, argv, exit_status);
    if (!options) {
        return exit_status;
    }
    try {
        return serve(*options);
    } catch (const std::exception& problem) {  // Start-up only: after it, expected failures are values.
        return refuse(ExitCode::internal, problem.what());
    }
}
