#include "worker/agent/text_agent.hpp"

#include <nlohmann/json.hpp>

#include "tests/unit/agent/call_fixture.hpp"

using namespace agentlocator;
using namespace agentlocator::test;
using State = TextAgent::State;

namespace {

class Desk final : public AgentHost {
public:
    explicit Desk(bool model = true, const std::string& language = "en-US") : control_(clock, ledger) {
        services = std::make_unique<AgentServices>(AgentServices{.settings = {},
                                                                 .dialogue = shipped_script(),
                                                                 .host = *this,
                                                                 .records = records_,
                                                                 .control = control_,
                                                                 .stt = {},
                                                                 .llm = {},
                                                                 .tts = {},
                                                                 .prompt = {},
                                                                 .metrics = metrics_});
        services->settings.language = language;
        if (model) {
            auto made = std::make_unique<FakeLlm>("first", clock, ledger);
            llm = made.get();
            services->llm.emplace_back();
            services->llm.back().provider = std::move(made);
        }
    }
    [[nodiscard]] TimePoint now() const override { return clock.now; }
    [[nodiscard]] std::int64_t unix_ms() const override { return unix_now; }
    [[nodiscard]] std::uint32_t random() override { return 0; }
    [[nodiscard]] std::int64_t utc_offset_minutes(std::int64_t) const override { return 120; }
    void line(std::string_view) override {}

    // Until it is over, by the fake clock.
    std::unique_ptr<TextAgent> ask(TextQuestion question) {
        auto agent = std::make_unique<TextAgent>(*services, std::move(question), [] {});
        for (int step = 0; step < 10'000 && agent->state() == State::running; ++step) {
            agent->run(clock.now);
            auto next = clock.next();
            if (const auto due = agent->deadline(); due && (!next || *due < *next)) {
                next = due;
            }
            if (next && *next > clock.now) {
                clock.now = *next;
            }
            clock.run_due();
        }
        REQUIRE(agent->state() != State::running);
        return agent;
    }
    // One person's messages, each with the state of the answer before.
    std::string write(const std::string& text) {
        const auto agent = ask({.person = "p", .phone = "+972501234567", .text = text, .state = state});
        REQUIRE(agent->state() == State::done);
        state = agent->answer().state;
        leads.insert(leads.end(), agent->answer().leads.begin(), agent->answer().leads.end());
        return agent->answer().text;
    }

    FakeClock clock;
    Ledger ledger;
    std::int64_t unix_now = 1'790'000'000'000;
    FakeLlm* llm = nullptr;
    std::unique_ptr<AgentServices> services;
    std::string state;
    std::vector<LeadFact> leads;

private:
    AgentMetrics metrics_;
    MemoryRecordStore records_;
    FakeControl control_;
};

Step writes(const std::string& words) {
    return {.kind = Step::Kind::text, .text = words, .after = std::chrono::milliseconds(100)};
}
Step tool(const std::string& name, const std::string& arguments) {
    return {.kind = Step::Kind::tool, .tool = {"t1", name, arguments}};
}
const Step over{.kind = Step::Kind::done};
const Step tools_done{.kind = Step::Kind::done, .finish = LlmFinish::tool_calls};
const Step breaks{.kind = Step::Kind::fail, .error_class = ProviderErrorClass::server};

}  // namespace

TEST_CASE("text agent: the model is told its job, the conversation so far and the message, and its answer is sent") {
    Desk desk;
    desk.llm->plans.queue = {{writes("We have "), writes("flats in Haifa. Which size?"), over}};
    TextQuestion question{.person = "p", .phone = "+972501234567", .text = "a flat?"};
    question.before.resize(2);
    question.before[0].content = "hello";
    question.before[1].role = ChatMessage::Role::assistant;
    question.before[1].content = "Hello, this is Leah";
    question.lead.details = R"({"area":"haifa"})";
    const auto agent = desk.ask(question);
    REQUIRE(agent->state() == State::done);
    CHECK(agent->answer().text == "We have flats in Haifa. Which size?");
    const LlmRequest& request = desk.llm->requests.at(0);
    REQUIRE(request.messages.size() == 4);
    CHECK(request.messages[0].content.find("You are Leah") != std::string::npos);
    CHECK(request.messages[0].content.find("WhatsApp") != std::string::npos);
    CHECK(request.messages[0].content.find(R"({"area":"haifa"})") != std::string::npos);
    CHECK(request.messages[2].content == "Hello, this is Leah");
    CHECK(request.messages[3].content == "a flat?");
    CHECK(request.tools.size() == 3);
}

TEST_CASE("text agent: tools make leads and meetings, and the model hears what became of them") {
    Desk desk;
    desk.llm->plans.queue = {{tool("save_lead", R"({"area":"haifa","name":"Dana"})"),
                              tool("book_meeting", R"({"starts_at":"2026-11-22T10:30","notes":"flat"})"), tools_done},
                             {writes("Noted. See you."), over}};
    const auto agent = desk.ask({.person = "p", .phone = "+972501234567", .text = "tomorrow, half past ten"});
    REQUIRE(agent->state() == State::done);
    CHECK(agent->answer().text == "Noted. See you.");
    REQUIRE(agent->answer().leads.size() == 2);
    CHECK(agent->answer().leads[0].name == "Dana");
    CHECK(agent->answer().leads[0].phone == "+972501234567");
    REQUIRE(agent->answer().booked.size() == 1);
    CHECK(agent->answer().booked[0].status == "booked");
    CHECK(agent->answer().booked[0].ends_at > agent->answer().booked[0].starts_at);
    const auto& messages = desk.llm->requests.at(1).messages;
    CHECK(messages.at(messages.size() - 3).tool_calls.size() == 2);
    CHECK(messages.back().role == ChatMessage::Role::tool);
}

TEST_CASE("text agent: a model in a loop of tools is stopped, and something is said") {
    Desk desk;
    desk.llm->plans.queue = {{tool("save_lead", R"({"area":"haifa"})"), tools_done}};
    const auto agent = desk.ask({.person = "p", .phone = "+972501234567", .text = "hm"});
    REQUIRE(agent->state() == State::done);
    CHECK(desk.llm->requests.size() == TextAgent::tool_rounds_max + 1);
    CHECK_FALSE(agent->answer().text.empty());
}

TEST_CASE("text agent: when no model answers it fails, to be asked again; after that the script answers") {
    Desk desk;
    desk.llm->plans.queue = {{breaks}};
    for (std::int64_t attempt = 1; attempt <= TextAgent::model_attempts_max; ++attempt) {
        CHECK(desk.ask({.person = "p", .text = "hello", .attempts = attempt})->state() == State::failed);
    }
    const auto last = desk.ask({.person = "p", .text = "hello", .attempts = TextAgent::model_attempts_max + 1});
    REQUIRE(last->state() == State::done);
    CHECK(last->answer().text.find("Hello, this is Leah") == 0);
    CHECK(desk.ledger.running == 0);
}

TEST_CASE("text agent: an answer is no longer than a message may be, in characters") {
    Desk desk;
    std::string words;
    for (int i = 0; i < 400; ++i) {
        words += "מילה ";
    }
    desk.llm->plans.queue = {{writes(words + "."), over}};
    const auto agent = desk.ask({.person = "p", .text = "?"});
    std::string_view rest = agent->answer().text;
    std::size_t characters = 0;
    for (const char c : rest) {
        characters += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
    }
    CHECK(characters == TextAgent::answer_characters_max);
}

TEST_CASE("text agent: a picture without words is answered without a model") {
    Desk desk;
    const auto agent = desk.ask({.person = "p", .kind = "image", .text = ""});
    CHECK(agent->answer().text.find("I can only read text") != std::string::npos);
    CHECK(agent->answer().by == AnsweredBy::sentence);
    CHECK(desk.llm->requests.empty());
}

TEST_CASE("text agent: who sends what is no text is asked for words once, until he writes some or an hour passed") {
    Desk desk;
    desk.llm->plans.queue = {{writes("Of course."), over}};
    const auto send = [&](const std::string& kind, const std::string& words) {
        const auto agent = desk.ask({.person = "p", .kind = kind, .text = words, .state = desk.state});
        desk.state = agent->answer().state;
        return agent->answer();
    };
    CHECK(send("voice", "").text.find("voice messages") != std::string::npos);
    const TextAnswer silent = send("image", "");
    CHECK(silent.text.empty());
    CHECK_FALSE(silent.by.has_value());
    CHECK(send("text", "a flat?").by == AnsweredBy::model);
    CHECK_FALSE(send("image", "").text.empty());
    desk.unix_now += TextAgent::asked_for_text_ms - 1;
    CHECK(send("image", "").text.empty());
    desk.unix_now += 1;
    CHECK_FALSE(send("image", "").text.empty());
}

TEST_CASE("text agent: the script goes on behind a picture where it was") {
    Desk desk(false);
    CHECK(desk.write("I want to buy").find("Is it a flat") != std::string::npos);
    const auto agent = desk.ask({.person = "p", .phone = "+972501234567", .kind = "image", .state = desk.state});
    desk.state = agent->answer().state;
    CHECK(desk.write("a flat").find("In which city?") != std::string::npos);
}

TEST_CASE("text agent: who wrote in the other language is asked for words in it") {
    Desk desk;
    TextQuestion question{.person = "p", .kind = "voice"};
    question.before.resize(3);
    question.before[0].content = "שלום";
    question.before[1].role = ChatMessage::Role::assistant;
    question.before[1].content = "Hello";
    question.before[2].content = "[picture]";
    CHECK(desk.ask(question)->answer().text.find("לכתוב") != std::string::npos);
    question.before[0].content = "hi";
    CHECK(desk.ask(question)->answer().text.find("voice messages") != std::string::npos);
}

TEST_CASE("text agent: without a model the script takes a lead over many messages, by words and by digits") {
    Desk desk(false);
    CHECK(desk.write("hi there").find("Hello, this is Leah") == 0);
    for (const char* answer : {"buy", "1", "haifa", "three and a half", "2300", "no", "052-1234567", "Dana"}) {
        CHECK_FALSE(desk.write(answer).empty());
    }
    CHECK(desk.leads.empty());
    CHECK(desk.write("yes").find("Thank you") != std::string::npos);
    REQUIRE(desk.leads.size() == 1);
    CHECK(desk.leads[0].name == "Dana");
    CHECK(desk.leads[0].phone == "+972521234567");
    CHECK(nlohmann::json::parse(desk.leads[0].details)["budget"] == "2300000");
    CHECK(desk.write("thanks").find("we have your details") != std::string::npos);
    desk.unix_now += TextAgent::taken_ms;
    CHECK(desk.write("me again").find("Hello, this is Leah") == 0);
}

TEST_CASE("text agent: who says at once what he wants is not asked for it") {
    Desk desk(false);
    const std::string answer = desk.write("I want to buy");
    CHECK(answer.find("Hello, this is Leah") == 0);
    CHECK(nlohmann::json::parse(desk.state)["dialogue"]["slots"]["intent"] == "buy");
}

TEST_CASE("text agent: a state it cannot read is a new conversation") {
    for (const char* state :
         {"", "nonsense", "[]", R"({"v":2})", R"({"v":1,"dialogue":7})", R"({"v":1,"taken_at":"x"})"}) {
        Desk desk(false);
        desk.state = state;
        CHECK_FALSE(desk.write("hello").empty());
    }
}

TEST_CASE("text agent: the voice's points are not written") {
    CHECK(written_text("שָׁלוֹם, לֵאָה־כֹּהֵן 1,200!") == "שלום, לאה־כהן 1,200!");
    Desk desk(false, "he-IL");
    const std::string answer = desk.write("שלום");
    CHECK(answer == written_text(answer));
    CHECK(answer.find("לאה") != std::string::npos);
}
