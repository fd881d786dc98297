// Drives network providers from a test: settings from the environment, requests as JSON lines on stdin, what happens as
// JSON lines on stdout. One request at a time.
//
//   {"do":"chat","provider":"openai","messages":[..],"tools":[..],"first_token_ms":..}
//   {"do":"speak","provider":"openai","text":"..","language":"he"}        audio goes to "file"
//   {"do":"hear","provider":"openai","file":"x.ulaw","language":"he","pace_ms":0}
//   Each of these with "cancel_on_line":true is cancelled by the next line, or chat with "cancel_on_text":true by its
//   text.
//   {"do":"warm","kind":"llm",..}   and those of provider_probe_more.cpp
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "common/io/event_loop.hpp"
#include "common/io/settings_source.hpp"
#include "tests/tools/provider_probe.hpp"
#include "worker/providers/factory.hpp"

using namespace agentlocator;
using nlohmann::json;

namespace probe {

void print(const json& line) {
    std::cout << line.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
}

json describe(const ProviderError& error) {
    json out = {{"event", "error"},
                {"class", std::string(to_string(error.error_class))},
                {"provider", error.provider},
                {"operation", error.operation},
                {"message", error.message},
                {"remedy", error.remedy},
                {"status", error.http_status},
                {"after_output", error.after_output},
                {"request_id", error.request_id}};
    if (error.retry_after) {
        out["retry_after_ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(*error.retry_after).count();
    }
    return out;
}

std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::uint8_t> bytes_of(const std::string& text) {
    return {text.begin(), text.end()};
}

Duration milliseconds_at(const json& request, const char* name) {
    return std::chrono::milliseconds(request.value(name, 0));
}

}  // namespace probe

namespace {

using namespace probe;

// The monotonic clock, which the fake services read, too.
std::int64_t now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
}

LlmRequest llm_request(const json& request) {
    LlmRequest out;
    for (const json& entry : request.value("messages", json::array())) {
        ChatMessage message;
        const std::string role = entry.value("role", "user");
        message.role = role == "system"      ? ChatMessage::Role::system
                       : role == "assistant" ? ChatMessage::Role::assistant
                       : role == "tool"      ? ChatMessage::Role::tool
                                             : ChatMessage::Role::user;
        message.content = entry.value("content", "");
        message.tool_call_id = entry.value("tool_call_id", "");
        for (const json& call : entry.value("tool_calls", json::array())) {
            message.tool_calls.push_back({call.value("id", ""), call.value("name", ""), call.value("arguments", "")});
        }
        out.messages.push_back(std::move(message));
    }
    for (const json& tool : request.value("tools", json::array())) {
        out.tools.push_back({tool.value("name", ""), tool.value("description", ""), tool["parameters"].dump()});
    }
    out.max_tokens = request.value("max_tokens", 0U);
    out.cache_key = request.value("cache_key", "");
    out.first_token_max = milliseconds_at(request, "first_token_ms");
    out.idle_max = milliseconds_at(request, "idle_ms");
    out.total_max = milliseconds_at(request, "total_ms");
    return out;
}

// Lines of standard input, read by the loop: connections live on between requests, as in a worker.
class Input {
public:
    explicit Input(EventLoop& loop) : loop_(loop), sink_([this](std::uint32_t) { read_some(); }) {
        loop_.add(STDIN_FILENO, EPOLLIN, sink_);
    }

    // Waits. Nothing: the end.
    std::optional<std::string> next() {
        while (!has_line() && !over_) {
            loop_.run_once(std::chrono::seconds(1));
        }
        if (!has_line()) {
            return std::nullopt;
        }
        const auto end = bytes_.find('\n');
        std::string line = bytes_.substr(0, end);
        bytes_.erase(0, end + 1);
        return line;
    }

    [[nodiscard]] bool has_line() const { return bytes_.find('\n') != std::string::npos; }

private:
    void read_some() {
        char buffer[4096];
        const ssize_t count = ::read(STDIN_FILENO, buffer, sizeof buffer);
        if (count > 0) {
            bytes_.append(buffer, static_cast<std::size_t>(count));
        } else if (count == 0 || errno != EINTR) {
            over_ = true;
            loop_.remove(STDIN_FILENO, sink_);
        }
    }

    EventLoop& loop_;
    FunctionSink sink_;
    std::string bytes_;
    bool over_ = false;
};

// What is running now. `over` says that the terminal event was printed.
struct Running {
    OperationPtr operation;
    std::unique_ptr<SttUtterance> utterance;
    bool over = false;
    int terminals = 0;
    std::string audio;
};

class Probe {
public:
    Probe(EventLoop& loop, Input& input, const Settings& settings)
        : loop_(loop), input_(input), providers_(loop, settings, [](const ProviderError& error) {
              json line = describe(error);
              line["event"] = "notice";
              print(line);
          }) {}

    void perform(const json& request) {
        const std::string what = request.value("do", "");
        const auto started = Clock::now();
        if (what == "chat") {
            chat(request);
        } else if (what == "speak") {
            speak(request);
        } else if (what == "hear") {
            hear(request);
        } else if (what == "warm") {
            warm(request);
        } else if (!perform_more(loop_, providers_, request)) {
            print({{"event", "unknown"}, {"do", what}});
        }
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started).count();
        print({{"event", "end"}, {"took_ms", took}});
    }

private:
    // Runs the loop until the operation is over, and a little longer: nothing may come after the terminal event.
    void wait(Running& running, const json& request) {
        const bool cancel_on_line = request.value("cancel_on_line", false);
        const auto started = Clock::now();
        const Duration patience = std::chrono::seconds(60);
        while (!running.over && Clock::now() - started < patience) {
            loop_.run_once(std::chrono::milliseconds(5));
            if (cancel_on_line && !running.over && input_.has_line()) {
                static_cast<void>(input_.next());
                running.operation.reset();
                running.utterance.reset();
                running.over = true;
                print({{"event", "cancelled"}, {"at_us", now_us()}});
            }
        }
        const auto linger = Clock::now() + std::chrono::milliseconds(request.value("linger_ms", 20));
        while (Clock::now() < linger) {
            loop_.run_once(std::chrono::milliseconds(5));
        }
        if (!running.over) {
            print({{"event", "hung"}});
        }
        if (running.terminals > 1) {
            print({{"event", "terminal_twice"}});
        }
    }

    template <class Provider>
    Provider* provider(std::map<std::string, std::unique_ptr<Provider>>& known, const std::string& name,
                       const std::function<std::unique_ptr<Provider>(std::string&)>& make) {
        auto& entry = known[name];
        if (entry == nullptr) {
            std::string why_not;
            entry = make(why_not);
            if (entry == nullptr) {
                print({{"event", "not_configured"}, {"why", why_not}});
            }
        }
        return entry.get();
    }

    LlmProvider* llm(const json& request) {
        const std::string name = request.value("provider", "openai");
        return provider<LlmProvider>(llms_, name, [&](std::string& why) { return providers_.llm(name, why); });
    }
    TtsProvider* tts(const json& request) {
        const std::string name = request.value("provider", "openai");
        return provider<TtsProvider>(ttss_, name, [&](std::string& why) { return providers_.tts(name, why); });
    }
    SttProvider* stt(const json& request) {
        const std::string name = request.value("provider", "openai");
        return provider<SttProvider>(stts_, name, [&](std::string& why) { return providers_.stt(name, why); });
    }

    void chat(const json& request) {
        LlmProvider* llm_provider = llm(request);
        if (llm_provider == nullptr) {
            return;
        }
        Running running;
        const bool cancel_on_text = request.value("cancel_on_text", false);
        LlmListener listener;
        listener.on_text = [&](std::string_view text) {
            print({{"event", "text"}, {"text", std::string(text)}});
            if (cancel_on_text) {  // From inside the callback, as a barge-in does.
                running.operation.reset();
                running.over = true;
                print({{"event", "cancelled"}, {"at_us", now_us()}});
            }
        };
        listener.on_tool_call = [](const ToolCall& call) {
            print({{"event", "tool"}, {"id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
        };
        listener.on_done = [&](LlmFinish finish) {
            const char* names[] = {"stop", "tool_calls", "length", "content_filter"};
            print({{"event", "done"}, {"finish", names[static_cast<int>(finish)]}});
            running.over = true;
            ++running.terminals;
        };
        listener.on_error = [&](const ProviderError& error) {
            print(describe(error));
            running.over = true;
            ++running.terminals;
        };
        running.operation = llm_provider->start(llm_request(request), std::move(listener));
        wait(running, request);
    }

    void speak(const json& request) {
        TtsProvider* tts_provider = tts(request);
        if (tts_provider == nullptr) {
            return;
        }
        Running running;
        TtsListener listener;
        listener.on_audio = [&](std::span<const std::uint8_t> mulaw) {
            running.audio.append(mulaw.begin(), mulaw.end());
            print({{"event", "audio"}, {"bytes", mulaw.size()}});
        };
        listener.on_done = [&] {
            print({{"event", "done"}, {"bytes", running.audio.size()}});
            running.over = true;
            ++running.terminals;
        };
        listener.on_error = [&](const ProviderError& error) {
            print(describe(error));
            running.over = true;
            ++running.terminals;
        };
        TtsConfig config;
        config.language = request.value("language", "he");
        config.voice = request.value("voice", "");
        config.first_audio_max = milliseconds_at(request, "first_audio_ms");
        running.operation = tts_provider->start(request.value("text", ""), config, std::move(listener));
        wait(running, request);
        if (request.contains("file")) {
            std::ofstream(request["file"].get<std::string>(), std::ios::binary) << running.audio;
        }
    }

    void hear(const json& request) {
        SttProvider* stt_provider = stt(request);
        if (stt_provider == nullptr) {
            return;
        }
        Running running;
        SttListener listener;
        listener.on_partial = [](std::string_view text) { print({{"event", "partial"}, {"text", std::string(text)}}); };
        listener.on_done = [&](std::string_view text) {
            print({{"event", "done"}, {"text", std::string(text)}});
            running.over = true;
            ++running.terminals;
        };
        listener.on_error = [&](const ProviderError& error) {
            print(describe(error));
            running.over = true;
            ++running.terminals;
        };
        SttConfig config;
        config.language = request.value("language", "he");
        config.phrases = request.value("phrases", std::vector<std::string>{});
        const std::vector<std::uint8_t> audio = bytes_of(read_file(request.value("file", "")));
        running.utterance = stt_provider->start(config, std::move(listener));
        const auto pace = std::chrono::milliseconds(request.value("pace_ms", 0));
        constexpr std::size_t frame = 160;
        for (std::size_t at = 0; at < audio.size() && !running.over; at += frame) {
            running.utterance->push(std::span(audio).subspan(at, std::min(frame, audio.size() - at)));
            const auto next = Clock::now() + pace;
            while (pace.count() > 0 && Clock::now() < next) {
                loop_.run_once(std::chrono::milliseconds(2));
            }
        }
        if (!running.over) {
            running.utterance->finish();
        }
        wait(running, request);
    }

    void warm(const json& request) {
        const std::string kind = request.value("kind", "llm");
        if (kind == "llm" && llm(request) != nullptr) {
            llm(request)->prewarm();
        } else if (kind == "tts" && tts(request) != nullptr) {
            tts(request)->prewarm();
        } else if (kind == "stt" && stt(request) != nullptr) {
            stt(request)->prewarm();
        }
        const auto until = Clock::now() + std::chrono::milliseconds(request.value("linger_ms", 300));
        while (Clock::now() < until) {
            loop_.run_once(std::chrono::milliseconds(5));
        }
    }

    EventLoop& loop_;
    Input& input_;
    NetworkProviders providers_;
    std::map<std::string, std::unique_ptr<LlmProvider>> llms_;
    std::map<std::string, std::unique_ptr<TtsProvider>> ttss_;
    std::map<std::string, std::unique_ptr<SttProvider>> stts_;
};

}  // namespace

int main() {
    std::signal(SIGPIPE, SIG_IGN);
    const ParsedSettings parsed = settings_from_environment(setting_facts());
    for (const SettingFault& fault : parsed.faults) {
        print({{"event", "fault"}, {"detail", fault.detail}});
    }
    EventLoop loop;
    Input input(loop);
    Probe probe(loop, input, parsed.settings);
    print({{"event", "ready"}});
    while (const auto line = input.next()) {
        const json request = json::parse(*line, nullptr, false);
        if (request.is_object()) {
            probe.perform(request);
        }
    }
    return 0;
}
