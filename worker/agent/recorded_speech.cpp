#include "worker/agent/recorded_speech.hpp"

extern "C" const unsigned char agentlocator_greeting_he[];
extern "C" const unsigned char agentlocator_greeting_he_end[];
extern "C" const unsigned char agentlocator_greeting_en[];
extern "C" const unsigned char agentlocator_greeting_en_end[];
extern "C" const unsigned char agentlocator_sorry_he[];
extern "C" const unsigned char agentlocator_sorry_he_end[];
extern "C" const unsigned char agentlocator_sorry_en[];
extern "C" const unsigned char agentlocator_sorry_en_end[];
extern "C" const unsigned char agentlocator_noted_he[];
extern "C" const unsigned char agentlocator_noted_he_end[];
extern "C" const unsigned char agentlocator_noted_en[];
extern "C" const unsigned char agentlocator_noted_en_end[];

namespace agentlocator {

RecordedSpeech recorded_speech(Recorded what, Language language) {
    const bool hebrew = language == Language::hebrew;
    switch (what) {
        case Recorded::greeting:
            return hebrew ? RecordedSpeech{"שלום, כאן לאה, הסוכנת הדיגיטלית. במה אפשר לעזור?",
                                           {agentlocator_greeting_he, agentlocator_greeting_he_end}}
                          : RecordedSpeech{"Hello, this is Leah, the digital assistant. How can I help you?",
                                           {agentlocator_greeting_en, agentlocator_greeting_en_end}};
        case Recorded::sorry:
            return hebrew ? RecordedSpeech{"סליחה, יש תקלה קטנה. אפשר לומר שוב?",
                                           {agentlocator_sorry_he, agentlocator_sorry_he_end}}
                          : RecordedSpeech{"Sorry, there is a small problem. Could you say that again, please?",
                                           {agentlocator_sorry_en, agentlocator_sorry_en_end}};
        case Recorded::noted:
            break;
    }
    return hebrew ? RecordedSpeech{"תודה, שמעתי. נשוב אליכם בהקדם.", {agentlocator_noted_he, agentlocator_noted_he_end}}
                  : RecordedSpeech{"Thank you, I have heard you. We will call you back soon.",
                                   {agentlocator_noted_en, agentlocator_noted_en_end}};
}

}  // namespace agentlocator
