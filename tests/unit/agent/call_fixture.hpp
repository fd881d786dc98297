#pragma once
// A call without a telephone: fake services under a hand-moved clock, and the media thread's side of the messages with
// its rules checked: speech in order, sentences in order, exactly one turn_done for each thing owed.
#include <doctest/doctest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "worker/agent/call_agent.hpp"

namespace agentlocator::test {

// What a fake does with one operation. `after` delays each step.
struct Step {
    enum class Kind : std::uint8_t { text, audio, tool, done, fail, hang, forever } kind{};
    std::string text{};
    Duration after{};
    ProviderErrorClass error_class{};
    std::optional<Duration> retry_after{};
    LlmFinish finish = LlmFinish::stop;
    ToolCall tool{};
};
using Plan = std::vector<Step>;

class FakeClock {
public:
    TimePoint now{std::chrono::hours(100)};
    void at(TimePoint when, std::function<void()> what) { queue_.emplace(when, std::move(what)); }
    [[nodiscard]] std::optional<TimePoint> next() const {
        return queue_.empty() ? std::nullopt : std::optional<TimePoint>(queue_.begin()->first);
    }
    void run_due() {
        while (!queue_.empty() && queue_.begin()->first <= now) {
            auto what = std::move(queue_.begin()->second);
            queue_.erase(queue_.begin());
            what();
        }
    }

private:
    std::multimap<TimePoint, std::function<void()>> queue_;
};

// Counts what is alive: an operation that outlives its call, or is called after its end, is a defect.
struct Ledger {
    int running = 0;
    int started = 0;
    int cancelled = 0;
};

class FakeOperation : public SttUtterance {
public:
    FakeOperation(Ledger& ledger, FakeClock& clock) : ledger_(ledger), clock_(clock) {
        ++ledger_.running;
        ++ledger_.started;
    }
    ~FakeOperation() override {
        --ledger_.running;
        ledger_.cancelled += ended_ ? 0 : 1;
        *alive_ = false;
    }
    void push(std::span<const std::uint8_t> mulaw) override { bytes += mulaw.size(); }
    void finish() override {
        if (on_finish) {
            on_finish();
        }
    }
    void play(const Plan& plan, const std::function<bool(const Step&)>& perform) {
        TimePoint when = clock_.now;
        for (const Step& step : plan) {
            when += step.after;
            if (step.kind == Step::Kind::hang) {
                return;
            }
            if (step.kind == Step::Kind::forever) {
                repeat(when, step, perform);
                return;
            }
            clock_.at(when, [this, alive = alive_, step, perform] {
                if (*alive && !ended_) {
                    ended_ = perform(step);
                }
            });
        }
    }
    std::function<void()> on_finish;
    std::size_t bytes = 0;

private:
    void repeat(TimePoint when, const Step& step, const std::function<bool(const Step&)>& perform) {
        clock_.at(when, [this, alive = alive_, when, step, perform] {
            if (*alive && !ended_) {
                (void)perform(step);
                repeat(when + std::chrono::milliseconds(20), step, perform);
            }
        });
    }
    Ledger& ledger_;
    FakeClock& clock_;
    bool ended_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

inline ProviderError error_of(const Step& step, const std::string& provider, const char* operation) {
    ProviderError error;
    error.error_class = step.error_class;
    error.retry_after = step.retry_after;
    error.provider = provider;
    error.operation = operation;
    error.message = "made up";
    error.remedy = "none needed";
    return error;
}

// Plans are taken one after the other; the last one stays.
struct Plans {
    std::deque<Plan> queue;
    Plan take() {
        Plan plan = queue.empty() ? Plan{} : queue.front();
        if (queue.size() > 1) {
            queue.pop_front();
        }
        return plan;
    }
};

class FakeStt final : public SttProvider {
public:
    FakeStt(std::string name, FakeClock& clock, Ledger& ledger)
        : name_(std::move(name)), clock_(clock), ledger_(ledger) {}
    [[nodiscard]] std::string_view name() const override { return name_; }
    [[nodiscard]] bool speaks(std::string_view, const SttConfig& config) const override {
        return !closed_only || config.closed;
    }
    [[nodiscard]] std::unique_ptr<SttUtterance> start(const SttConfig& config, SttListener listener) override {
        last_config = config;
        auto operation = std::make_unique<FakeOperation>(ledger_, clock_);
        auto* raw = operation.get();
        raw->on_finish = [this, raw, listener = std::move(listener)] {
            bytes = raw->bytes;
            raw->play(plans.take(), [this, listener](const Step& step) {
                if (step.kind == Step::Kind::text) {
                    listener.on_partial(step.text);
                    return false;
                }
                if (step.kind == Step::Kind::fail) {
                    listener.on_error(error_of(step, name_, "transcribe"));
                } else {
                    listener.on_done(step.text);
                }
                return true;
            });
        };
        return operation;
    }
    Plans plans;
    SttConfig last_config;
    std::size_t bytes = 0;
    bool closed_only = false;

private:
    std::string name_;
    FakeClock& clock_;
    Ledger& ledger_;
};

class FakeLlm final : public LlmProvider {
public:
    FakeLlm(std::string name, FakeClock& clock, Ledger& ledger)
        : name_(std::move(name)), clock_(clock), ledger_(ledger) {}
    [[nodiscard]] std::string_view name() const override { return name_; }
    [[nodiscard]] OperationPtr start(const LlmRequest& request, LlmListener listener) override {
        requests.push_back(request);
        auto operation = std::make_unique<FakeOperation>(ledger_, clock_);
        operation->play(plans.take(), [this, listener = std::move(listener)](const Step& step) {
            switch (step.kind) {
                case Step::Kind::tool:
                    listener.on_tool_call(step.tool);
                    return false;
                case Step::Kind::fail:
                    listener.on_error(error_of(step, name_, "chat"));
                    return true;
                case Step::Kind::done:
                    listener.on_done(step.finish);
                    return true;
                default:
                    listener.on_text(step.text);
                    return false;
            }
        });
        return operation;
    }
    Plans plans;
    std::vector<LlmRequest> requests;

private:
    std::string name_;
    FakeClock& clock_;
    Ledger& ledger_;
};

class FakeTts final : public TtsProvider {
public:
    FakeTts(std::string name, FakeClock& clock, Ledger& ledger)
        : name_(std::move(name)), clock_(clock), ledger_(ledger) {}
    [[nodiscard]] std::string_view name() const override { return name_; }
    [[nodiscard]] bool speaks(std::string_view) const override { return !mute; }
    [[nodiscard]] OperationPtr start(std::string_view text, const TtsConfig&, TtsListener listener) override {
        texts.emplace_back(text);
        Plan plan = plans.take();
        if (plan.empty()) {  // 10 ms a byte of text, all at once.
            plan = {{.kind = Step::Kind::audio, .text = std::string(text.size() * 80, '\x55'), .after = first_audio},
                    {.kind = Step::Kind::done}};
        }
        auto operation = std::make_unique<FakeOperation>(ledger_, clock_);
        operation->play(plan, [this, listener = std::move(listener)](const Step& step) {
            if (step.kind == Step::Kind::fail) {
                listener.on_error(error_of(step, name_, "speak"));
                return true;
            }
            if (step.kind == Step::Kind::done) {
                listener.on_done();
                return true;
            }
            listener.on_audio({reinterpret_cast<const std::uint8_t*>(step.text.data()), step.text.size()});
            return false;
        });
        return operation;
    }
    Plans plans;
    std::vector<std::string> texts;
    bool mute = false;  // It speaks no language.
    Duration first_audio = std::chrono::milliseconds(50);

private:
    std::string name_;
    FakeClock& clock_;
    Ledger& ledger_;
};

// A session that answers by plan: audio, text (the words of the sentence), tool, done, fail. Without a plan it says the
// words asked for, or "Well.".
class FakeRealtime final : public RealtimeProvider {
public:
    FakeRealtime(std::string name, FakeClock& clock, Ledger& ledger)
        : name_(std::move(name)), clock_(clock), ledger_(ledger) {}
    [[nodiscard]] std::string_view name() const override { return name_; }
    [[nodiscard]] std::unique_ptr<RealtimeSession> start(const RealtimeConfig& config,
                                                         RealtimeListener listener) override {
        configs.push_back(config);
        auto session = std::make_unique<Session>(*this, std::move(listener));
        if (refuses) {
            session->fail({.kind = Step::Kind::fail, .error_class = ProviderErrorClass::network});
        }
        current = session.get();
        return session;
    }

    class Session final : public RealtimeSession {
    public:
        Session(FakeRealtime& fake, RealtimeListener listener)
            : fake_(fake), listener_(std::move(listener)), operation_(fake.ledger_, fake.clock_) {}
        ~Session() override {
            if (fake_.current == this) {
                fake_.current = nullptr;
            }
        }
        void push(std::span<const std::uint8_t> mulaw) override { fake_.pushed += mulaw.size(); }
        void end_of_turn(std::uint32_t turn) override {
            jot("turn " + std::to_string(turn) + " of " + std::to_string(std::exchange(fake_.pushed, 0)));
            respond("Well.");
        }
        void drop_turn() override {
            fake_.pushed = 0;
            jot("drop");
        }
        void note(std::string_view text) override { jot("note " + std::string(text)); }
        void hear(std::string_view text) override {
            jot("hear " + std::string(text));
            respond("Well.");
        }
        void say(std::string_view text) override {
            jot("say " + std::string(text));
            respond(std::string(text));
        }
        void tool_result(std::string_view id, std::string_view json) override {
            jot("result " + std::string(id) + " " + std::string(json));
        }
        void go_on(std::string_view instructions) override {
            jot(instructions.empty() ? "go on" : "go on: " + std::string(instructions));
            respond("And so on.");
        }
        void cancel() override {
            ++response_;
            jot("cancel");
        }
        void interrupted(std::string_view item, Duration heard) override {
            jot("truncate " + std::string(item) + " " + std::to_string(heard / std::chrono::milliseconds(1)));
        }
        void fail(const Step& step) { play({step}, of_session); }
        void ready(std::int64_t expires_at) { listener_.on_ready(expires_at); }
        void write_down(std::uint32_t turn, std::string_view text) { listener_.on_user_text(turn, text); }

    private:
        static constexpr int of_session = 0;
        void jot(std::string what) { fake_.asked.push_back(std::move(what)); }
        void respond(const std::string& words) {
            Plan plan = fake_.plans.take();
            if (plan.empty()) {
                plan = {{.kind = Step::Kind::audio, .text = std::string(words.size() * 80, 'r'), .after = fake_.delay},
                        {.kind = Step::Kind::text, .text = words},
                        {.kind = Step::Kind::done}};
            }
            play(plan, ++response_);
        }
        void play(const Plan& plan, int response) {
            const std::string item = "item" + std::to_string(++fake_.items);
            operation_.play(plan, [this, item, response](const Step& step) {
                if (response != response_ && response != of_session) {
                    return false;  // Cancelled.
                }
                switch (step.kind) {
                    case Step::Kind::audio:
                        listener_.on_audio(item,
                                           {reinterpret_cast<const std::uint8_t*>(step.text.data()), step.text.size()});
                        return false;
                    case Step::Kind::text:
                        listener_.on_agent_text(item, step.text, true);
                        return false;
                    case Step::Kind::tool:
                        listener_.on_tool_call(step.tool);
                        return false;
                    case Step::Kind::fail:
                        listener_.on_error(error_of(step, fake_.name_, "converse"));
                        return true;
                    default:
                        listener_.on_turn_done();
                        return false;
                }
            });
        }
        FakeRealtime& fake_;
        RealtimeListener listener_;
        FakeOperation operation_;
        int response_ = 0;
    };

    Plans plans;
    std::vector<RealtimeConfig> configs;
    std::vector<std::string> asked;
    std::size_t pushed = 0;
    Session* current = nullptr;
    Duration delay = std::chrono::milliseconds(300);
    int items = 0;
    bool refuses = false;

private:
    friend class Session;
    std::string name_;
    FakeClock& clock_;
    Ledger& ledger_;
};

class FakeControl final : public CallControl {
public:
    explicit FakeControl(FakeClock& clock, Ledger& ledger) : clock_(clock), ledger_(ledger) {}
    [[nodiscard]] std::string missing() const override { return missing_setting; }
    [[nodiscard]] OperationPtr update(std::string_view, std::string_view twiml, Done done) override {
        sent.emplace_back(twiml);
        auto operation = std::make_unique<FakeOperation>(ledger_, clock_);
        if (!hangs) {
            operation->play({{.kind = Step::Kind::done, .after = std::chrono::milliseconds(100)}},
                            [this, done = std::move(done)](const Step&) {
                                done(problem);
                                return true;
                            });
        }
        return operation;
    }
    std::string missing_setting;
    std::string problem;
    bool hangs = false;
    std::vector<std::string> sent;

private:
    FakeClock& clock_;
    Ledger& ledger_;
};

// Knows one person, after a while.
class FakePeople final : public PersonMemory {
public:
    FakePeople(FakeClock& clock, Ledger& ledger) : clock_(clock), ledger_(ledger) {}
    [[nodiscard]] OperationPtr ask(const Caller& caller, Done done) override {
        asked.push_back(caller);
        auto operation = std::make_unique<FakeOperation>(ledger_, clock_);
        operation->play({{.kind = Step::Kind::done, .after = after}}, [this, done = std::move(done)](const Step&) {
            done(std::make_shared<const KnownPerson>(known));
            return true;
        });
        return operation;
    }
    KnownPerson known;
    Duration after = std::chrono::milliseconds(20);
    std::vector<Caller> asked;

private:
    FakeClock& clock_;
    Ledger& ledger_;
};

inline const DialogueScript& shipped_script() {
    static const DialogueScript script = [] {
        auto parsed = parse_dialogue(embedded_dialogue());
        REQUIRE(parsed.has_value());
        return *parsed;
    }();
    return script;
}

struct CallOptions {
    bool model = true;
    bool recogniser = true;
    bool backup = true;  // A second provider in each chain.
    bool realtime = false;
    std::string language = "en-US";
    std::string transfer_number{};
    bool remembers = false;  // There is a store to ask who calls.
};

// The media thread: plays at real time, sends what it would send, and checks what it is told.
class FakeCall final : public AgentHost, public AgentOutput {
public:
    explicit FakeCall(CallOptions options = {}) : options_(options), control(clock, ledger), people(clock, ledger) {
        services_ = std::make_unique<AgentServices>(AgentServices{.settings = {},
                                                                  .dialogue = shipped_script(),
                                                                  .host = *this,
                                                                  .records = records,
                                                                  .control = control,
                                                                  .stt = {},
                                                                  .llm = {},
                                                                  .tts = {},
                                                                  .prompt = {},
                                                                  .metrics = metrics});
        services_->settings.language = options.language;
        services_->settings.transfer_number = options.transfer_number;
        services_->people = options.remembers ? &people : nullptr;
        services_->settings.resp_min = services_->settings.resp_max = std::chrono::milliseconds(0);
        for (const char* name : {"first", "second"}) {
            if (name[0] == 's' && !options.backup) {
                break;
            }
            add(services_->stt, stt, options.recogniser, name);
            add(services_->llm, llm, options.model, name);
            add(services_->tts, tts, true, name);
        }
        if (options.realtime) {
            auto fake = std::make_unique<FakeRealtime>("talker", clock, ledger);
            realtime = fake.get();
            services_->realtime.emplace_back();
            services_->realtime.back().provider = std::move(fake);
        }
        open_agent();
    }

    // AgentHost
    [[nodiscard]] TimePoint now() const override { return clock.now; }
    [[nodiscard]] std::int64_t unix_ms() const override { return 1'763'740'800'000; }  // 2025-11-21 16:00 UTC
    [[nodiscard]] std::uint32_t random() override { return 7; }
    [[nodiscard]] std::int64_t utc_offset_minutes(std::int64_t) const override { return 120; }
    void line(std::string_view text) override { lines.emplace_back(text); }

    // AgentOutput
    [[nodiscard]] bool tell(const FromAgentMessage& message) override {
        if (refuse > 0) {
            --refuse;
            return false;
        }
        switch (message.kind) {
            case FromAgent::speech:
                CHECK_FALSE(message.payload.empty());
                CHECK(message.payload.size() <= agent_payload_max);
                if (message.turn >= newest_) {
                    CHECK(message.sentence + 1 >= next_);  // Gaps: what was cancelled before it was told.
                    playing_[{message.turn, message.sentence}] += message.payload.size();
                    if (message.value > 0) {
                        service_us.push_back(message.value - 1);
                    }
                    spoke_ = true;
                    spoke_since_done_ = true;
                }
                break;
            case FromAgent::sentence_done:
                if (message.turn >= newest_) {
                    CHECK((message.turn != said_turn_ || message.sentence >= next_));
                    said_turn_ = message.turn;
                    next_ = message.sentence + 1;
                    said.push_back({message.turn, message.sentence, std::string(message.payload),
                                    playing_[{message.turn, message.sentence}]});
                    CHECK(said.back().bytes > 0);
                }
                break;
            case FromAgent::turn_done:
                if (message.turn >= newest_) {
                    // Answered, or said of its own accord: digits ended by a pause, a transfer that failed.
                    CHECK((owed > 0 || spoke_since_done_));
                    owed = 0;
                    spoke_since_done_ = false;
                    ++turns_done;
                    spoke_at_done = spoke_;
                }
                break;
            case FromAgent::remember:
                CHECK(message.payload.size() <= agent_payload_max);
                memory = message.payload;
                break;
            case FromAgent::hang_up:
                hung_up = message.payload;
                break;
            case FromAgent::thinking:
                ++thinking;
                break;
            case FromAgent::listen:
                CHECK(read_listen_payload(message.payload, hints));
                break;
            case FromAgent::cancel_turn:
                playing_.clear();
                break;
            case FromAgent::log:
                lines.emplace_back(message.payload);
                break;
        }
        return true;
    }

    // The caller's and the media thread's side
    void start(const std::string& from = "+972501234567") {
        owe();
        send(ToAgent::call_started, 0, 0, 0, R"({"call_sid":"CA1","from":")" + from + R"(","to":"+97233760000"})");
    }
    void utter(Duration length = std::chrono::seconds(1)) {
        ++turn_;
        send(ToAgent::utterance_began, turn_);
        const std::string audio(800, '\x70');
        for (Duration at{}; at < length; at += std::chrono::milliseconds(100)) {
            send(ToAgent::audio, turn_, 0, 0, audio);
        }
        end_utterance();
    }
    void end_utterance() {
        newest(turn_);
        owe();
        send(ToAgent::utterance_ended, turn_, 0, 500);
    }
    void begin_utterance() { send(ToAgent::utterance_began, ++turn_); }
    void drop_utterance() { send(ToAgent::utterance_dropped, turn_--); }
    void press(char key) {
        newest(++turn_);
        owe();
        send(ToAgent::key, turn_, 0, 0, std::string(1, key));
    }
    void silence() {
        owe();
        send(ToAgent::silence, newest_, next_, 6000);
    }
    void time_up() {
        owe();
        send(ToAgent::time_up, newest_, next_);
    }
    void interrupt(std::uint32_t sentence, std::int64_t ms) {
        owed = 0;
        send(ToAgent::interrupted, newest_, sentence, ms);
    }
    // All that was said is heard.
    void hear() {
        for (const Said& sentence : std::vector<Said>(said)) {
            if (!sentence.heard) {
                send(ToAgent::sentence_heard, sentence.turn, sentence.sentence);
            }
        }
        for (Said& sentence : said) {
            sentence.heard = true;
        }
    }
    void send(ToAgent kind, std::uint32_t turn = 0, std::uint32_t sentence = 0, std::int64_t value = 0,
              std::string_view payload = {}) {
        ToAgentMessage message;
        message.kind = kind;
        message.turn = turn;
        message.sentence = sentence;
        message.value = value;
        message.payload = payload;
        agent->on_message(message, clock.now);
        work();
    }
    // Another worker takes over: a new agent with the memory, told again what is not answered.
    void take_over(bool nothing_owed, bool retell) {
        const std::uint32_t at = said_turn_ == newest_ ? next_ : 0;
        agent.reset();
        CHECK(ledger.running == 0);
        open_agent();
        send(ToAgent::call_resumed, newest_, at, nothing_owed ? 1 : 0,
             memory.empty() ? R"({"call_sid":"CA1","from":"+972501234567"})" : std::string(memory));
        if (retell) {
            send(ToAgent::utterance_began, newest_);
            send(ToAgent::audio, newest_, 0, 0, std::string(8000, '\x70'));
            send(ToAgent::utterance_ended, newest_, 0, 500);
        }
    }
    void end(std::string_view reason = "stop") {
        send(ToAgent::call_ended, 0, 0, 0, reason);
        CHECK(agent->over());
        CHECK(ledger.running == 0);
    }

    // Runs until nothing is due within `period`.
    void run(Duration period = std::chrono::seconds(30)) {
        const TimePoint end = clock.now + period;
        for (int steps = 0; steps < 100'000; ++steps) {
            std::optional<TimePoint> next = clock.next();
            if (const auto due = agent->deadline(); due && (!next || *due < *next)) {
                next = due;
            }
            if (!next || *next > end) {
                break;
            }
            clock.now = std::max(clock.now, *next);
            clock.run_due();
            work();
        }
        clock.now = std::max(clock.now, end);
    }
    // Runs until what is owed was answered; at most `limit`.
    bool answered(Duration limit = std::chrono::seconds(30)) {
        const TimePoint end = clock.now + limit;
        while (owed > 0 && clock.now < end) {
            run(std::chrono::milliseconds(10));
        }
        return owed == 0;
    }
    void work() {
        agent->run(clock.now);
        while (!agent->flush(*this, clock.now)) {
        }
    }
    [[nodiscard]] std::string said_text() const {
        std::string all;
        for (const Said& sentence : said) {
            all += (all.empty() ? "" : " ") + sentence.text;
        }
        return all;
    }
    [[nodiscard]] bool says(std::string_view part) const { return said_text().find(part) != std::string::npos; }
    [[nodiscard]] bool logged(std::string_view part) const {
        return std::any_of(lines.begin(), lines.end(),
                           [&](const std::string& text) { return text.find(part) != std::string::npos; });
    }
    void forget_said() { said.clear(); }
    AgentServices& services() { return *services_; }
    [[nodiscard]] std::uint32_t turn() const { return turn_; }

    struct Said {
        std::uint32_t turn = 0;
        std::uint32_t sentence = 0;
        std::string text;
        std::size_t bytes = 0;
        bool heard = false;
    };

private:
    template <class Provider, class Fake>
    void add(ProviderChain<Provider>& chain, std::vector<Fake*>& fakes, bool wanted, const char* name) {
        auto fake = std::make_unique<Fake>(name, clock, ledger);
        fakes.push_back(fake.get());
        ProviderChain<Provider>& owner = wanted ? chain : std::get<ProviderChain<Provider>>(unused_);
        owner.emplace_back();
        owner.back().provider = std::move(fake);
    }
    void open_agent() {
        agent = std::make_unique<CallAgent>(*services_, 3, 77, [this] { ++wakes; });
    }
    void owe() {
        owed = 1;
        spoke_ = false;
    }
    void newest(std::uint32_t turn) {
        if (turn != newest_) {
            newest_ = turn;
            next_ = 0;
        }
    }

    CallOptions options_;

public:
    FakeClock clock;
    Ledger ledger;
    MemoryRecordStore records;
    FakeControl control;
    FakePeople people;
    std::vector<FakeStt*> stt;
    std::vector<FakeLlm*> llm;
    std::vector<FakeTts*> tts;
    FakeRealtime* realtime = nullptr;
    std::vector<std::string> lines;
    AgentMetrics metrics;
    std::vector<std::int64_t> service_us;  // Told with the first speech of answers.
    std::vector<Said> said;
    std::string memory;
    std::string hung_up;
    ListenHints hints;
    int owed = 0;
    int turns_done = 0;
    int thinking = 0;
    int wakes = 0;
    int refuse = 0;
    bool spoke_at_done = false;

private:
    std::unique_ptr<AgentServices> services_;

public:
    std::unique_ptr<CallAgent> agent;

private:
    std::uint32_t turn_ = 0;
    std::uint32_t newest_ = 0;
    std::uint32_t next_ = 0;
    std::uint32_t said_turn_ = 0;
    bool spoke_ = false;
    bool spoke_since_done_ = false;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::size_t> playing_;
    // So that a test may plan for a service that this call has not got.
    std::tuple<ProviderChain<SttProvider>, ProviderChain<LlmProvider>, ProviderChain<TtsProvider>> unused_;
};

// Plans in a line
inline Plan heard(std::string text, Duration after = std::chrono::milliseconds(100)) {
    return {{.kind = Step::Kind::done, .text = std::move(text), .after = after}};
}
inline Plan thinks(std::string text, Duration after = std::chrono::milliseconds(200)) {
    return {{.kind = Step::Kind::text, .text = std::move(text), .after = after}, {.kind = Step::Kind::done}};
}
inline Plan calls_tool(std::string name, std::string arguments, std::string text = {}) {
    Plan plan;
    if (!text.empty()) {
        plan.push_back({.kind = Step::Kind::text, .text = std::move(text), .after = std::chrono::milliseconds(100)});
    }
    plan.push_back({.kind = Step::Kind::tool,
                    .after = std::chrono::milliseconds(100),
                    .tool = {.id = "call_1", .name = std::move(name), .arguments = std::move(arguments)}});
    plan.push_back({.kind = Step::Kind::done, .finish = LlmFinish::tool_calls});
    return plan;
}
inline Plan fails(ProviderErrorClass error_class, Duration after = {}, std::optional<Duration> retry_after = {}) {
    return {{.kind = Step::Kind::fail, .after = after, .error_class = error_class, .retry_after = retry_after}};
}
inline Plan hangs() {
    return {{.kind = Step::Kind::hang}};
}

}  // namespace agentlocator::test
