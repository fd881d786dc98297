#include "worker/providers/google_stream.hpp"

#include <functional>

namespace agentlocator {
namespace {

// Protocol buffers encoding: the three kinds of field that occur here, and skipping of the fourth.
enum Wire : std::uint32_t { varint = 0, fixed64 = 1, text = 2, fixed32 = 5 };

void put_varint(std::string& out, std::uint64_t value) {
    while (value >= 0x80) {
        out.push_back(static_cast<char>(0x80U | (value & 0x7fU)));
        value >>= 7U;
    }
    out.push_back(static_cast<char>(value));
}

void put_number(std::string& out, std::uint32_t field, std::uint64_t value) {
    put_varint(out, field << 3U | varint);
    put_varint(out, value);
}

void put_text(std::string& out, std::uint32_t field, std::string_view value) {
    put_varint(out, field << 3U | text);
    put_varint(out, value.size());
    out += value;
}

std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
        const auto byte = static_cast<std::uint8_t>(bytes.front());
        bytes.remove_prefix(1);
        value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
        if ((byte & 0x80U) == 0) {
            return value;
        }
    }
    return std::nullopt;
}

// Calls `field(number, value, bytes)` for each; bytes of a length-delimited one, value of a varint.
bool read_fields(std::string_view bytes,
                 const std::function<bool(std::uint64_t, std::uint64_t, std::string_view)>& field) {
    while (!bytes.empty()) {
        const auto key = take_varint(bytes);
        if (!key) {
            return false;
        }
        std::uint64_t value = 0;
        std::string_view inner;
        const auto kind = *key & 7U;
        if (kind == varint) {
            const auto number = take_varint(bytes);
            if (!number) {
                return false;
            }
            value = *number;
        } else if (kind == text) {
            const auto size = take_varint(bytes);
            if (!size || *size > bytes.size()) {
                return false;
            }
            inner = bytes.substr(0, static_cast<std::size_t>(*size));
            bytes.remove_prefix(static_cast<std::size_t>(*size));
        } else if (kind == fixed64 || kind == fixed32) {
            const std::size_t size = kind == fixed64 ? 8 : 4;
            if (bytes.size() < size) {
                return false;
            }
            bytes.remove_prefix(size);
        } else {
            return false;
        }
        if (!field(*key >> 3U, value, inner)) {
            return false;
        }
    }
    return true;
}

std::string v1_config(const GoogleServer& server, const SttConfig& config) {
    std::string recognition;
    put_number(recognition, 1, 3);     // encoding: MULAW
    put_number(recognition, 2, 8000);  // sample_rate_hertz
    put_text(recognition, 3, server.stt_tag(config.language));
    if (!config.phrases.empty()) {
        std::string context;
        for (const std::string& phrase : config.phrases) {
            put_text(context, 1, phrase);
        }
        put_text(recognition, 6, context);
    }
    put_number(recognition, 11, 1);  // enable_automatic_punctuation
    put_text(recognition, 13, server.model);
    std::string streaming;
    put_text(streaming, 1, recognition);
    put_number(streaming, 3, 1);  // interim_results
    std::string request;
    put_text(request, 1, streaming);
    return request;
}

std::string v2_config(const GoogleServer& server, const SttConfig& config) {
    std::string decoding;
    put_number(decoding, 1, 2);  // MULAW
    put_number(decoding, 2, 8000);
    put_number(decoding, 3, 1);
    std::string recognition;
    put_text(recognition, 8, decoding);
    put_text(recognition, 9, server.model);
    put_text(recognition, 10, server.stt_tag(config.language));
    std::string streaming_features;
    put_number(streaming_features, 2, 1);  // interim_results
    std::string streaming;
    put_text(streaming, 1, recognition);
    put_text(streaming, 2, streaming_features);
    std::string request;
    put_text(request, 3, server.recognizer());
    put_text(request, 6, streaming);
    return request;
}

bool read_result(std::string_view bytes, GoogleStreamResult& result) {
    bool first = true;
    return read_fields(bytes, [&](std::uint64_t number, std::uint64_t value, std::string_view inner) {
        if (number == 1 && first) {  // The best alternative comes first.
            first = false;
            return read_fields(inner, [&](std::uint64_t part, std::uint64_t, std::string_view transcript) {
                if (part == 1) {
                    result.transcript = transcript;
                }
                return true;
            });
        }
        if (number == 2) {
            result.is_final = value != 0;
        }
        return true;
    });
}

}  // namespace

std::string grpc_frame(std::string_view message) {
    std::string out(1, '\0');
    for (int shift = 24; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>(message.size() >> static_cast<unsigned>(shift)));
    }
    return out + std::string(message);
}

bool GrpcReader::feed(std::string_view bytes, std::vector<std::string>& messages) {
    constexpr std::size_t prefix = 5;
    pending_ += bytes;
    std::size_t at = 0;
    while (pending_.size() - at >= prefix) {
        std::uint32_t size = 0;
        for (std::size_t i = 1; i < prefix; ++i) {
            size = size << 8U | static_cast<std::uint8_t>(pending_[at + i]);
        }
        if (pending_[at] != 0 || size > message_bytes_max) {
            return false;
        }
        if (pending_.size() - at < prefix + size) {
            break;
        }
        messages.push_back(pending_.substr(at + prefix, size));
        at += prefix + size;
    }
    pending_.erase(0, at);
    return true;
}

std::string google_stream_config(const GoogleServer& server, const SttConfig& config) {
    return server.v2 ? v2_config(server, config) : v1_config(server, config);
}

std::string google_stream_audio(const GoogleServer& server, std::span<const std::uint8_t> mulaw) {
    std::string request;
    put_text(request, server.v2 ? 5 : 2, {reinterpret_cast<const char*>(mulaw.data()), mulaw.size()});
    return request;
}

std::optional<GoogleStreamAnswer> read_google_stream(std::string_view message, bool v2) {
    GoogleStreamAnswer answer;
    const std::uint64_t results_field = v2 ? 6 : 2;
    const bool good = read_fields(message, [&](std::uint64_t number, std::uint64_t, std::string_view inner) {
        if (number == results_field) {
            GoogleStreamResult result;
            if (!read_result(inner, result)) {
                return false;
            }
            answer.results.push_back(std::move(result));
        } else if (number == 1 && !v2) {
            std::string said = "stream error";
            const bool read = read_fields(inner, [&](std::uint64_t part, std::uint64_t, std::string_view words) {
                if (part == 2) {
                    said = words;
                }
                return true;
            });
            answer.error = said;
            return read;
        }
        return true;
    });
    return good ? std::optional(std::move(answer)) : std::nullopt;
}

}  // namespace agentlocator
