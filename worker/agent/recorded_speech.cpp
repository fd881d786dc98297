#include "worker/agent/recorded_speech.hpp"

extern "C" const unsigned char agentlocator_sorry_he[];
extern "C" const unsigned char agentlocator_sorry_he_end[];
extern "C" const unsigned char agentlocator_sorry_en[];
extern "C" const unsigned char agentlocator_sorry_en_end[];

namespace agentlocator {

RecordedSpeech recorded_apology(Language language) {
    if (language == Language::hebrew) {
        return {"סליחה, יש תקלה קטנה. אפשר לומר שוב?", {agentlocator_sorry_he, agentlocator_sorry_he_end}};
    }
    return {"Sorry, there is a small problem. Could you say that again, please?",
            {agentlocator_sorry_en, agentlocator_sorry_en_end}};
}

}  // namespace agentlocator
