#pragma once
// The providers that need no key and no network: both talk to the speech helper (`agentlocator-speech`), a process of
// its own that the supervisor keeps running. Agent thread only, like every provider.
//
//   auto link = make_speech_link(loop, path);      // One a worker: every call shares the connection.
//   auto tts = make_embedded_tts(link, cache_bytes);
//   auto stt = make_embedded_stt(link);
//
// What they can do: speak Hebrew and English; recognise English from a list of phrases (SttConfig::phrases, at most
// 200), and Hebrew where the answer is one of two phrases. There is no dictation: see EmbeddedStt::speaks.
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/io/event_loop.hpp"
#include "common/speech_message.hpp"  // speech_socket_variable
#include "worker/agent/provider.hpp"

namespace agentlocator {

class SpeechLink;

// Shared by the two providers, and by every operation while it runs. It must not outlive the loop.
[[nodiscard]] std::shared_ptr<SpeechLink> make_speech_link(EventLoop& loop, std::string socket_path);

inline constexpr std::size_t prompt_cache_usual = 8 * 1024 * 1024;  // 17 minutes of audio: a dialogue's prompts.

// Sentences that were spoken once are kept, the least used leave first: a dialogue's prompts are synthesised once, and
// are spoken even while the helper is away.
class EmbeddedTts : public TtsProvider {
public:
    // Fills the cache, one sentence after the other, behind whatever calls ask for.
    virtual void prerender(std::string_view language, std::vector<std::string> texts) = 0;
};
[[nodiscard]] std::unique_ptr<EmbeddedTts> make_embedded_tts(std::shared_ptr<SpeechLink> link,
                                                             std::size_t cache_bytes = prompt_cache_usual);
[[nodiscard]] std::unique_ptr<SttProvider> make_embedded_stt(std::shared_ptr<SpeechLink> link);

}  // namespace agentlocator
