#pragma once
// Limits of what a service may send and of how long we wait where the caller of a provider does not say.
#include <cstddef>

#include "common/time.hpp"

namespace agentlocator {

inline constexpr std::size_t error_body_bytes_max = 16U << 10U;  // Of an answer that is not 2xx: enough to explain.
inline constexpr std::size_t stream_bytes_max = 8U << 20U;       // Of one model answer: SSE wraps a token in 300 bytes.
inline constexpr std::size_t answer_text_bytes_max = 16U << 10U;    // Spoken text of one answer: ten minutes of speech.
inline constexpr std::size_t document_bytes_max = 1U << 20U;        // Of one JSON document.
inline constexpr std::size_t sentence_audio_max = 60 * 8000;        // mu-law of one sentence: one minute.
inline constexpr std::size_t sentence_bytes_max = 60 * 48'000 * 2;  // The same as the widest PCM we ask for.
inline constexpr std::size_t wrapped_audio_bytes_max = 1U << 20U;   // One minute of mu-law in base64 is 640 kB.
inline constexpr std::size_t utterance_audio_max = 60 * 8000;       // Google's and Azure's limit of one request: 60 s.
inline constexpr std::size_t utterance_audio_min = 8000 / 10;       // Recognisers refuse less, or make something up.

inline constexpr Duration stt_answer_max = std::chrono::seconds(4);  // From the end of speech to the text.
inline constexpr Duration tts_first_audio_max = std::chrono::milliseconds(1500);
inline constexpr Duration tts_idle_max = std::chrono::seconds(2);
inline constexpr Duration tts_total_max = std::chrono::seconds(30);
inline constexpr Duration llm_first_token_max = std::chrono::milliseconds(2500);
inline constexpr Duration llm_idle_max = std::chrono::seconds(4);
inline constexpr Duration llm_total_max = std::chrono::seconds(30);

}  // namespace agentlocator
