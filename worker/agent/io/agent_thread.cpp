#include "worker/agent/io/agent_thread.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <sstream>
#include <system_error>

#include "common/log_line.hpp"
#include "worker/agent/agent_gauges.hpp"
#include "worker/agent/agent_texts.hpp"
#include "worker/agent/io/person_link.hpp"
#include "worker/agent/io/service_chains.hpp"
#include "worker/agent/io/system_host.hpp"
#include "worker/agent/io/twilio_control.hpp"

namespace agentlocator {
namespace {

constexpr std::size_t prompt_bytes_max = 65'536;  // A model reads it in every turn.

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf())) {
        return error(Errc::bad_config, "cannot be read");
    }
    if (text.str().size() > bytes_max) {
        return error(Errc::too_large, "is larger than " + std::to_string(bytes_max) + " bytes");
    }
    return text.str();
}

}  // namespace

Result<AgentFiles> read_agent_files(const AgentSettings& settings) {
    AgentFiles files;
    std::string script(embedded_dialogue());
    if (!settings.dialogue_file.empty()) {
        auto text = read_file(settings.dialogue_file, dialogue_bytes_max);
        if (!text) {
            return error(Errc::bad_config, "DIALOGUE_FILE=" + settings.dialogue_file + " " + text.error().detail);
        }
        script = std::move(*text);
    }
    auto parsed = parse_dialogue(script);
    if (!parsed) {
        return error(Errc::bad_config, "DIALOGUE_FILE=" + settings.dialogue_file + ": " + parsed.error().detail);
    }
    files.dialogue = std::move(*parsed);
    if (!settings.prompt_file.empty()) {
        auto text = read_file(settings.prompt_file, prompt_bytes_max);
        if (!text) {
            return error(Errc::bad_config, "AGENT_PROMPT_FILE=" + settings.prompt_file + " " + text.error().detail);
        }
        files.prompt = std::move(*text);
    }
    return files;
}

AgentThread::AgentThread(AgentEnd& end, const Settings& settings, AgentFiles files, AgentThreadOptions options)
    : end_(end),
      settings_(settings),
      files_(std::move(files)),
      options_(std::move(options)),
      stop_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!stop_fd_) {
        throw std::system_error(errno, std::system_category(), "eventfd");
    }
    thread_ = std::thread([this] { run(); });
}

AgentThread::~AgentThread() {
    stopping_ = true;
    const std::uint64_t one = 1;
    (void)!::write(stop_fd_.get(), &one, sizeof one);
    thread_.join();
}

void AgentThread::run() {
    EventLoop loop;
    SystemHost host(options_.log);
    FaultLines start_faults;
    ServiceChains chains(loop, settings_, options_.speech_socket, [&](const ProviderError& fault) {
        if (const std::string line = start_faults.line(fault, Clock::now()); !line.empty()) {
            host.line(line);
        }
    });
    MemoryRecordStore memory;
    TwilioControl control(loop, settings_);
    std::optional<PersonLink> people;
    if (options_.people != nullptr) {
        people.emplace(loop, *options_.people);
    }
    AgentServices services{.settings = settings_.agent,
                           .dialogue = files_.dialogue,
                           .host = host,
                           .records = options_.records != nullptr ? *options_.records : memory,
                           .control = control,
                           .stt = chains.stt(),
                           .llm = chains.llm(),
                           .tts = chains.tts(),
                           .realtime = chains.realtime(),
                           .prompt = files_.prompt,
                           .metrics = options_.metrics,
                           .own_settings = options_.own_settings,
                           .people = people ? &*people : nullptr};
    for (const std::string& note : chains.notes()) {
        host.line(note);
    }
    const Language language = language_of(settings_.agent.language);
    chains.prerender(code_of(language), fixed_sentences(services, language));
    AgentCalls calls(services, end_);
    AgentGauges gauges(options_.entry, services);
    TimePoint publish_at{};

    FunctionSink wake([](std::uint32_t) {});  // Waking is all; awake() clears it.
    FunctionSink stop([](std::uint32_t) {});
    loop.add(end_.wake_fd(), EPOLLIN, wake);
    loop.add(stop_fd_.get(), EPOLLIN, stop);
    while (!stopping_) {
        ToAgentMessage message;
        int taken = 0;
        while (taken < messages_a_round && end_.next(message)) {
            calls.on_message(message, Clock::now());
            ++taken;
        }
        const TimePoint now = Clock::now();
        calls.work(now);
        options_.entry.conversations.store(static_cast<std::uint32_t>(calls.size()), std::memory_order_relaxed);
        if (now >= publish_at) {
            publish_at = now + publish_every;
            gauges.publish(now);
        }
        const auto due = calls.deadline(now);
        Duration wait = due ? std::max(Duration::zero(), *due - now) : Duration(std::chrono::seconds(1));
        if (taken == messages_a_round || !end_.may_sleep()) {
            wait = Duration::zero();
        }
        loop.run_once(wait);
        end_.awake();
    }
    loop.remove(end_.wake_fd(), wake);
    loop.remove(stop_fd_.get(), stop);
}

}  // namespace agentlocator
