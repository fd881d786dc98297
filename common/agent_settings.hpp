#pragma once
// Settings of the conversation (worker/agent): language, texts, chains of services, limits. Each member is one row of
// the table (agent_table.cpp). Plain values.
#include <chrono>
#include <cstdint>
#include <string>

namespace agentlocator {

struct AgentSettings {
    std::string language = "he-IL";        // AGENT_LANGUAGE: he-IL, en-US
    std::string business_name;             // BUSINESS_NAME: said in the greeting; empty: left out.
    std::string prompt_file;               // AGENT_PROMPT_FILE: system prompt in place of ours.
    std::string greeting_he;               // AI_GREETING_HE; empty: ours; "none": silent until the caller speaks.
    std::string greeting_en;               // AI_GREETING_EN
    std::string thinking_he;               // THINKING_TEXT_HE; empty: ours.
    std::string thinking_en;               // THINKING_TEXT_EN
    std::chrono::seconds dedup_window{8};  // DEDUP_WINDOW_SEC
    std::chrono::milliseconds resp_min{};  // RESP_MIN_DELAY_MS, from the caller's last voice.
    std::chrono::milliseconds resp_max{};  // RESP_MAX_DELAY_MS
    std::uint32_t answer_chars_max = 700;  // LLM_MAX_CHARS
    std::string transfer_number;           // TRANSFER_NUMBER: who takes over; empty: nobody.
    std::string dialogue_file;             // DIALOGUE_FILE; empty: the shipped dialogue.
    std::string voice_mode = "cascade";    // VOICE_MODE: cascade, realtime
    std::string stt_chain = "auto";        // VOICE_STT_CHAIN: names with commas between, or auto.
    std::string llm_chain = "auto";        // VOICE_LLM_CHAIN
    std::string tts_chain = "auto";        // VOICE_TTS_CHAIN

    friend bool operator==(const AgentSettings&, const AgentSettings&) = default;
};

}  // namespace agentlocator
