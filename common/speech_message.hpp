#pragma once
// What a worker and the speech helper (`agentlocator-speech`) say to each other over a Unix stream socket. Pure: bytes
// in, frames out; the only JSON that both sides know is built and read here.
//
//   frame = payload length, kind, id: three 32-bit little-endian numbers; then the payload
//   worker: hello, then any number of operations, each under an id of its own choice, never reused on a connection:
//           speak ............................ [cancel]
//           listen, audio*, finish ........... [cancel]
//   helper: ready, then for each operation: speech* spoken | partial* heard | failed   (nothing after cancel)
//
// Every length is compared with its limit before anything is stored; a peer that breaks the rules loses its connection.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.hpp"

namespace agentlocator {

inline constexpr std::uint32_t speech_protocol_version = 1;
inline constexpr std::size_t speech_frame_header_bytes = 12;
inline constexpr std::size_t speech_payload_max = 65'536;  // 8 s of mu-law; a menu of 200 phrases fits twice.
inline constexpr std::size_t speech_text_max = 4096;       // A sentence of four minutes; longer ones are documents.
inline constexpr std::size_t speech_phrases_max = 200;     // The largest grammar that was measured (178 phrases).
inline constexpr std::size_t speech_phrase_bytes_max = 120;
inline constexpr char speech_socket_name[] = "speech.sock";  // In AGENTLOCATOR_RUNTIME_DIR.
inline constexpr char speech_socket_variable[] = "AGENTLOCATOR_SPEECH_SOCKET";  // Its path, for workers.
// Names of the helper's descriptors in LISTEN_FDNAMES: the listening socket, and its heartbeat (io/heartbeat_page).
inline constexpr char fd_name_speech[] = "speech";
inline constexpr char fd_name_heartbeat[] = "heartbeat";

enum class SpeechKind : std::uint32_t {
    // To the helper
    hello = 1,  // payload: the protocol's version, decimal.
    speak,      // payload: SpeakRequest.
    cancel,     // The operation's work is given up at once.
    listen,     // payload: ListenRequest.
    audio,      // payload: mu-law 8 kHz of the utterance.
    finish,     // No more audio.
    // From the helper
    ready = 16,  // payload: SpeechAbilities.
    speech,      // payload: mu-law 8 kHz, whole 20 ms frames of 160 bytes.
    spoken,      // The sentence is whole.
    partial,     // payload: a phrase that fits what was heard so far; replaces the last.
    heard,       // payload: the phrase as it was given; empty: none of them.
    failed,      // payload: SpeechFailure. id 0: of the connection, which ends.
};

struct SpeechFrame {
    SpeechKind kind{};
    std::uint32_t id = 0;
    std::span<const std::uint8_t> payload;  // Valid until the next push() of the reader.
    [[nodiscard]] std::string_view text() const {
        return {reinterpret_cast<const char*>(payload.data()), payload.size()};
    }
};

void append_speech_frame(std::string& out, SpeechKind kind, std::uint32_t id, std::span<const std::uint8_t> payload);
void append_speech_frame(std::string& out, SpeechKind kind, std::uint32_t id, std::string_view payload = {});

// Bytes of one direction in, frames out. After an error the connection is unusable.
class SpeechFrameReader {
public:
    void push(std::span<const std::uint8_t> bytes);
    // Nothing: more bytes are needed. too_large: a length beyond speech_payload_max. bad_message: no known kind.
    [[nodiscard]] Result<std::optional<SpeechFrame>> next();

private:
    std::vector<std::uint8_t> buffer_;
    std::size_t taken_ = 0;
};

struct SpeakRequest {
    std::string text;
    std::string language;  // "he", "en".
    friend bool operator==(const SpeakRequest&, const SpeakRequest&) = default;
};
struct ListenRequest {
    std::string language;
    std::vector<std::string> phrases;  // The possible answers.
    friend bool operator==(const ListenRequest&, const ListenRequest&) = default;
};
struct SpeechAbilities {
    std::vector<std::string> speaks;  // Languages it can say ...
    std::vector<std::string> hears;   // ... and recognise.
    std::string detail;               // Why something is missing and what to install; empty when nothing is.
    friend bool operator==(const SpeechAbilities&, const SpeechAbilities&) = default;
};
struct SpeechFailure {
    enum class Kind : std::uint8_t { bad_request, unavailable, overloaded, engine } kind = Kind::engine;
    std::string message;
    std::string remedy;
    friend bool operator==(const SpeechFailure&, const SpeechFailure&) = default;
};

[[nodiscard]] std::string encode(const SpeakRequest& request);
[[nodiscard]] std::string encode(const ListenRequest& request);
[[nodiscard]] std::string encode(const SpeechAbilities& abilities);
[[nodiscard]] std::string encode(const SpeechFailure& failure);
// Errors name the member and its limit.
[[nodiscard]] Result<SpeakRequest> parse_speak_request(std::string_view payload);
[[nodiscard]] Result<ListenRequest> parse_listen_request(std::string_view payload);
[[nodiscard]] Result<SpeechAbilities> parse_speech_abilities(std::string_view payload);
[[nodiscard]] Result<SpeechFailure> parse_speech_failure(std::string_view payload);

}  // namespace agentlocator
