#include "worker/agent/agent_texts.hpp"

#include <array>
#include <ctime>

namespace agentlocator {
namespace {

constexpr std::array<std::array<std::string_view, 2>, 12> texts = {{
    {"שָׁלוֹם, כָּאן לֵאָה{{of_business}}. בַּמֶּה אֶפְשָׁר לַעֲזוֹר?", "Hello, this is Leah{{of_business}}. How can I help?"},
    {"סְלִיחָה, לֹא שָׁמַעְתִּי טוֹב. אֶפְשָׁר לוֹמַר שׁוּב?", "Sorry, I did not hear that well. Could you say it again?"},
    {"סְלִיחָה, יֵשׁ תַּקָּלָה קְטַנָּה. אֶפְשָׁר לוֹמַר שׁוּב?", "Sorry, there is a small problem. Could you say that again?"},
    {"יֵשׁ אֶצְלִי תַּקָּלָה, אָז אֶקַּח אֶת הַפְּרָטִים וְנַחֲזוֹר אֲלֵיכֶם.",
     "I have a problem here, so let me take your details and we will call you back."},
    {"אַתֶּם עוֹד אִיתִּי?", "Are you still there?"},
    {"לֹא שׁוֹמַעַת אֶתְכֶם. אֶפְשָׁר לוֹמַר מַשֶּׁהוּ?", "I cannot hear you. Could you say something?"},
    {"לֹא שָׁמַעְתִּי תְּשׁוּבָה. אֶפְשָׁר לְהִתְקַשֵּׁר שׁוּב. לְהִתְרָאוֹת.", "I heard no answer. Please call again any time. Goodbye."},
    {"הַזְּמַן שֶׁלָּנוּ נִגְמַר. תּוֹדָה שֶׁהִתְקַשַּׁרְתֶּם. לְהִתְרָאוֹת.", "Our time is up. Thank you for calling. Goodbye."},
    {"תּוֹדָה שֶׁהִתְקַשַּׁרְתֶּם. לְהִתְרָאוֹת.", "Thank you for calling. Goodbye."},
    {"רֶגַע, אֲנִי בּוֹדֶקֶת.", "One moment, I am checking."},
    {"רַק רֶגַע, אֲנִי מַעֲבִירָה אֶתְכֶם.", "One moment, I am putting you through."},
    {"אֵין כָּרֶגַע נָצִיג פָּנוּי. אֲנִי כָּאן בִּשְׁבִילְכֶם.", "Nobody is free right now. I am here for you."},
}};

constexpr std::string_view prompt_he =
    "את לאה, נציגה טלפונית של משרד תיווך{{of_business}}. את מדברת בטלפון: עברית בלבד, משפט או שניים קצרים, עד עשרים "
    "מילים, ולכל היותר שאלה אחת בסוף. בלי רשימות, בלי סימני עיצוב ובלי אימוג'י. אל תמציאי נכסים, מחירים או זמינות. "
    "אספי בשיחה טבעית: קנייה, שכירות או מכירה, אזור, סוג נכס, חדרים, תקציב, לוח זמנים, שם וטלפון לחזרה. כשיש מספיק "
    "פרטים שמרי אותם ב-save_lead, והציעי פגישה. אם לא ברור, בקשי לחזור. כשהמתקשר נפרד, היפרדי בקצרה וקראי ל-hang_up.";
constexpr std::string_view prompt_en =
    "You are Leah, who answers the telephone of an estate agency{{of_business}}. You speak on the phone: English only, "
    "one "
    "or two short sentences, at most twenty words, and at most one question at the end. No lists, no markup, no emoji. "
    "Never invent properties, prices or availability. Find out in a natural conversation: buying, renting or selling, "
    "area, kind of property, rooms, budget, timing, name and a number to call back. When you know enough, store it "
    "with "
    "save_lead and offer a meeting. If something is unclear, ask again. When the caller says goodbye, say a short "
    "goodbye "
    "and call hang_up.";

}  // namespace

std::string_view agent_text(AgentText text, Language language) {
    return texts[static_cast<std::size_t>(text)][language == Language::hebrew ? 0 : 1];
}

namespace {

std::string of_business(const AgentSettings& settings, Language language) {
    if (settings.business_name.empty()) {
        return {};
    }
    return (language == Language::hebrew ? " של " : " of ") + settings.business_name;
}

}  // namespace

std::string greeting_text(const AgentSettings& settings, Language language) {
    const std::string& own = language == Language::hebrew ? settings.greeting_he : settings.greeting_en;
    if (own == "none") {
        return {};
    }
    return fill_text(own.empty() ? agent_text(AgentText::greeting, language) : std::string_view(own),
                     {{"business_name", settings.business_name}, {"of_business", of_business(settings, language)}});
}

std::string thinking_text(const AgentSettings& settings, Language language) {
    const std::string& own = language == Language::hebrew ? settings.thinking_he : settings.thinking_en;
    return own.empty() ? std::string(agent_text(AgentText::thinking, language)) : own;
}

std::string system_prompt(const Persona& persona, AgentHost& host, Language language, std::string_view caller,
                          std::int64_t unix_ms, bool can_transfer) {
    std::string prompt = fill_text(
        !persona.prompt.empty()        ? std::string_view(persona.prompt)
        : language == Language::hebrew ? prompt_he
                                       : prompt_en,
        {{"business_name", persona.settings.business_name}, {"of_business", of_business(persona.settings, language)}});
    const auto local = static_cast<std::time_t>(unix_ms / 1000 + host.utc_offset_minutes(unix_ms) * 60);
    std::tm broken{};
    char text[64];
    if (::gmtime_r(&local, &broken) != nullptr && std::strftime(text, sizeof text, "%A %Y-%m-%d %H:%M", &broken) > 0) {
        prompt += std::string("\nNow: ") + text + ".";
    }
    prompt +=
        caller.empty() ? "\nThe caller's number is withheld." : "\nThe caller's number: " + std::string(caller) + ".";
    if (!can_transfer) {
        prompt += "\nNobody can take the call over now.";
    }
    return prompt;
}

std::vector<std::string> fixed_sentences(const AgentServices& services, Language language) {
    std::vector<std::string> out;
    if (std::string greeting = greeting_text(services.settings, language); !greeting.empty()) {
        out.push_back(std::move(greeting));
    }
    for (std::size_t i = 1; i < texts.size(); ++i) {
        out.emplace_back(agent_text(static_cast<AgentText>(i), language));
    }
    for (const auto& [name, text] : services.dialogue.texts) {
        if (text.in(language).find("{{") == std::string::npos && !name.ends_with("_words")) {
            out.push_back(text.in(language));
        }
    }
    for (const DialogueStep& step : services.dialogue.steps) {
        if (step.prompt.in(language).find("{{") == std::string::npos) {
            out.push_back(step.prompt.in(language));
        }
    }
    return out;
}

}  // namespace agentlocator
