#include "worker/agent/dialogue.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "worker/agent/spoken_text.hpp"

using namespace agentlocator;
using Then = DialogueReply::Then;

namespace {

const DialogueScript& script() {
    static const DialogueScript parsed = [] {
        auto result = parse_dialogue(embedded_dialogue());
        REQUIRE_MESSAGE(result.has_value(), (result.has_error() ? result.error().detail : ""));
        return *result;
    }();
    return parsed;
}

Dialogue english(bool understands = false) {
    return Dialogue(script(), {.language = Language::english,
                               .number = "+972501234567",
                               .business_name = "Cohen Homes",
                               .greeting = {},
                               .hears = true,
                               .understands = understands,
                               .can_transfer = true});
}
Dialogue hebrew() {
    return Dialogue(script(), {.language = Language::hebrew,
                               .number = "+972501234567",
                               .business_name = {},
                               .greeting = {},
                               .hears = false,
                               .understands = false,
                               .can_transfer = false});
}

std::string joined(const DialogueReply& reply) {
    std::string all;
    for (const auto& sentence : reply.say) {
        all += (all.empty() ? "" : " ") + sentence;
    }
    return all;
}
bool says(const DialogueReply& reply, std::string_view part) {
    return joined(reply).find(part) != std::string::npos;
}
DialogueReply keys(Dialogue& dialogue, std::string_view pressed) {
    DialogueReply reply;
    for (const char key : pressed) {
        reply = dialogue.on_key(key);
    }
    return reply;
}

std::string fault_of(std::string_view json) {
    const auto result = parse_dialogue(json);
    return result ? "" : result.error().detail;
}
std::string changed(const std::function<void(nlohmann::json&)>& change) {
    auto json = nlohmann::json::parse(embedded_dialogue());
    change(json);
    return json.dump();
}

}  // namespace

TEST_CASE("dialogue: a whole Hebrew call by keys ends with a confirmed lead") {
    Dialogue d = hebrew();
    const auto opening = d.open();
    CHECK(opening.say.size() == 3);  // Greeting, that keys are to be used, the question; nobody to transfer to.
    CHECK(says(keys(d, "1"), "אֵיזֶה נֶכֶס"));
    CHECK(says(keys(d, "1"), "בְּאֵיזוֹ עִיר"));
    CHECK(says(keys(d, "3"), "כַּמָּה חֲדָרִים"));
    CHECK(keys(d, "4*").say.empty());
    CHECK(says(keys(d, "#"), "בְּאַלְפֵי שְׁקָלִים"));
    CHECK(says(keys(d, "2300#"), "050-123-4567"));
    const auto summary = keys(d, "1");
    CHECK(says(summary, "4 וָחֵצִי"));
    CHECK(says(summary, "2,300,000 שְׁקָלִים"));
    CHECK(says(summary, "חֵיפָה"));
    const auto end = keys(d, "1");
    CHECK(end.save);
    CHECK(end.then == Then::hang_up);
    CHECK(d.slots() == LeadSlots{{"intent", "buy"},
                                 {"property_type", "apartment"},
                                 {"area", "Haifa"},
                                 {"rooms", "4.5"},
                                 {"budget", "2300000"},
                                 {"phone", "+972501234567"}});
}

TEST_CASE("dialogue: a whole English call by voice ends with a confirmed lead") {
    Dialogue d = english(true);
    CHECK(says(d.open(), "of Cohen Homes"));
    CHECK(says(d.on_text("I would like to rent please"), "renting, noted."));
    CHECK(says(d.on_text("an apartment"), "In which city?"));
    CHECK(says(d.on_text("in Tel Aviv"), "How many rooms?"));
    CHECK(says(d.on_text("three and a half"), "3 and a half, noted."));
    CHECK(says(d.on_text("up to six thousand five hundred"), "6,500 shekels, noted."));
    CHECK(says(d.on_text("no"), "key in a telephone number"));
    CHECK(says(d.on_text("oh five two, one two three, four five six seven"), "What is your name"));
    CHECK(says(d.on_text("Dana Levi"), "your name: Dana Levi."));
    const auto end = d.on_text("yes that is right");
    CHECK(end.save);
    CHECK(end.then == Then::hang_up);
    CHECK(d.slots().at("phone") == "+972521234567");
    CHECK(d.slots().at("budget") == "6500");
    CHECK(d.slots().at("rooms") == "3.5");
}

TEST_CASE("dialogue: nothing is saved without a confirmation") {
    Dialogue d = english();
    (void)d.open();
    CHECK(says(d.on_text("buy"), "flat"));
    const auto end = d.on_text("goodbye");
    CHECK_FALSE(end.save);
    CHECK(end.then == Then::hang_up);
}

TEST_CASE("dialogue: a wrong answer is corrected, and what hung on it is asked anew") {
    Dialogue d = hebrew();
    (void)keys(d, "1134#2300#1");
    CHECK(says(keys(d, "2"), "מָה לְתַקֵּן"));
    CHECK(says(keys(d, "1"), "לִקְנִיָּה"));
    CHECK(says(keys(d, "2"), "הַתַּקְצִיב לְחוֹדֶשׁ"));
    CHECK_FALSE(d.slots().contains("budget"));
    CHECK(says(keys(d, "6500#"), "6,500"));
    CHECK(keys(d, "1").save);
    CHECK(d.slots().at("intent") == "rent");
    CHECK(d.slots().at("rooms") == "4");
}

TEST_CASE("dialogue: the phone number is corrected by keying in another") {
    Dialogue d = hebrew();
    (void)keys(d, "1134#2300#1");
    (void)keys(d, "2");
    CHECK(says(keys(d, "6"), "מִסְפַּר טֶלֶפוֹן"));
    CHECK(says(keys(d, "036543210#"), "03-654-3210"));
    CHECK(d.slots().at("phone") == "+97236543210");
}

TEST_CASE("dialogue: zero is a person, except inside a number") {
    Dialogue d = english();
    (void)d.open();
    CHECK(keys(d, "0").then == Then::transfer);
    CHECK(says(d.on_transfer_failed(), "Would you like to buy"));
    (void)keys(d, "113");
    CHECK(keys(d, "0").say.empty());  // A digit of the number of rooms.
    Dialogue alone = hebrew();
    const auto reply = keys(alone, "0");
    CHECK(reply.then == Then::listen);
    CHECK(says(reply, "לִקְנִיָּה"));
}

TEST_CASE("dialogue: star repeats the question, a pause ends a number") {
    Dialogue d = hebrew();
    CHECK(says(keys(d, "*"), "לִקְנִיָּה"));
    (void)keys(d, "113");
    CHECK_FALSE(d.key_pause());
    CHECK(keys(d, "4").say.empty());
    CHECK(d.key_pause() == script().key_pause);
    CHECK(says(d.on_key_pause(), "בְּאַלְפֵי"));
    CHECK(d.slots().at("rooms") == "4");
    CHECK_FALSE(d.key_pause());
}

TEST_CASE("dialogue: numbers at their limits and one past them") {
    for (const auto& one : {std::pair{"100#", true}, {"99#", false}, {"50000", true}, {"50001", false}}) {
        CAPTURE(one.first);
        Dialogue d = hebrew();
        (void)keys(d, "1134#");
        (void)keys(d, one.first);
        CHECK(d.slots().contains("budget") == one.second);
    }
}

TEST_CASE("dialogue: two re-asks, then on; three questions in a row without answer end the call") {
    Dialogue d = english();
    (void)d.open();
    for (int question = 0; question < 2; ++question) {
        CHECK(says(d.on_text(""), "did not get that"));
        CHECK(says(d.on_silence(), "?"));
        const auto skipped = d.on_text("blah");
        CHECK(says(skipped, "go on"));
        CHECK(skipped.then == Then::listen);
    }
    (void)d.on_silence();
    (void)d.on_silence();
    const auto end = d.on_silence();
    CHECK(end.then == Then::hang_up);
    CHECK_FALSE(end.save);
}

TEST_CASE("dialogue: a caller who speaks where nobody can hear is told of the keys") {
    Dialogue d = hebrew();
    (void)d.open();
    CHECK(says(d.on_unheard(), "בְּמַקָּשֵׁי"));
}

TEST_CASE("dialogue: the recogniser is told what answers there are") {
    Dialogue d = english();
    (void)d.open();
    const SttConfig config = d.listening();
    CHECK(config.closed);
    CHECK(config.language == "en");
    CHECK(std::count(config.phrases.begin(), config.phrases.end(), "buy") == 1);
    CHECK(d.hints().hangover_ms == 300);
    CHECK(d.hints().answer_within_ms == 8000);
}

TEST_CASE("dialogue: longer phrases win, and prefixes of Hebrew words are understood") {
    CHECK(match_phrases(heard_words("זה לא נכון"), "כן|נכון") == 1);
    CHECK(match_phrases(heard_words("זה לא נכון"), "לא|לא נכון") == 2);
    CHECK(match_phrases(heard_words("אני גר בחיפה"), "חיפה") == 1);
    CHECK(match_phrases(heard_words("מכחיפה"), "חיפה") == 0);
    CHECK(match_phrases(heard_words("abuy"), "buy") == 0);
}

TEST_CASE("dialogue: a state put aside and restored goes on at the same place") {
    std::mt19937 random(7);
    for (int round = 0; round < 300; ++round) {
        Dialogue d = round % 2 == 0 ? hebrew() : english(true);
        for (int i = static_cast<int>(random() % 20); i > 0; --i) {
            (void)d.on_key("0123456789*#"[random() % 12]);
        }
        Dialogue other = round % 2 == 0 ? hebrew() : english(true);
        other.restore(d.save());
        CHECK(other.save() == d.save());
        for (int i = 0; i < 20; ++i) {
            const char key = "0123456789*#"[random() % 12];
            CHECK(other.on_key(key) == d.on_key(key));
        }
    }
}

TEST_CASE("dialogue: whatever the caller does, something is said or digits wait, and it ends") {
    std::mt19937 random(1);
    const char* texts[] = {"", "buy", "no", "yes", "three", "two million", "asdf", "tel aviv", "flat", "0521234567"};
    for (int round = 0; round < 1000; ++round) {
        Dialogue d = round % 2 == 0 ? hebrew() : english(round % 4 == 1);
        DialogueReply reply = d.open();
        int events = 0;
        for (; events < 2000 && reply.then != Then::hang_up; ++events) {
            switch (random() % 6) {
                case 0:
                    reply = d.on_text(texts[random() % std::size(texts)]);
                    break;
                case 1:
                    reply = d.on_silence();
                    break;
                case 2:
                    reply = d.on_unheard();
                    break;
                default:
                    reply = d.on_key("0123456789*#"[random() % 12]);
            }
            CHECK((!reply.say.empty() || d.key_pause().has_value()));
            for (const auto& sentence : reply.say) {
                CHECK_FALSE(heard_words(sentence).empty());
                CHECK(sentence.find("{{") == std::string::npos);
            }
        }
        CHECK(reply.then == Then::hang_up);
    }
}

TEST_CASE("dialogue: states of another script are taken as far as they fit") {
    Dialogue d = hebrew();
    d.restore(
        nlohmann::json::parse(R"({"slots":{"intent":"buy","x":3},"phase":99,"digits":7,"missed":100,"skipped":5})"));
    CHECK(d.slots() == LeadSlots{{"intent", "buy"}});
    d.restore(nlohmann::json::parse("[1]"));
    CHECK_FALSE(d.again().say.empty());
}

TEST_CASE("dialogue script: faults name their place and what is valid") {
    CHECK(fault_of("") == "the dialogue is not a JSON object");
    CHECK(fault_of("{") == "the dialogue is not a JSON object");
    CHECK(fault_of(std::string(dialogue_bytes_max + 1, ' ')).find("larger than 262144 bytes") != std::string::npos);
    CHECK(fault_of(changed([](auto& j) { j["version"] = 2; })) == "version: 1");
    CHECK(fault_of(changed([](auto& j) { j["stpes"] = 1; })) == "dialogue.stpes: is not known here");
    CHECK(fault_of(changed([](auto& j) { j["texts"].erase("close"); })) == "texts.close: is missing");
    CHECK(fault_of(changed([](auto& j) { j["texts"]["reask"].erase("en"); })) == "texts.reask.en: is missing");
    CHECK(fault_of(changed([](auto& j) { j["steps"][0]["options"][1]["key"] = "0"; })) ==
          "steps[0].options[1].key: one of 1-9");
    CHECK(fault_of(changed([](auto& j) { j["steps"][0]["options"][1]["key"] = "1"; })) ==
          "steps[0].options[1].key: is there twice");
    CHECK(fault_of(changed([](auto& j) { j["steps"][1]["when"]["in"] = {"steal"}; })) ==
          "steps[1].when.in: steal is no value of intent");
    CHECK(fault_of(changed([](auto& j) { j["steps"][1]["when"]["slot"] = "budget"; })) ==
          "steps[1].when.slot: is not asked before this step");
    CHECK(fault_of(changed([](auto& j) { j["steps"][3]["max"] = 0; })) == "steps[3].max: greater than min");
    CHECK(fault_of(changed([](auto& j) { j["steps"][3]["kind"] = "guess"; })) ==
          "steps[3].kind: choice, number, phone, text or confirm");
    CHECK(fault_of(changed([](auto& j) { j["steps"].erase(j["steps"].size() - 1); })).starts_with("steps: end with"));
    CHECK(fault_of(changed([](auto& j) { j["limits"]["reasks"] = 6; })) == "limits.reasks: a number from 0.0 to 5.0");
    CHECK(fault_of(changed([](auto&) {})).empty());
}

TEST_CASE("phone numbers: one stored form, one spoken form") {
    CHECK(normalise_phone("050-123 4567") == "+972501234567");
    CHECK(normalise_phone("+972501234567") == "+972501234567");
    CHECK(normalise_phone("972501234567") == "+972501234567");
    CHECK(normalise_phone("03-654-3210") == "+97236543210");
    CHECK(normalise_phone("+1 (212) 555-0100") == "+12125550100");
    CHECK(normalise_phone("00442071234567") == "+442071234567");
    CHECK(normalise_phone("12345").empty());
    CHECK(normalise_phone("anonymous").empty());
    CHECK(normalise_phone("+1234567890123456").empty());
    CHECK(spoken_phone("+972501234567") == "050-123-4567");
    CHECK(spoken_phone("+97236543210") == "03-654-3210");
    CHECK(spoken_phone("+12125550100") == "+12125550100");
}

TEST_CASE("dialogue: what is known is taken over with the first answer, and read back") {
    Dialogue d = english(true);
    d.know({{"intent", "buy"},
            {"property_type", "a flat"},  // As a model writes.
            {"area", "haifa"},
            {"rooms", "3.5"},
            {"budget", "2 million"},
            {"name", "Dana"}});
    CHECK(says(d.open(), "Press 1 to buy"));
    const auto reply = d.on_text("buy");
    CHECK(says(reply, "buying, noted. I already have some of your details. Shall we call you back"));
    const auto summary = d.on_text("yes");
    for (const char* part : {"a flat", "Haifa", "3 and a half", "2,000,000", "Dana"}) {
        CHECK_MESSAGE(says(summary, part), part);
    }
    CHECK(d.on_text("yes").save);
    CHECK(d.slots() == LeadSlots{{"intent", "buy"},
                                 {"property_type", "apartment"},
                                 {"area", "Haifa"},
                                 {"rooms", "3.5"},
                                 {"budget", "2000000"},
                                 {"phone", "+972501234567"},
                                 {"name", "Dana"}});
}

TEST_CASE("dialogue: of another wish only the name is taken over") {
    Dialogue d = english(true);
    d.know(
        {{"intent", "buy"}, {"property_type", "apartment"}, {"area", "Haifa"}, {"budget", "2000000"}, {"name", "D"}});
    (void)d.open();
    const auto reply = d.on_text("rent");
    CHECK(says(reply, "renting, noted. Is it a flat"));
    CHECK(d.slots() == LeadSlots{{"intent", "rent"}, {"name", "D"}});
}

TEST_CASE("dialogue: what is known and does not fit the question is asked") {
    Dialogue d = english(true);
    d.know({{"intent", "buy"}, {"property_type", "castle"}, {"area", "Haifa"}, {"budget", "12"}, {"name", "😀"}});
    (void)d.open();
    CHECK(says(d.on_text("buy"), "Is it a flat"));
    CHECK(d.slots() == LeadSlots{{"intent", "buy"}, {"area", "Haifa"}});
    Dialogue keys_only = hebrew();  // A name that could not be corrected here is left to the lead.
    keys_only.know({{"name", "דנה"}});
    (void)keys_only.open();
    (void)keys(keys_only, "1");
    CHECK(keys_only.slots() == LeadSlots{{"intent", "buy"}});
}

TEST_CASE("dialogue: what the caller corrects or leaves out is not brought back by what is known") {
    const LeadSlots known{{"intent", "buy"}, {"property_type", "apartment"}, {"area", "Haifa"}, {"rooms", "3"}};
    Dialogue d = english();
    d.know(known);
    (void)d.open();
    (void)keys(d, "1");      // Buying; the budget is asked.
    (void)keys(d, "2000#");  // The number, then the summary.
    (void)keys(d, "12");
    CHECK(says(keys(d, "3"), "In which city?"));  // Correct the city.
    d.know(known);                                // Told again after a take-over.
    CHECK(says(keys(d, "1"), "Tel Aviv"));
    CHECK(d.slots().at("area") == "Tel Aviv");
}

TEST_CASE("dialogue: a script without that text says nothing of it") {
    const auto parsed = parse_dialogue(changed([](nlohmann::json& json) { json["texts"].erase("known"); }));
    REQUIRE(parsed.has_value());
    Dialogue d(*parsed,
               {.language = Language::english, .number = {}, .business_name = {}, .greeting = {}, .hears = true});
    d.know({{"intent", "buy"}, {"property_type", "apartment"}});
    (void)d.open();
    CHECK(d.on_text("buy").say.size() == 2);
}
