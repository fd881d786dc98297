#include "worker/agent/dialogue_script.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "common/text.hpp"

namespace agentlocator {
namespace {

using nlohmann::json;

// Texts that the engine says or matches by itself.
constexpr std::string_view required_texts[] = {
    "greeting",     "of_business", "keys_only", "person_hint",   "reask",        "skipped",           "noted",
    "transfer",     "no_transfer", "close",     "correct",       "correct_item", "summary_item",      "half",
    "out_of_range", "yes_words",   "no_words",  "goodbye_words", "person_words", "close_without_lead"};

// Reads members with their place in mind; the first fault is kept, what follows is harmless.
class Reader {
public:
    std::string fault;

    void fail(const std::string& place, const std::string& what) {
        if (fault.empty()) {
            fault = place + ": " + what;
        }
    }
    const json* member(const json& object, const char* name, const std::string& place, bool required) {
        if (!object.is_object()) {
            fail(place, "not an object");
            return nullptr;
        }
        const auto found = object.find(name);
        if (found == object.end()) {
            if (required) {
                fail(place + "." + name, "is missing");
            }
            return nullptr;
        }
        return &*found;
    }
    std::string text(const json& object, const char* name, const std::string& place, bool required = true) {
        const json* value = member(object, name, place, required);
        if (value == nullptr) {
            return {};
        }
        if (!value->is_string() || value->get_ref<const std::string&>().empty()) {
            fail(place + "." + name, "a text that is not empty");
            return {};
        }
        return value->get<std::string>();
    }
    LocalText local(const json& object, const char* name, const std::string& place, bool required = true) {
        const json* value = member(object, name, place, required);
        if (value == nullptr) {
            return {};
        }
        const std::string inner = place + "." + name;
        return {text(*value, "he", inner), text(*value, "en", inner)};
    }
    double number(const json& object, const char* name, const std::string& place, double fallback, double min,
                  double max) {
        const json* value = member(object, name, place, false);
        if (value == nullptr) {
            return fallback;
        }
        if (!value->is_number() || value->get<double>() < min || value->get<double>() > max) {
            fail(place + "." + name, "a number from " + json(min).dump() + " to " + json(max).dump());
            return fallback;
        }
        return value->get<double>();
    }
    // "a|b|c"
    std::vector<std::string> phrases(const json& object, const char* language, const std::string& place) {
        const std::string all = text(object, language, place, false);
        std::vector<std::string> out;
        for (const std::string_view part : split(all, '|')) {
            if (!trim(part).empty()) {
                out.emplace_back(trim(part));
            }
        }
        return out;
    }
    // A misspelled member would be a rule that is silently not kept.
    void only(const json& object, const std::string& place, std::initializer_list<std::string_view> known) {
        if (!object.is_object()) {
            fail(place, "not an object");
            return;
        }
        for (const auto& [name, value] : object.items()) {
            if (std::find(known.begin(), known.end(), name) == known.end()) {
                fail(place + "." + name, "is not known here");
            }
        }
    }
};

DialogueOption read_option(Reader& reader, const json& object, const std::string& place) {
    reader.only(object, place, {"key", "value", "say", "words"});
    DialogueOption option;
    const std::string key = reader.text(object, "key", place);
    if (key.size() == 1 && key[0] >= '1' && key[0] <= '9') {
        option.key = key[0];
    } else {
        reader.fail(place + ".key", "one of 1-9");
    }
    option.value = reader.text(object, "value", place);
    option.say = reader.local(object, "say", place);
    if (const json* words = reader.member(object, "words", place, false)) {
        option.words_he = reader.phrases(*words, "he", place + ".words");
        option.words_en = reader.phrases(*words, "en", place + ".words");
    }
    return option;
}

void read_options(Reader& reader, const json& object, const std::string& place, DialogueStep& step) {
    const json* options = reader.member(object, "options", place, true);
    if (options == nullptr) {
        return;
    }
    if (!options->is_array() || options->empty() || options->size() > dialogue_options_max) {
        reader.fail(place + ".options", "1 to 9 of them");
        return;
    }
    std::set<char> keys;
    std::set<std::string> values;
    for (std::size_t i = 0; i < options->size(); ++i) {
        const std::string at = place + ".options[" + std::to_string(i) + "]";
        step.options.push_back(read_option(reader, (*options)[i], at));
        if (!keys.insert(step.options.back().key).second) {
            reader.fail(at + ".key", "is there twice");
        }
        if (!values.insert(step.options.back().value).second) {
            reader.fail(at + ".value", "is there twice");
        }
    }
}

DialogueStep::Kind read_kind(Reader& reader, const json& object, const std::string& place) {
    using enum DialogueStep::Kind;
    const std::string kind = reader.text(object, "kind", place);
    for (const auto& [name, value] :
         {std::pair{"choice", choice}, {"number", number}, {"phone", phone}, {"text", text}, {"confirm", confirm}}) {
        if (kind == name) {
            return value;
        }
    }
    reader.fail(place + ".kind", "choice, number, phone, text or confirm");
    return choice;
}

void read_number(Reader& reader, const json& object, const std::string& place, DialogueStep& step) {
    constexpr double largest = 1e9;
    step.min = reader.number(object, "min", place, 0, 0, largest);
    step.max = reader.number(object, "max", place, 0, 0, largest);
    step.times = reader.number(object, "times", place, 1, 1, 1'000'000);
    step.digits_max = static_cast<std::uint32_t>(reader.number(object, "digits_max", place, 9, 1, 9));
    if (step.max <= step.min) {
        reader.fail(place + ".max", "greater than min");
    }
    if (const json* half = reader.member(object, "half", place, false)) {
        step.half = half->is_boolean() && half->get<bool>();
    }
    step.say_as = reader.local(object, "say_as", place);
    if (const json* phrases = reader.member(object, "phrases", place, false)) {
        step.phrases_he = reader.phrases(*phrases, "he", place + ".phrases");
        step.phrases_en = reader.phrases(*phrases, "en", place + ".phrases");
    }
}

DialogueStep read_step(Reader& reader, const json& object, const std::string& place) {
    reader.only(object, place,
                {"name", "slot", "kind", "label", "prompt", "offer", "when", "options", "min", "max", "times", "half",
                 "digits_max", "say_as", "phrases"});
    DialogueStep step;
    step.name = reader.text(object, "name", place);
    step.kind = read_kind(reader, object, place);
    step.prompt = reader.local(object, "prompt", place);
    if (step.kind != DialogueStep::Kind::confirm) {
        step.slot = reader.text(object, "slot", place);
        step.label = reader.local(object, "label", place);
    }
    if (const json* when = reader.member(object, "when", place, false)) {
        step.when_slot = reader.text(*when, "slot", place + ".when");
        const json* in = reader.member(*when, "in", place + ".when", true);
        if (in != nullptr && in->is_array()) {
            for (const json& value : *in) {
                step.when_in.push_back(value.is_string() ? value.get<std::string>() : std::string());
            }
        }
        if (step.when_in.empty()) {
            reader.fail(place + ".when.in", "a list of values");
        }
    }
    if (step.kind == DialogueStep::Kind::choice) {
        read_options(reader, object, place, step);
    } else if (step.kind == DialogueStep::Kind::number) {
        read_number(reader, object, place, step);
    } else if (step.kind == DialogueStep::Kind::phone) {
        step.offer = reader.local(object, "offer", place);
    }
    return step;
}

// A condition must be on a question asked before, or it could never be true.
void check_conditions(Reader& reader, const DialogueScript& script) {
    std::set<std::string> names;
    std::map<std::string, const DialogueStep*> slots;
    for (std::size_t i = 0; i < script.steps.size(); ++i) {
        const DialogueStep& step = script.steps[i];
        const std::string place = "steps[" + std::to_string(i) + "]";
        if (!names.insert(step.name).second) {
            reader.fail(place + ".name", "is there twice");
        }
        if (!step.when_slot.empty()) {
            const auto asked = slots.find(step.when_slot);
            if (asked == slots.end()) {
                reader.fail(place + ".when.slot", "is not asked before this step");
            } else if (asked->second->kind == DialogueStep::Kind::choice) {
                for (const std::string& value : step.when_in) {
                    const auto& options = asked->second->options;
                    if (std::none_of(options.begin(), options.end(),
                                     [&](const DialogueOption& option) { return option.value == value; })) {
                        reader.fail(place + ".when.in", value + " is no value of " + step.when_slot);
                    }
                }
            }
        }
        if (step.kind == DialogueStep::Kind::confirm && i + 1 != script.steps.size()) {
            reader.fail(place + ".kind", "confirm is the last step");
        }
        slots.emplace(step.slot, &step);
    }
    if (script.steps.empty() || script.steps.back().kind != DialogueStep::Kind::confirm) {
        reader.fail("steps", "end with a step of kind confirm: nothing is stored without it");
    }
}

}  // namespace

std::string_view code_of(Language language) {
    return language == Language::hebrew ? "he" : "en";
}

Language language_of(std::string_view setting) {
    return setting.starts_with("en") ? Language::english : Language::hebrew;
}

const std::string& DialogueScript::text(std::string_view wanted, Language language) const {
    static const std::string none;
    const auto found = texts.find(wanted);
    return found == texts.end() ? none : found->second.in(language);
}

Result<DialogueScript> parse_dialogue(std::string_view text) {
    if (text.size() > dialogue_bytes_max) {
        return error(Errc::too_large, "the dialogue is larger than " + std::to_string(dialogue_bytes_max) + " bytes");
    }
    const json root = json::parse(text, nullptr, false);
    if (root.is_discarded() || !root.is_object()) {
        return error(Errc::bad_config, "the dialogue is not a JSON object");
    }
    Reader reader;
    DialogueScript script;
    reader.only(root, "dialogue", {"version", "name", "limits", "texts", "steps"});
    if (const auto version = root.find("version"); version == root.end() || *version != 1) {
        reader.fail("version", "1");
    }
    script.name = reader.text(root, "name", "dialogue");
    const json none = json::object();
    const json* limits = reader.member(root, "limits", "dialogue", false);
    const json& limit = limits != nullptr ? *limits : none;
    script.reasks = static_cast<std::uint32_t>(reader.number(limit, "reasks", "limits", 2, 0, 5));
    const auto milliseconds = [&](const char* name, double fallback) {
        return std::chrono::milliseconds(
            static_cast<std::int64_t>(reader.number(limit, name, "limits", fallback, 500, 60'000)));
    };
    script.answer_within = milliseconds("answer_within_ms", 8000);
    script.key_pause = milliseconds("key_pause_ms", 4000);
    const json* texts = reader.member(root, "texts", "dialogue", true);
    if (texts != nullptr && texts->is_object()) {
        for (const auto& [name, value] : texts->items()) {
            script.texts.emplace(name, reader.local(*texts, name.c_str(), "texts"));
        }
    }
    for (const std::string_view name : required_texts) {
        if (!script.texts.contains(name)) {
            reader.fail("texts." + std::string(name), "is missing");
        }
    }
    const json* steps = reader.member(root, "steps", "dialogue", true);
    if (steps == nullptr || !steps->is_array() || steps->empty() || steps->size() > dialogue_steps_max) {
        reader.fail("steps", "1 to " + std::to_string(dialogue_steps_max) + " of them");
    } else {
        for (std::size_t i = 0; i < steps->size(); ++i) {
            script.steps.push_back(read_step(reader, (*steps)[i], "steps[" + std::to_string(i) + "]"));
        }
        check_conditions(reader, script);
    }
    if (!reader.fault.empty()) {
        return error(Errc::bad_config, reader.fault);
    }
    return script;
}

std::string fill_text(std::string_view text, const std::map<std::string, std::string, std::less<>>& values) {
    std::string out;
    for (;;) {
        const auto open = text.find("{{");
        const auto close = open == std::string_view::npos ? open : text.find("}}", open);
        if (close == std::string_view::npos) {
            return out.append(text);
        }
        out.append(text.substr(0, open));
        if (const auto found = values.find(text.substr(open + 2, close - open - 2)); found != values.end()) {
            out += found->second;
        }
        text.remove_prefix(close + 2);
    }
}

}  // namespace agentlocator
