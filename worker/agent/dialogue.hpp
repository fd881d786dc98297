#pragma once
// The receptionist without a language model: walks a DialogueScript with one caller, by keys and, where something was
// recognised, by words. Takes a lead; does not converse. Pure.
//
//   open -> question -> answer taken -> next question ... -> read back -> 1: save, goodbye   2: which one? -> question
//                    -> not understood: again, at most `reasks` times, then on without it
//   Keys: 0 a person (where no number is being keyed in), * again, # ends a number. A number also ends by a pause.
//
// Nothing is stored without the caller's confirmation. The slots are those that a language model fills, so either can
// go on where the other stopped.
//
// What is known of the caller from before (know) is not asked anew but read back with the rest. His wish is always
// asked: with the first answer what is known is taken over, without what hangs on a wish that he has no more.
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "worker/agent/agent_message.hpp"
#include "worker/agent/dialogue_script.hpp"
#include "worker/agent/provider.hpp"

namespace agentlocator {

using LeadSlots = std::map<std::string, std::string, std::less<>>;

struct DialogueCaller {
    Language language = Language::hebrew;
    std::string number;         // Caller ID; empty: withheld.
    std::string business_name;  // May be empty.
    std::string greeting;       // Takes the script's place unless empty.
    bool hears = false;         // Some recogniser can tell the phrases of a question apart.
    bool understands = false;   // A recogniser for free speech is there.
    bool can_transfer = false;
};

struct DialogueReply {
    enum class Then : std::uint8_t { listen, transfer, hang_up };
    std::vector<std::string> say;  // Empty: nothing to say (a digit of a number).
    Then then = Then::listen;
    bool save = false;  // The caller confirmed the slots.

    friend bool operator==(const DialogueReply&, const DialogueReply&) = default;
};

class Dialogue {
public:
    Dialogue(const DialogueScript& script, DialogueCaller caller) : script_(&script), caller_(std::move(caller)) {}

    [[nodiscard]] DialogueReply open();   // Greeting and first question.
    [[nodiscard]] DialogueReply again();  // The question in hand: after a take-over, or when a model failed.
    [[nodiscard]] DialogueReply on_key(char key);
    [[nodiscard]] DialogueReply on_text(std::string_view text);  // Empty: nothing was recognised.
    [[nodiscard]] DialogueReply on_silence();
    [[nodiscard]] DialogueReply on_unheard();  // The caller spoke and nobody here can recognise it.
    [[nodiscard]] DialogueReply on_key_pause();
    // The person could not be reached.
    [[nodiscard]] DialogueReply on_transfer_failed();

    // Digits wait for more: on_key_pause() is due so long after the last key.
    [[nodiscard]] std::optional<Duration> key_pause() const;
    [[nodiscard]] SttConfig listening() const;
    [[nodiscard]] ListenHints hints() const;
    [[nodiscard]] const LeadSlots& slots() const { return slots_; }
    void set_slots(LeadSlots slots) { slots_ = std::move(slots); }
    // At any time; counts from the next answer on. Not part of save(): told again after a take-over, it adds nothing.
    void know(LeadSlots known) { known_ = std::move(known); }

    [[nodiscard]] nlohmann::json save() const;
    void restore(const nlohmann::json& state);  // What does not fit is ignored: the script may have changed.

private:
    enum class Phase : std::uint8_t { question, phone_entry, correction, done };

    [[nodiscard]] const DialogueStep* step() const;
    [[nodiscard]] bool applies(const DialogueStep& step) const;
    [[nodiscard]] std::vector<const DialogueStep*> filled() const;
    [[nodiscard]] std::string say_value(const DialogueStep& step) const;
    [[nodiscard]] std::string question() const;
    [[nodiscard]] const std::string& text(std::string_view name) const { return script_->text(name, caller_.language); }
    [[nodiscard]] bool offers_phone() const;
    [[nodiscard]] bool takes_digits() const;

    [[nodiscard]] DialogueReply ask(std::string first = {});
    [[nodiscard]] DialogueReply missed(std::string_view why);
    [[nodiscard]] DialogueReply take(const DialogueStep& step, std::string value, bool spoken);
    bool recall();
    [[nodiscard]] DialogueReply take_digits();
    [[nodiscard]] DialogueReply take_number(double value, bool spoken);
    [[nodiscard]] DialogueReply confirm(bool right);
    [[nodiscard]] DialogueReply to_person();
    [[nodiscard]] static DialogueReply over();
    [[nodiscard]] DialogueReply finish(std::string_view text_name, bool save);
    [[nodiscard]] DialogueReply on_choice_key(char key);

    const DialogueScript* script_;
    DialogueCaller caller_;
    LeadSlots slots_;
    LeadSlots known_;
    std::set<std::string, std::less<>> skipped_;  // Slots that were given up.
    Phase phase_ = Phase::question;
    std::string digits_;
    std::uint32_t missed_ = 0;
    std::uint32_t skips_in_row_ = 0;
};

// The longest of these phrases that the words contain, as whole words; a Hebrew prefix letter may stand before it.
// Returns its length in words, 0 for none.
[[nodiscard]] std::size_t match_phrases(const std::vector<std::string>& words, const std::vector<std::string>& phrases);
// The same with "a|b|c".
[[nodiscard]] std::size_t match_phrases(const std::vector<std::string>& words, std::string_view phrases);

// "+972501234567" -> "050-123-4567"; other numbers in groups. For the voice.
[[nodiscard]] std::string spoken_phone(std::string_view number);
// One form for one caller: Israeli local forms become +972; +CC is kept. Empty: no telephone number.
[[nodiscard]] std::string normalise_phone(std::string_view number);

}  // namespace agentlocator
