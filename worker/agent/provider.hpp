#pragma once
// The four doors to speech and language services. Every provider, embedded or remote, stands behind one of them; the
// call knows no other. All of it runs on the agent thread's event loop: nothing blocks, callbacks come on that thread,
// and never from inside the call that started the operation.
//
// Rules every provider keeps (each has a test):
//   1. exactly one terminal callback (on_done or on_error) for each operation, none after cancel() or destruction;
//   2. text is whole UTF-8, audio is whole mu-law 8 kHz samples without any header;
//   3. nothing is retried inside a provider once output was delivered;
//   4. no secret in any error, log line or metric; `message` is at most 300 bytes.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/time.hpp"

namespace agentlocator {

enum class ProviderErrorClass : std::uint8_t {
    cancelled,
    timeout,
    network,
    server,
    rate_limited,
    quota,
    auth,
    bad_request,
    content_filter,
    lifetime,
    protocol,
};
[[nodiscard]] std::string_view to_string(ProviderErrorClass error_class);

struct ProviderError {
    ProviderErrorClass error_class = ProviderErrorClass::server;
    std::string provider;   // "openai", "deepgram", "embedded" ...
    std::string operation;  // "transcribe", "chat", "speak", "connect"
    std::string message;    // Redacted, at most 300 bytes.
    std::string remedy;     // What the operator should do; may be empty.
    int http_status = 0;    // 0: none.
    std::optional<Duration> retry_after;
    std::string request_id;
    bool after_output = false;
};

// Owns one running operation: destroying it cancels (the connection or the helper's work is given up, not ignored).
class ProviderOperation {
public:
    virtual ~ProviderOperation() = default;
};
using OperationPtr = std::unique_ptr<ProviderOperation>;

struct SttConfig {
    std::string language;              // "he", "en".
    std::vector<std::string> phrases;  // What the caller is likely to say: hints, or the whole grammar when `closed`.
    bool closed = false;               // Only `phrases` are possible answers (a menu).
};
struct SttListener {
    std::function<void(std::string_view text)> on_partial;  // Replaces the previous one.
    // The whole utterance; empty: no speech recognised. Terminal.
    std::function<void(std::string_view text)> on_done;
    std::function<void(const ProviderError&)> on_error;  // Terminal.
};
// One utterance being recognised. Audio is kept by the caller of this interface, so that another provider can try.
class SttUtterance : public ProviderOperation {
public:
    virtual void push(std::span<const std::uint8_t> mulaw) = 0;
    virtual void finish() = 0;  // No more audio: on_done or on_error follows.
};
class SttProvider {
public:
    virtual ~SttProvider() = default;
    [[nodiscard]] virtual std::string_view name() const = 0;
    [[nodiscard]] virtual bool speaks(std::string_view language, const SttConfig& config) const = 0;
    virtual void prewarm() {}
    [[nodiscard]] virtual std::unique_ptr<SttUtterance> start(const SttConfig& config, SttListener listener) = 0;
};

struct ToolCall {
    std::string id;
    std::string name;
    std::string arguments;  // JSON text, checked to be an object.
};
struct ChatMessage {
    enum class Role : std::uint8_t { system, user, assistant, tool } role = Role::user;
    std::string content;
    std::vector<ToolCall> tool_calls;  // assistant only
    std::string tool_call_id;          // tool only
};
struct ToolSpec {
    std::string name;
    std::string description;
    std::string parameters;  // JSON schema text.
};
struct LlmRequest {
    std::vector<ChatMessage> messages;
    std::vector<ToolSpec> tools;
    std::uint32_t max_tokens = 0;  // 0: the provider's setting.
    std::string cache_key;         // The call: lets a provider reuse its prompt cache.
    Duration first_token_max{};
    Duration idle_max{};
    Duration total_max{};
};
enum class LlmFinish : std::uint8_t { stop, tool_calls, length, content_filter };
struct LlmListener {
    std::function<void(std::string_view text)> on_text;
    std::function<void(const ToolCall&)> on_tool_call;   // Once each, whole.
    std::function<void(LlmFinish)> on_done;              // Terminal.
    std::function<void(const ProviderError&)> on_error;  // Terminal.
};
class LlmProvider {
public:
    virtual ~LlmProvider() = default;
    [[nodiscard]] virtual std::string_view name() const = 0;
    virtual void prewarm() {}
    [[nodiscard]] virtual OperationPtr start(const LlmRequest& request, LlmListener listener) = 0;
};

struct TtsConfig {
    std::string language;  // "he", "en".
    std::string voice;     // Empty: the setting.
    Duration first_audio_max{};
};
struct TtsListener {
    std::function<void(std::span<const std::uint8_t> mulaw)> on_audio;
    std::function<void()> on_done;                       // Terminal. No audio at all is an error, not a done.
    std::function<void(const ProviderError&)> on_error;  // Terminal.
};
class TtsProvider {
public:
    virtual ~TtsProvider() = default;
    [[nodiscard]] virtual std::string_view name() const = 0;
    [[nodiscard]] virtual bool speaks(std::string_view language) const = 0;
    virtual void prewarm() {}
    // One sentence.
    [[nodiscard]] virtual OperationPtr start(std::string_view text, const TtsConfig& config, TtsListener listener) = 0;
};

// Speech to speech: one session for a call (OpenAI Realtime and its like).
struct RealtimeConfig {
    std::string instructions;
    std::string language;
    std::string voice;
    std::vector<ToolSpec> tools;
    std::vector<ChatMessage> history;
};
struct RealtimeListener {
    std::function<void(std::int64_t expires_at)>
        on_ready;  // When the session will be ended: unix seconds; 0: not told.
    std::function<void(std::string_view item, std::span<const std::uint8_t> mulaw)> on_audio;
    std::function<void(std::string_view item)> on_audio_done;
    std::function<void()> on_user_speech_started;
    // What the caller said in that turn. Late, often behind the answer to it; or never.
    std::function<void(std::uint32_t turn, std::string_view text)> on_user_text;
    std::function<void(std::string_view item, std::string_view text, bool final)> on_agent_text;
    std::function<void(const ToolCall&)> on_tool_call;
    std::function<void()> on_turn_done;                  // Of an answer that was not cancelled.
    std::function<void(const ProviderError&)> on_error;  // Terminal: the session is gone; go on with the cascade.
};
class RealtimeSession : public ProviderOperation {
public:
    virtual void push(std::span<const std::uint8_t> mulaw) = 0;
    // The caller's utterance is over: commit what was pushed and answer it. Our own end pointer decides about turns (it
    // must work with every service, and knows the line's noise); the service's detection is off.
    virtual void end_of_turn(std::uint32_t turn) = 0;
    virtual void drop_turn() = 0;                  // What was pushed since the last turn was no speech: forget it.
    virtual void hear(std::string_view text) = 0;  // The caller "said" this by other means (keys). Answer it.
    virtual void say(std::string_view text) = 0;   // Word for word. What is to be said already comes first.
    virtual void note(std::string_view text) = 0;  // The service knows this from now on; nothing is answered.
    virtual void tool_result(std::string_view id, std::string_view json) = 0;
    // Answer without anything new from the caller: behind the results of tools; or by these instructions.
    virtual void go_on(std::string_view instructions) = 0;
    virtual void cancel() = 0;  // The answer that is being made: nothing more of it comes out.
    // Of this item the caller heard only so much: the model must not believe that it said more.
    virtual void interrupted(std::string_view item, Duration heard) = 0;
};
class RealtimeProvider {
public:
    virtual ~RealtimeProvider() = default;
    [[nodiscard]] virtual std::string_view name() const = 0;
    [[nodiscard]] virtual std::unique_ptr<RealtimeSession> start(const RealtimeConfig& config,
                                                                 RealtimeListener listener) = 0;
};

}  // namespace agentlocator
