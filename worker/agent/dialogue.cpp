#include "worker/agent/dialogue.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "worker/agent/spoken_number.hpp"
#include "worker/agent/spoken_text.hpp"

namespace agentlocator {
namespace {

using Kind = DialogueStep::Kind;

constexpr std::uint32_t skips_max = 3;            // Nobody is there, or nothing gets through.
constexpr std::size_t free_text_bytes_max = 120;  // A name.
constexpr std::size_t phone_digits_max = 15;      // ITU-T E.164.

bool same_word(std::string_view heard, std::string_view wanted, bool may_have_prefix) {
    if (heard == wanted) {
        return true;
    }
    if (!may_have_prefix || wanted.size() < 4 || heard.size() <= wanted.size() || !heard.ends_with(wanted)) {
        return false;
    }
    const std::string_view prefix = heard.substr(0, heard.size() - wanted.size());
    for (const std::string_view letter : {"ב", "ל", "ה", "ו", "מ", "ש", "כ"}) {
        if (prefix == letter) {
            return true;
        }
    }
    return false;
}

std::string number_text(double value) {
    const auto whole = static_cast<std::int64_t>(std::floor(value));
    return std::abs(value - static_cast<double>(whole) - 0.5) < 0.01 ? std::to_string(whole) + ".5"
                                                                     : std::to_string(std::llround(value));
}

std::vector<std::string> split_phrases(std::string_view phrases) {
    std::vector<std::string> out;
    for (const std::string_view part : split(phrases, '|')) {
        out.emplace_back(part);
    }
    return out;
}

// A value from elsewhere (a model wrote it, a profile) as this step would store it; nothing: it must be asked.
std::optional<std::string> fitting(const DialogueStep& step, const std::string& value) {
    switch (step.kind) {
        case Kind::choice: {
            const auto words = heard_words(value);
            for (const DialogueOption& option : step.options) {
                if (option.value == value || match_phrases(words, option.words_he) > 0 ||
                    match_phrases(words, option.words_en) > 0) {
                    return option.value;
                }
            }
            return std::nullopt;
        }
        case Kind::number: {
            const auto number = parse_spoken_number(value);
            return number && *number >= step.min && *number <= step.max ? std::optional(number_text(*number))
                                                                        : std::nullopt;
        }
        case Kind::text: {
            std::string_view rest = value;
            while (!rest.empty()) {
                if (is_letter(take_code_point(rest))) {  // A profile's name may be a picture.
                    return std::string(cut_utf8(trim(value), free_text_bytes_max));
                }
            }
            return std::nullopt;
        }
        case Kind::phone:  // Offered by itself.
        case Kind::confirm:
            return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace

std::size_t match_phrases(const std::vector<std::string>& words, const std::vector<std::string>& phrases) {
    std::size_t best = 0;
    for (const std::string& phrase : phrases) {
        const auto wanted = heard_words(phrase);
        if (wanted.empty() || wanted.size() <= best || wanted.size() > words.size()) {
            continue;
        }
        for (std::size_t at = 0; at + wanted.size() <= words.size(); ++at) {
            bool all = true;
            for (std::size_t i = 0; all && i < wanted.size(); ++i) {
                all = same_word(words[at + i], wanted[i], i == 0);
            }
            if (all) {
                best = wanted.size();
                break;
            }
        }
    }
    return best;
}

std::size_t match_phrases(const std::vector<std::string>& words, std::string_view phrases) {
    return match_phrases(words, split_phrases(phrases));
}

bool Dialogue::applies(const DialogueStep& step) const {
    if (step.kind == Kind::text && !caller_.understands) {
        return false;
    }
    if (step.when_slot.empty()) {
        return true;
    }
    const auto slot = slots_.find(step.when_slot);
    return slot != slots_.end() &&
           std::find(step.when_in.begin(), step.when_in.end(), slot->second) != step.when_in.end();
}

// The first question without an answer. The script ends with a confirmation, so there is one until the end.
const DialogueStep* Dialogue::step() const {
    for (const DialogueStep& step : script_->steps) {
        if (applies(step) &&
            (step.kind == Kind::confirm || (!slots_.contains(step.slot) && !skipped_.contains(step.slot)))) {
            return &step;
        }
    }
    return &script_->steps.back();
}

std::vector<const DialogueStep*> Dialogue::filled() const {
    std::vector<const DialogueStep*> steps;
    for (const DialogueStep& step : script_->steps) {
        if (step.kind != Kind::confirm && applies(step) && slots_.contains(step.slot)) {
            steps.push_back(&step);
        }
    }
    return steps;
}

std::string Dialogue::say_value(const DialogueStep& step) const {
    const std::string& value = slots_.find(step.slot)->second;
    switch (step.kind) {
        case Kind::choice:
            for (const DialogueOption& option : step.options) {
                if (option.value == value) {
                    return option.say.in(caller_.language);
                }
            }
            return value;
        case Kind::number: {
            std::string digits = value;
            if (const auto number = parse_spoken_number(value); number && !value.ends_with(".5")) {
                digits = with_thousands_commas(std::llround(*number));
            } else if (value.ends_with(".5")) {
                digits = fill_text(text("half"), {{"value", value.substr(0, value.size() - 2)}});
            }
            return fill_text(step.say_as.in(caller_.language), {{"value", digits}});
        }
        case Kind::phone:
            return spoken_phone(value);
        case Kind::text:
        case Kind::confirm:
            return value;
    }
    return value;
}

bool Dialogue::offers_phone() const {
    return phase_ == Phase::question && !normalise_phone(caller_.number).empty();
}

bool Dialogue::takes_digits() const {
    const Kind kind = step()->kind;
    return phase_ != Phase::correction && (kind == Kind::number || (kind == Kind::phone && !offers_phone()));
}

std::string Dialogue::question() const {
    if (phase_ == Phase::correction) {
        std::string list;
        int key = 0;
        for (const DialogueStep* step : filled()) {
            list += (list.empty() ? "" : " ") +
                    fill_text(text("correct_item"),
                              {{"label", step->label.in(caller_.language)}, {"key", std::to_string(++key)}});
            if (key == 9) {
                break;
            }
        }
        return fill_text(text("correct"), {{"list", list}});
    }
    const DialogueStep& now = *step();
    if (now.kind == Kind::phone && offers_phone()) {
        return fill_text(now.offer.in(caller_.language), {{"phone", spoken_phone(normalise_phone(caller_.number))}});
    }
    if (now.kind == Kind::confirm) {
        std::string summary;
        for (const DialogueStep* step : filled()) {
            summary += (summary.empty() ? "" : " ") +
                       fill_text(text("summary_item"),
                                 {{"label", step->label.in(caller_.language)}, {"value", say_value(*step)}});
        }
        return fill_text(now.prompt.in(caller_.language), {{"summary", summary}});
    }
    return now.prompt.in(caller_.language);
}

DialogueReply Dialogue::ask(std::string first) {
    DialogueReply reply;
    if (!first.empty()) {
        reply.say.push_back(std::move(first));
    }
    reply.say.push_back(question());
    return reply;
}

DialogueReply Dialogue::open() {
    const std::string of =
        caller_.business_name.empty() ? "" : fill_text(text("of_business"), {{"business_name", caller_.business_name}});
    DialogueReply reply;
    reply.say.push_back(fill_text(caller_.greeting.empty() ? text("greeting") : caller_.greeting,
                                  {{"of_business", of}, {"business_name", caller_.business_name}}));
    if (!caller_.hears) {
        reply.say.push_back(text("keys_only"));
    }
    if (caller_.can_transfer) {
        reply.say.push_back(text("person_hint"));
    }
    reply.say.push_back(question());
    return reply;
}

DialogueReply Dialogue::again() {
    digits_.clear();
    return ask();
}

DialogueReply Dialogue::on_unheard() {
    if (phase_ == Phase::done) {
        return over();
    }
    return missed("keys_only");
}

DialogueReply Dialogue::on_silence() {
    if (phase_ == Phase::done) {
        return over();
    }
    return digits_.empty() ? missed({}) : take_digits();
}

DialogueReply Dialogue::on_key_pause() {
    return digits_.empty() ? DialogueReply{} : take_digits();
}

DialogueReply Dialogue::on_transfer_failed() {
    return ask(text("no_transfer"));
}

std::optional<Duration> Dialogue::key_pause() const {
    return digits_.empty() ? std::nullopt : std::optional<Duration>(script_->key_pause);
}

DialogueReply Dialogue::missed(std::string_view why) {
    digits_.clear();
    if (++missed_ <= script_->reasks) {
        return ask(why.empty() ? std::string() : text(why));
    }
    missed_ = 0;
    const DialogueStep& now = *step();
    if (++skips_in_row_ >= skips_max || now.kind == Kind::confirm) {
        return finish("close_without_lead", false);
    }
    if (phase_ == Phase::correction) {
        phase_ = Phase::question;
        return ask();
    }
    phase_ = Phase::question;
    skipped_.insert(now.slot);
    return ask(text("skipped"));
}

DialogueReply Dialogue::finish(std::string_view text_name, bool save) {
    phase_ = Phase::done;
    return {.say = {text(text_name)}, .then = DialogueReply::Then::hang_up, .save = save};
}

// The goodbye was said; nothing that comes now changes it.
DialogueReply Dialogue::over() {
    return {.say = {}, .then = DialogueReply::Then::hang_up, .save = false};
}

DialogueReply Dialogue::to_person() {
    if (!caller_.can_transfer) {
        return ask(text("no_transfer"));
    }
    return {.say = {text("transfer")}, .then = DialogueReply::Then::transfer, .save = false};
}

DialogueReply Dialogue::on_key(char key) {
    if (phase_ == Phase::done) {
        return over();
    }
    missed_ = key == '#' || key == '*' ? missed_ : 0;
    if (takes_digits()) {
        const DialogueStep& now = *step();
        const bool phone = now.kind == Kind::phone;
        if (key == '#') {
            return digits_.empty() ? missed("reask") : take_digits();
        }
        if (key == '*' && (digits_.empty() || phone || !now.half)) {
            return again();
        }
        digits_.push_back(key);
        const std::size_t longest = phone ? phone_digits_max : now.digits_max + (now.half ? 1U : 0U);
        return digits_.size() >= longest ? take_digits() : DialogueReply{};
    }
    if (key == '0') {
        return to_person();
    }
    return key == '*' ? again() : on_choice_key(key);
}

DialogueReply Dialogue::on_choice_key(char key) {
    if (phase_ == Phase::correction) {
        const auto steps = filled();
        const auto index = static_cast<std::size_t>(key - '1');
        if (key < '1' || index >= steps.size()) {
            return missed("reask");
        }
        phase_ = steps[index]->kind == Kind::phone ? Phase::phone_entry : Phase::question;
        slots_.erase(steps[index]->slot);
        return ask();
    }
    const DialogueStep& now = *step();
    switch (now.kind) {
        case Kind::choice:
            for (const DialogueOption& option : now.options) {
                if (option.key == key) {
                    return take(now, option.value, false);
                }
            }
            return missed("reask");
        case Kind::phone:  // Offered.
        case Kind::confirm:
            return key == '1' || key == '2' ? confirm(key == '1') : missed("reask");
        case Kind::number:
        case Kind::text:
            return missed("reask");
    }
    return missed("reask");
}

DialogueReply Dialogue::confirm(bool right) {
    missed_ = 0;
    const DialogueStep& now = *step();
    if (now.kind == Kind::phone) {
        if (right) {
            return take(now, normalise_phone(caller_.number), false);
        }
        phase_ = Phase::phone_entry;
        return ask();
    }
    if (right) {
        return finish("close", true);
    }
    if (filled().empty()) {
        skipped_.clear();
        return ask();
    }
    phase_ = Phase::correction;
    return ask();
}

DialogueReply Dialogue::take(const DialogueStep& now, std::string value, bool spoken) {
    // Another wish makes the answers that hung on the old one void.
    for (const DialogueStep& other : script_->steps) {
        if (other.when_slot == now.slot &&
            std::find(other.when_in.begin(), other.when_in.end(), value) == other.when_in.end()) {
            slots_.erase(other.slot);
        }
    }
    slots_.insert_or_assign(now.slot, std::move(value));
    phase_ = Phase::question;
    missed_ = 0;
    skips_in_row_ = 0;
    digits_.clear();
    DialogueReply reply;
    if (spoken) {
        reply.say.push_back(fill_text(text("noted"), {{"value", say_value(now)}}));
    }
    if (recall() && !text("known").empty()) {
        reply.say.push_back(text("known"));
    }
    reply.say.push_back(question());
    return reply;
}

// True: something that was told before needs not be asked.
bool Dialogue::recall() {
    const LeadSlots known = std::exchange(known_, {});
    std::set<std::string, std::less<>> same;  // Slots in which the caller says what is known.
    bool any = false;
    for (const DialogueStep& step : script_->steps) {
        const auto value = known.find(step.slot);
        if (step.kind == Kind::confirm || value == known.end() || skipped_.contains(step.slot) || !applies(step) ||
            (!step.when_slot.empty() && !same.contains(step.when_slot))) {
            continue;
        }
        const auto fits = fitting(step, value->second);
        if (!fits) {
            continue;
        }
        const auto [slot, is_new] = slots_.try_emplace(step.slot, *fits);
        any = any || (is_new && step.kind != Kind::text);  // A name is no news to whoever bears it.
        if (slot->second == *fits) {
            same.insert(step.slot);
        }
    }
    return any;
}

DialogueReply Dialogue::take_digits() {
    const DialogueStep& now = *step();
    const std::string digits = std::move(digits_);
    digits_.clear();
    if (now.kind == Kind::phone) {
        std::string number = normalise_phone(digits);
        return number.empty() ? missed("out_of_range") : take(now, std::move(number), false);
    }
    double value = 0;
    for (const char c : digits) {
        value = c == '*' ? value + 0.5 : value * 10 + (c - '0');
    }
    const bool half_in_the_middle = digits.substr(0, digits.size() - 1).find('*') != std::string::npos;
    return half_in_the_middle ? missed("reask") : take_number(value * now.times, false);
}

DialogueReply Dialogue::take_number(double value, bool spoken) {
    const DialogueStep& now = *step();
    // "Two thousand" for a price asked in thousands means two million.
    if (spoken && value < now.min && value * now.times >= now.min && value * now.times <= now.max) {
        value *= now.times;
    }
    if (value < now.min || value > now.max) {
        return missed("out_of_range");
    }
    return take(now, number_text(value), spoken);
}

DialogueReply Dialogue::on_text(std::string_view said) {
    if (phase_ == Phase::done) {
        return over();
    }
    const auto words = heard_words(said);
    if (words.empty()) {
        return missed("reask");
    }
    if (match_phrases(words, text("person_words")) > 0) {
        return to_person();
    }
    if (match_phrases(words, text("goodbye_words")) > 0) {
        return finish("close_without_lead", false);
    }
    const DialogueStep& now = *step();
    const std::size_t yes = match_phrases(words, text("yes_words"));
    const std::size_t no = match_phrases(words, text("no_words"));
    if (phase_ != Phase::correction && (now.kind == Kind::confirm || (now.kind == Kind::phone && offers_phone()))) {
        return yes == no ? missed("reask") : confirm(yes > no);
    }
    const auto number = parse_spoken_number(said);
    if (phase_ == Phase::correction) {
        return number && *number >= 1 && *number <= 9
                   ? on_choice_key(static_cast<char>('0' + static_cast<int>(*number)))
                   : missed("reask");
    }
    switch (now.kind) {
        case Kind::choice: {
            const DialogueOption* best = nullptr;
            std::size_t length = 0;
            for (const DialogueOption& option : now.options) {
                const std::size_t match = match_phrases(words, option.words(caller_.language));
                if (match > length || (match == 0 && length == 0 && best == nullptr && number && words.size() == 1 &&
                                       *number == option.key - '0')) {
                    best = &option;
                    length = match;
                }
            }
            return best == nullptr ? missed("reask") : take(now, best->value, true);
        }
        case Kind::number:
            return number ? take_number(*number, true) : missed("reask");
        case Kind::phone: {
            std::string phone = normalise_phone(parse_spoken_digits(said));
            return phone.empty() ? missed("out_of_range") : take(now, std::move(phone), true);
        }
        case Kind::text:
            return take(now, std::string(cut_utf8(trim(said), free_text_bytes_max)), true);
        case Kind::confirm:
            break;
    }
    return missed("reask");
}

SttConfig Dialogue::listening() const {
    SttConfig config;
    config.language = code_of(caller_.language);
    const auto add = [&](std::string_view phrases) {
        for (auto& phrase : split_phrases(phrases)) {
            config.phrases.push_back(std::move(phrase));
        }
    };
    const DialogueStep& now = *step();
    if (now.kind == Kind::choice && phase_ == Phase::question) {
        for (const DialogueOption& option : now.options) {
            const auto& words = option.words(caller_.language);
            config.phrases.insert(config.phrases.end(), words.begin(), words.end());
        }
    } else if (now.kind == Kind::number) {
        const auto& words = caller_.language == Language::hebrew ? now.phrases_he : now.phrases_en;
        config.phrases.insert(config.phrases.end(), words.begin(), words.end());
    } else if (now.kind == Kind::confirm || now.kind == Kind::phone) {
        add(text("yes_words"));
        add(text("no_words"));
    }
    config.closed = now.kind != Kind::text;
    add(text("person_words"));
    add(text("goodbye_words"));
    return config;
}

ListenHints Dialogue::hints() const {
    ListenHints hints;
    const Kind kind = step()->kind;
    // A choice is over when it was said; a name or a number is thought about aloud.
    hints.hangover_ms = kind == Kind::text ? 800 : kind == Kind::choice || kind == Kind::confirm ? 300 : 500;
    hints.answer_within_ms = static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(script_->answer_within).count());
    hints.streaming = caller_.hears || caller_.understands;
    return hints;
}

nlohmann::json Dialogue::save() const {
    return {{"slots", slots_},   {"skipped", skipped_}, {"phase", static_cast<int>(phase_)},
            {"digits", digits_}, {"missed", missed_},   {"skips", skips_in_row_}};
}

void Dialogue::restore(const nlohmann::json& state) {
    if (!state.is_object()) {
        return;
    }
    const auto text_of = [&](const char* name) {
        const auto found = state.find(name);
        return found != state.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    const auto number_of = [&](const char* name, std::uint32_t most) {
        const auto found = state.find(name);
        return found != state.end() && found->is_number_integer()
                   ? static_cast<std::uint32_t>(std::clamp<std::int64_t>(found->get<std::int64_t>(), 0, most))
                   : 0U;
    };
    if (const auto slots = state.find("slots"); slots != state.end() && slots->is_object()) {
        for (const auto& [name, value] : slots->items()) {
            if (value.is_string()) {
                slots_.insert_or_assign(name, value.get<std::string>());
            }
        }
    }
    if (const auto skipped = state.find("skipped"); skipped != state.end() && skipped->is_array()) {
        for (const auto& value : *skipped) {
            if (value.is_string()) {
                skipped_.insert(value.get<std::string>());
            }
        }
    }
    phase_ = static_cast<Phase>(number_of("phase", static_cast<std::uint32_t>(Phase::done)));
    digits_ = text_of("digits").substr(0, phone_digits_max);
    missed_ = number_of("missed", script_->reasks);
    skips_in_row_ = number_of("skips", skips_max);
}

}  // namespace agentlocator
