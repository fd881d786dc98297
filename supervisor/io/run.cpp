// `agentlocator run` from the first system call to the exit status. Order matters: lock, port, stale processes, shared
// memory, children; everything that can refuse a start comes before anything is changed.
#include "supervisor/run.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

#include "common/exit_code.hpp"
#include "common/io/call_slab_file.hpp"
#include "common/io/secret_file.hpp"
#include "common/io/socket_count.hpp"
#include "common/log_line.hpp"
#include "common/text.hpp"
#include "supervisor/io/adoption.hpp"
#include "supervisor/io/build_id.hpp"
#include "supervisor/io/instance_lock.hpp"
#include "supervisor/io/leftovers.hpp"
#include "supervisor/io/process_table.hpp"
#include "supervisor/io/supervisor_runner.hpp"
#include "supervisor/io/take_port.hpp"

namespace agentlocator {
namespace {

constexpr Duration log_end_max = 2s;  // For the last lines to reach the disk.

int refuse(ExitCode code, const std::string& line) {
    const std::string text = "agentlocator: " + line + "\n";
    (void)!::write(STDERR_FILENO, text.data(), text.size());
    return to_int(code);
}

// Blocked before the first thread, so that every thread has them blocked; the loop reads them from a signalfd.
void block_signals() {
    sigset_t wanted;
    ::sigemptyset(&wanted);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGCHLD}) {
        ::sigaddset(&wanted, number);
    }
    ::pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
}

// Each worker costs three descriptors here, each call one.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

std::string random_instance() {
    std::array<unsigned char, 16> bytes{};
    return ::getentropy(bytes.data(), bytes.size()) == 0 ? hex(bytes.data(), bytes.size()) : std::string();
}

// The folder and those above it. Not another user's, not open to others: it holds the control socket.
Result<void> make_private_folder(const std::string& path) {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
        ::mkdir(path.substr(0, slash).c_str(), 0700);
    }
    struct stat facts {};
    const bool made = ::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST;
    if (!made || ::lstat(path.c_str(), &facts) != 0) {
        return error(Errc::io, path + ": " + std::generic_category().message(errno));
    }
    if (!S_ISDIR(facts.st_mode)) {
        return error(Errc::refused, path + " is not a folder");
    }
    if (facts.st_uid != ::geteuid()) {
        return error(Errc::refused, path + " belongs to another user");
    }
    if ((facts.st_mode & 0077) != 0 && ::chmod(path.c_str(), 0700) != 0) {
        return error(Errc::refused, path + " is open to other users");
    }
    return {};
}

std::string all_faults(const ParsedSettings& parsed) {
    std::string text = "the settings are wrong, nothing was started:";
    for (const SettingFault& fault : parsed.faults) {
        text += "\n  " + fault.detail;
    }
    return text;
}

ModeSource mode_source(const ParsedSettings& parsed) {
    for (const SettingView& row : parsed.view) {
        if (row.name == "WS_MODE") {
            return to_mode_source(row.source);
        }
    }
    return ModeSource::fallback;
}

// --enforce-ai: a WS_MODE that leaked in from an old secret must not reach a caller (F-1, F-5).
void enforce_ai(RunContext& context) {
    Settings& settings = context.loaded.parsed.settings;
    if (settings.ws_mode == WsMode::ai) {
        return;
    }
    const std::string found = "WS_MODE=" + std::string(to_string(settings.ws_mode)) + " (" +
                              std::string(to_string(context.mode_source)) + ")";
    const std::string from =
        context.mode_source == ModeSource::file ? context.loaded.file : "the deployment's variables";
    context.problems.push_back(
        {"mode_enforced", found + " was overridden to AI by --enforce-ai", "delete the variable WS_MODE from " + from});
    settings.ws_mode = WsMode::ai;
    context.mode_source = ModeSource::enforced;
    for (SettingView& row : context.loaded.parsed.view) {
        if (row.name == "WS_MODE") {
            row.value = "AI";
        }
    }
}

// Where the bridge cannot even be tried; everything else its launcher finds out and says.
std::string why_no_bridge(const Settings& settings, const RunOptions& options) {
    if (!settings.bridge_enabled) {
        return "switched off by ENABLE_WA_BAILEYS";
    }
    const std::string program =
        options.bridge_program.empty() ? executable_folder() + "/agentlocator-bridge-launcher" : options.bridge_program;
    return ::access(program.c_str(), X_OK) == 0 ? "" : program + " is not there";
}

// Where it cannot be run, the agent says its recorded prompts and takes answers by keypad.
std::string why_no_speech_here(const Settings& settings, const RunOptions& options) {
    if (std::string reason = why_no_speech(settings); !reason.empty()) {
        return reason;
    }
    const std::string program =
        options.speech_program.empty() ? executable_folder() + "/agentlocator-speech" : options.speech_program;
    return ::access(program.c_str(), X_OK) == 0 ? "" : program + " is not there";
}

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

RunOptions with_environment(RunOptions options) {
    if (options.worker_program.empty()) {
        options.worker_program = variable("AGENTLOCATOR_WORKER_PROGRAM");
    }
    if (options.bridge_program.empty()) {
        options.bridge_program = variable("AGENTLOCATOR_BRIDGE_PROGRAM");
    }
    if (options.speech_program.empty()) {
        options.speech_program = variable("AGENTLOCATOR_SPEECH_PROGRAM");
    }
    if (const auto given = parse_integer(variable("AGENTLOCATOR_HEALTHY_AFTER_MS")); given && *given > 0) {
        options.healthy_after = std::chrono::milliseconds(*given);
    }
    if (const auto given = parse_integer(variable("AGENTLOCATOR_START_TIMEOUT_MS")); given && *given > 0) {
        options.start_timeout = std::chrono::milliseconds(*given);
    }
    return options;
}

void print_banner(LogService& logs, const RunContext& context) {
    const Settings& settings = context.loaded.parsed.settings;
    logs.say("AgentLocator " AGENTLOCATOR_VERSION " (build " + context.build + "), instance " + context.instance +
             ", pid " + std::to_string(::getpid()));
    logs.say("PUBLIC_BASE_URL=" + settings.public_base_url);
    logs.say("PORT=" + std::to_string(context.socket->port) + " on " + context.socket->address +
             (context.socket->activated ? ", socket from the service manager" : ""));
    logs.say("WS_MODE=" + std::string(to_string(settings.ws_mode)));
    logs.say(std::string("HEBREW_REALTIME_ENABLED=") + (settings.hebrew_realtime_enabled ? "true" : "false"));
    logs.say("status: `agentlocator status`; control socket " + settings.runtime_dir + "/" + control_socket_name +
             "; logs in " + settings.data_dir + "/logs");
    for (const std::string& warning : context.loaded.parsed.warnings) {
        logs.say("warning: " + warning);
    }
    for (const Problem& problem : context.problems) {
        logs.say("warning: " + problem.cause + "; " + problem.remedy);
    }
    if (!context.bridge_detail.empty()) {
        logs.say("warning: no WhatsApp bridge: " + context.bridge_detail);
    }
    if (!context.speech_detail.empty()) {
        logs.say("warning: no speech helper: " + context.speech_detail);
    }
}

// The lock with what it says about us.
struct OwnLock {
    const UniqueFd& fd;
    LockRecord record;

    void rewrite(const std::string& instance) {
        record.instance = instance;
        (void)write_lock_record(fd.get(), record);  // Information for people; the lock itself is the kernel's.
    }
};

// The new program of an upgrade cannot start: the old one goes on, with the reason. Returns when there is none.
void turn_back(const std::optional<Heritage>& heritage, const NotifyClient& notify, const std::string& why) {
    if (!heritage || !heritage->old_program || heritage->document.upgrade.state != UpgradeState::leaving) {
        return;
    }
    Inheritance document = heritage->document;
    document.upgrade.state = UpgradeState::returning;
    document.upgrade.failure = "the new agentlocator did not start: " + why;
    const Error failed = become(descriptor_path(heritage->old_program.get()), document, notify.environment());
    (void)refuse(ExitCode::failed, "the old program cannot be started again: " + failed.detail);
}

// Workers that are made for an older generation are replaced (runner_adoption.cpp).
void count_generation(CallSlab& slab, const std::optional<Heritage>& heritage) {
    if (!heritage) {
        return;
    }
    const UpgradeRecord& upgrade = heritage->document.upgrade;
    if (upgrade.state == UpgradeState::leaving) {
        slab.generation.store(upgrade.number);
    } else if (upgrade.state == UpgradeState::returning) {
        slab.generation.store(heritage->document.generation);
    }
}

int run_locked(const RunOptions& options, RunContext context, NotifyClient& notify, PublicSocket activated,
               const std::optional<LockRecord>& previous, OwnLock lock) {
    const Settings settings = context.loaded.parsed.settings;
    raise_descriptor_limit();  // First of all: what is handed back may be more than a shell's limit.
    std::vector<std::string> adoption_lines;
    std::optional<Heritage>& heritage = context.heritage;
    auto adopted = adopt_orphans(settings.runtime_dir, context.bridge_detail.empty(), heritage ? &*heritage : nullptr,
                                 [&](const std::string& line) { adoption_lines.push_back(line); });
    if (!adopted) {
        turn_back(heritage, notify, adopted.error().detail);
        return refuse(ExitCode::temporary,
                      "workers of the supervisor before are alive and cannot be taken over: " + adopted.error().detail +
                          "; they go on serving for ORPHAN_GRACE_MS. Start the build they belong to");
    }
    Adoption* const adoption = *adopted ? &**adopted : nullptr;
    auto port = take_port(std::move(activated), settings, previous, options.takeover, adoption,
                          [](const std::string& line) { (void)refuse(ExitCode::ok, line); });
    if (!port) {
        // Not back: what was kept has been taken over by now, and the workers can be adopted by the next start.
        const ExitCode code = port.error().code == Errc::bad_config ? ExitCode::bad_config : ExitCode::temporary;
        return refuse(code, port.error().detail);
    }
    if (adoption != nullptr) {
        adoption->listener.fd.reset();          // Not ours any more: the old port closes with the last old worker.
        context.instance = adoption->instance;  // The run goes on: so do its tag, and what /version proves.
        lock.rewrite(context.instance);
    }
    const bool has_slab = adoption != nullptr && adoption->slab.slab != nullptr;
    auto slab = has_slab ? Result<SlabFile>(std::move(adoption->slab)) : create_slab(context.instance);
    if (!slab) {
        return refuse(ExitCode::failed, slab.error().detail);
    }
    count_generation(*slab->slab, heritage);
    slab->slab->mode.store(static_cast<std::uint32_t>(settings.ws_mode));
    if (const auto proved = prove_socket_counts(); !proved) {
        slab->slab->blind.store(1);
        context.problems.push_back(
            {"kernel_blind",
             proved.error().detail + ": calls of a worker that dies end, and are connected again by stream_ended",
             "run on a Linux 4.1 or newer that is not a sandbox in user space"});
    }
    if (!become_subreaper()) {
        context.problems.push_back({"no_subreaper", "the kernel does not make us the parent of orphans",
                                    "a daemon that a child starts may outlive a stop; see `agentlocator stale`"});
    }

    const auto logs = std::make_unique<LogService>(
        LogFileLimits{settings.data_dir + "/logs", settings.log_bytes_max, settings.log_files}, STDOUT_FILENO,
        ::isatty(STDOUT_FILENO) == 1);
    EventLoop loop;
    context.options = &options;
    context.socket = &port->socket;
    context.slab = slab->slab;
    context.slab_fd = slab->fd.get();
    context.logs = logs.get();
    context.notify = &notify;
    context.loop = &loop;
    context.adoption = adoption;
    context.lock_fd = lock.fd.get();
    context.speech_detail = why_no_speech_here(settings, options);
    auto speech = context.speech_detail.empty() ? open_speech_seat(settings.runtime_dir)
                                                : Result<SpeechSeat>(error(Errc::stopped, context.speech_detail));
    if (speech) {
        context.speech = &*speech;
    } else {
        context.speech_detail = speech.error().detail;
    }
    context.problems.insert(context.problems.end(), port->problems.begin(), port->problems.end());
    print_banner(*logs, context);
    for (const std::string& line : adoption_lines) {
        logs->say(line);
    }
    ExitCode code = ExitCode::ok;
    {
        SupervisorRunner runner(std::move(context));
        code = runner.run();
    }
    logs->say(log_line("supervisor_stopped", {{"exit_code", to_int(code)}}));
    if (!logs->stop(Clock::now() + log_end_max)) {
        std::_Exit(to_int(code));  // A write hangs in the kernel; its thread cannot be joined.
    }
    return to_int(code);
}

}  // namespace

int run_supervisor(const RunOptions& given) {
    block_signals();
    NotifyClient notify = NotifyClient::from_environment();
    auto activated = take_activated_socket();
    const RunOptions options = with_environment(given);
    ::prctl(PR_SET_NAME, "agentlocator");  // After an exec through a descriptor it would be a number.
    auto heritage = take_heritage();
    if (!heritage) {
        return refuse(ExitCode::failed, heritage.error().detail);
    }
    RunContext context;
    context.loaded = options.load();
    if (!context.loaded.parsed.faults.empty()) {
        turn_back(*heritage, notify, all_faults(context.loaded.parsed));
        return refuse(ExitCode::bad_config, all_faults(context.loaded.parsed));
    }
    if (!activated) {
        return refuse(ExitCode::bad_config, activated.error().detail);
    }
    context.mode_source = mode_source(context.loaded.parsed);
    if (options.enforce_ai) {
        enforce_ai(context);
    }
    const Settings& settings = context.loaded.parsed.settings;
    context.instance = random_instance();
    context.build = build_id();
    context.started_at = iso_time_now();
    for (const std::string& folder : {settings.runtime_dir, settings.data_dir, settings.data_dir + "/logs"}) {
        if (const auto made = make_private_folder(folder); !made) {
            turn_back(*heritage, notify, made.error().detail);
            return refuse(ExitCode::bad_config, made.error().detail);
        }
    }
    if (std::string& secret = context.loaded.parsed.settings.bridge_secret; secret.empty()) {
        auto kept = keep_secret(settings.data_dir + "/bridge-secret");
        if (!kept) {
            return refuse(ExitCode::bad_config, kept.error().detail);
        }
        secret = std::move(*kept);
    }
    LockRecord self;
    self.pid = ::getpid();
    self.start_ticks = read_start_ticks(::getpid()).value_or(0);
    self.boot_id = read_boot_id();
    self.instance = context.instance;
    self.executable = executable_folder() + "/agentlocator";
    self.started_at = context.started_at;
    self.control_socket = settings.runtime_dir + "/" + control_socket_name;
    auto lock = *heritage && (*heritage)->lock ? keep_lock(std::move((*heritage)->lock), self)
                                               : agentlocator::try_lock(settings.lock_path, self);
    if (!lock) {
        return refuse(ExitCode::bad_config, lock.error().detail);
    }
    if (!lock->held) {
        return refuse(ExitCode::temporary, describe_holder(settings.lock_path, *lock));
    }
    context.heritage = std::move(*heritage);
    context.bridge_detail = why_no_bridge(settings, options);
    return run_locked(options, std::move(context), notify, std::move(*activated), lock->other, {lock->held, self});
}

}  // namespace agentlocator
