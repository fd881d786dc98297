// Realtime sessions by a script of steps, and orders to Twilio.
//
//   {"do":"realtime","tools":[..],"history":[..],"steps":[{"push":16000},{"turn":1},{"await":"turn_done"},{"say":".."},
//    {"result":"{}"},{"interrupt_ms":100},{"close":true}]}
//   {"do":"hangup","call":"CA.."}   {"do":"transfer","call":"CA..","twiml":".."}
#include <deque>
#include <set>

#include "tests/tools/provider_probe.hpp"
#include "worker/providers/io/twilio_calls.hpp"

namespace probe {
namespace {

using namespace agentlocator;
using nlohmann::json;

constexpr Duration patience = std::chrono::seconds(60);

// Runs the loop until `over`. False: it never was.
bool run_until(EventLoop& loop, const std::function<bool()>& over) {
    const auto deadline = Clock::now() + patience;
    while (!over() && Clock::now() < deadline) {
        loop.run_once(std::chrono::milliseconds(5));
    }
    return over();
}

class RealtimeRun {
public:
    RealtimeRun(EventLoop& loop, RealtimeProvider& provider, const json& request)
        : loop_(loop), steps_(request.value("steps", json::array())) {
        RealtimeConfig config;
        config.instructions = request.value("instructions", "");
        config.language = request.value("language", "he");
        for (const json& tool : request.value("tools", json::array())) {
            config.tools.push_back({tool.value("name", ""), tool.value("description", ""), tool["parameters"].dump()});
        }
        for (const json& entry : request.value("history", json::array())) {
            ChatMessage message;
            message.role =
                entry.value("role", "") == "assistant" ? ChatMessage::Role::assistant : ChatMessage::Role::user;
            message.content = entry.value("content", "");
            config.history.push_back(std::move(message));
        }
        session_ = provider.start(config, listener());
    }

    void run() {
        for (const json& step : steps_) {
            if (!perform(step)) {
                print({{"event", "hung"}, {"step", step}});
                return;
            }
            if (errors_ > 0) {
                break;
            }
        }
        session_.reset();
        const auto linger = Clock::now() + std::chrono::milliseconds(20);  // Nothing may come any more.
        run_until(loop_, [&] { return Clock::now() >= linger; });
        print({{"event", "sound"}, {"bytes", bytes_}});
        if (errors_ > 1) {
            print({{"event", "terminal_twice"}});
        }
    }

private:
    void note(const std::string& event, json line) {
        seen_.insert(event);
        line["event"] = event;
        print(line);
    }

    RealtimeListener listener() {
        RealtimeListener out;
        out.on_ready = [this](std::int64_t) { note("ready", json::object()); };
        out.on_audio = [this](std::string_view item, std::span<const std::uint8_t> mulaw) {
            item_ = item;
            bytes_ += mulaw.size();
            seen_.insert("audio");
        };
        out.on_audio_done = [this](std::string_view item) { note("audio_done", {{"item", std::string(item)}}); };
        out.on_user_speech_started = [this] { note("user_started", json::object()); };
        out.on_user_text = [this](std::uint32_t turn, std::string_view text) {
            note("user_text", {{"turn", turn}, {"text", std::string(text)}});
        };
        out.on_agent_text = [this](std::string_view, std::string_view text, bool final) {
            if (final) {
                note("agent_text", {{"text", std::string(text)}});
            }
        };
        out.on_tool_call = [this](const ToolCall& call) {
            call_ = call.id;
            note("tool", {{"name", call.name}, {"arguments", call.arguments}});
        };
        out.on_turn_done = [this] { note("turn_done", json::object()); };
        out.on_error = [this](const ProviderError& error) {
            ++errors_;
            print(describe(error));
        };
        return out;
    }

    bool perform(const json& step) {
        if (step.contains("await")) {
            const std::string wanted = step["await"];
            const bool came = run_until(loop_, [&] { return errors_ > 0 || seen_.count(wanted) > 0; });
            seen_.erase(wanted);
            return came;
        }
        if (step.contains("push")) {
            const std::vector<std::uint8_t> frame(160, 0x55);
            for (std::size_t left = step["push"]; left >= frame.size(); left -= frame.size()) {
                session_->push(frame);
            }
        } else if (step.contains("turn")) {
            session_->end_of_turn(step["turn"].get<std::uint32_t>());
        } else if (step.contains("say")) {
            session_->say(step["say"].get<std::string>());
        } else if (step.contains("result")) {
            session_->tool_result(call_, step["result"].get<std::string>());
            session_->go_on("");
        } else if (step.contains("interrupt_ms")) {
            session_->cancel();
            session_->interrupted(item_, std::chrono::milliseconds(step["interrupt_ms"].get<int>()));
        }
        return true;
    }

    EventLoop& loop_;
    json steps_;
    std::set<std::string> seen_;  // Since they were last awaited.
    std::string item_;
    std::string call_;
    std::size_t bytes_ = 0;
    int errors_ = 0;
    std::unique_ptr<RealtimeSession> session_;  // Last: gone first.
};

void order(EventLoop& loop, TwilioCalls& twilio, const json& request) {
    bool over = false;
    const auto done = [&over](const std::optional<ProviderError>& problem) {
        print(problem ? describe(*problem) : json{{"event", "done"}});
        over = true;
    };
    const std::string call = request.value("call", "");
    if (request["do"] == "hangup") {
        twilio.hang_up(call, done);
    } else {
        twilio.redirect(call, request.value("twiml", ""), done);
    }
    if (!run_until(loop, [&] { return over; })) {
        print({{"event", "hung"}});
    }
}

}  // namespace

bool perform_more(EventLoop& loop, NetworkProviders& providers, const json& request) {
    const std::string what = request.value("do", "");
    if (what == "hangup" || what == "transfer") {
        order(loop, providers.twilio(), request);
        return true;
    }
    if (what != "realtime") {
        return false;
    }
    std::string why_not;
    const auto provider = providers.realtime(why_not);
    if (provider == nullptr) {
        print({{"event", "not_configured"}, {"why", why_not}});
    } else {
        RealtimeRun(loop, *provider, request).run();
    }
    return true;
}

}  // namespace probe
