#include "worker/agent/io/chat.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <system_error>

#include "common/exit_code.hpp"
#include "common/io/event_loop.hpp"
#include "worker/agent/io/agent_thread.hpp"
#include "worker/agent/io/service_chains.hpp"
#include "worker/agent/io/system_host.hpp"

namespace agentlocator {
namespace {

constexpr std::size_t line_bytes_max = 4000;  // The terminal's own limit is 4096.

// The caller's words are what was typed.
class TypedWords final : public SttProvider {
public:
    TypedWords(EventLoop& loop, const std::string& line) : loop_(loop), line_(line) {}
    [[nodiscard]] std::string_view name() const override { return "keyboard"; }
    [[nodiscard]] bool speaks(std::string_view, const SttConfig&) const override { return true; }
    [[nodiscard]] std::unique_ptr<SttUtterance> start(const SttConfig&, SttListener listener) override {
        return std::make_unique<Utterance>(loop_, line_, std::move(listener));
    }

private:
    class Utterance final : public SttUtterance {
    public:
        Utterance(EventLoop& loop, std::string text, SttListener listener)
            : loop_(loop), text_(std::move(text)), listener_(std::move(listener)) {}
        ~Utterance() override { loop_.cancel(timer_); }
        void push(std::span<const std::uint8_t>) override {}
        void finish() override {
            timer_ = loop_.call_at(Clock::now(), [this] { listener_.on_done(text_); });
        }

    private:
        EventLoop& loop_;
        std::string text_;
        SttListener listener_;
        EventLoop::TimerId timer_ = 0;
    };
    EventLoop& loop_;
    const std::string& line_;
};

// Every sentence is one sample of silence: its text is what counts (sentence_done).
class SilentVoice final : public TtsProvider {
public:
    explicit SilentVoice(EventLoop& loop) : loop_(loop) {}
    [[nodiscard]] std::string_view name() const override { return "screen"; }
    [[nodiscard]] bool speaks(std::string_view) const override { return true; }
    [[nodiscard]] OperationPtr start(std::string_view, const TtsConfig&, TtsListener listener) override {
        return std::make_unique<Sentence>(loop_, std::move(listener));
    }

private:
    class Sentence final : public ProviderOperation {
    public:
        Sentence(EventLoop& loop, TtsListener listener) : loop_(loop), listener_(std::move(listener)) {
            timer_ = loop_.call_at(Clock::now(), [this] {
                constexpr std::uint8_t sample = 0xff;
                listener_.on_audio({&sample, 1});
                listener_.on_done();
            });
        }
        ~Sentence() override { loop_.cancel(timer_); }

    private:
        EventLoop& loop_;
        TtsListener listener_;
        EventLoop::TimerId timer_ = 0;
    };
    EventLoop& loop_;
};

// The media thread's part, played by the terminal.
class Terminal final : public AgentOutput {
public:
    [[nodiscard]] bool tell(const FromAgentMessage& message) override {
        switch (message.kind) {
            case FromAgent::sentence_done:
                std::printf("%.*s\n", static_cast<int>(message.payload.size()), message.payload.data());
                heard_.push_back({message.turn, message.sentence});
                break;
            case FromAgent::turn_done:
                std::printf("> ");
                listens = true;
                break;
            case FromAgent::hang_up:
                std::printf("[the agent hangs up: %.*s]\n", static_cast<int>(message.payload.size()),
                            message.payload.data());
                over = true;
                break;
            default:
                break;
        }
        std::fflush(stdout);
        return true;
    }
    void report_heard(AgentCalls& calls) {
        for (const auto& [turn, sentence] : std::exchange(heard_, {})) {
            ToAgentMessage message;
            message.kind = ToAgent::sentence_heard;
            message.turn = turn;
            message.sentence = sentence;
            calls.on_message(message, Clock::now());
        }
    }
    bool over = false;
    bool listens = false;  // Every answer is awaited before the next line is taken.

private:
    std::vector<std::pair<std::uint32_t, std::uint32_t>> heard_;
};

bool is_keys(std::string_view line) {
    return !line.empty() && line.find_first_not_of("0123456789*#") == std::string_view::npos;
}

void press(AgentCalls& calls, char key, std::uint32_t turn) {
    ToAgentMessage message;
    message.kind = ToAgent::key;
    message.turn = turn;
    message.payload = {&key, 1};
    calls.on_message(message, Clock::now());
}

// The line is what the recogniser will have heard.
void utter(AgentCalls& calls, std::uint32_t turn) {
    ToAgentMessage message;
    message.turn = turn;
    for (const auto kind : {ToAgent::utterance_began, ToAgent::utterance_ended}) {
        message.kind = kind;
        calls.on_message(message, Clock::now());
    }
}

}  // namespace

int run_chat(const Settings& settings) {
    auto files = read_agent_files(settings.agent);
    if (!files) {
        std::fprintf(stderr, "%s\n", files.error().detail.c_str());
        return to_int(ExitCode::bad_config);
    }
    EventLoop loop;
    SystemHost host(
        [](std::string_view text) { std::fprintf(stderr, "[%.*s]\n", static_cast<int>(text.size()), text.data()); });
    ServiceChains chains(loop, settings, {}, [&](const ProviderError& fault) { host.line(fault.message); });
    MemoryRecordStore records;
    NoCallControl control;
    AgentMetrics metrics;  // Nobody asks for them.
    std::string line;
    AgentServices services{.settings = settings.agent,
                           .dialogue = files->dialogue,
                           .host = host,
                           .records = records,
                           .control = control,
                           .stt = {},
                           .llm = chains.llm(),
                           .tts = {},
                           .prompt = files->prompt,
                           .metrics = metrics};
    services.stt.emplace_back();
    services.stt.back().provider = std::make_unique<TypedWords>(loop, line);
    services.tts.emplace_back();
    services.tts.back().provider = std::make_unique<SilentVoice>(loop);
    Terminal terminal;
    AgentCalls calls(services, terminal);
    ToAgentMessage start;
    start.kind = ToAgent::call_started;
    start.payload = R"({"call_sid":"chat","from":"","to":""})";
    calls.on_message(start, Clock::now());

    // A terminal, a pipe or a file: only the first two can be watched (epoll_ctl(2): EPERM).
    std::string typed;
    std::string keys;  // Of a line of them, still to be pressed.
    std::uint32_t turn = 0;
    bool ended = false;
    FunctionSink input([&](std::uint32_t) {
        char bytes[512];
        const auto count = ::read(STDIN_FILENO, bytes, sizeof bytes);
        ended = count <= 0 || typed.size() > line_bytes_max;
        typed.append(bytes, count > 0 ? static_cast<std::size_t>(count) : 0);
    });
    bool watching = true;
    try {
        loop.add(STDIN_FILENO, EPOLLIN, input);
    } catch (const std::system_error&) {
        watching = false;
    }
    while (!terminal.over) {
        calls.work(Clock::now());
        terminal.report_heard(calls);
        if (watching && ended) {
            loop.remove(STDIN_FILENO, input);
            watching = false;
        }
        if (terminal.listens && !keys.empty()) {
            terminal.listens = false;
            press(calls, keys.front(), ++turn);
            keys.erase(0, 1);
            continue;
        }
        if (terminal.listens) {
            const auto end = typed.find('\n');
            if (end != std::string::npos) {
                line = typed.substr(0, end);
                typed.erase(0, end + 1);
                if (is_keys(line)) {
                    keys = line;
                } else {
                    terminal.listens = false;
                    utter(calls, ++turn);
                }
                continue;
            }
            if (ended) {
                break;
            }
            if (!watching) {
                input.on_events(EPOLLIN);
                continue;
            }
        }
        const auto due = calls.deadline(Clock::now());
        loop.run_once(due ? std::max(Duration::zero(), *due - Clock::now()) : Duration(std::chrono::seconds(1)));
    }
    if (watching) {
        loop.remove(STDIN_FILENO, input);
    }
    return 0;
}

}  // namespace agentlocator
