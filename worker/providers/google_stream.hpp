#pragma once
// Google's StreamingRecognize without a gRPC library: the messages of one method as protobuf bytes, and gRPC's framing
// (one byte 0, four bytes of length). google/cloud/speech/v1/cloud_speech.proto and v2. Pure.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/agent/provider.hpp"
#include "worker/providers/google_speech.hpp"

namespace agentlocator {

// A message with gRPC's prefix.
[[nodiscard]] std::string grpc_frame(std::string_view message);

// Bytes of a response body in any split; whole messages out.
class GrpcReader {
public:
    static constexpr std::size_t message_bytes_max = 1U << 20U;

    // False: compressed, or larger than the limit; the stream is no good.
    [[nodiscard]] bool feed(std::string_view bytes, std::vector<std::string>& messages);

private:
    std::string pending_;
};

[[nodiscard]] std::string google_stream_config(const GoogleServer& server, const SttConfig& config);
// Sound of at most google_audio_max bytes.
inline constexpr std::size_t google_audio_max = 15'000;  // v2's limit of one message; v1 takes 25 kB.
[[nodiscard]] std::string google_stream_audio(const GoogleServer& server, std::span<const std::uint8_t> mulaw);

struct GoogleStreamResult {
    std::string transcript;
    bool is_final = false;
};
struct GoogleStreamAnswer {
    std::vector<GoogleStreamResult> results;  // Consecutive parts; the stable one first.
    std::optional<std::string> error;
};
// Nothing: not protobuf.
[[nodiscard]] std::optional<GoogleStreamAnswer> read_google_stream(std::string_view message, bool v2);

}  // namespace agentlocator
