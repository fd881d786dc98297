#include "common/speech_message.hpp"

#include <array>
#include <nlohmann/json.hpp>

namespace agentlocator {
namespace {

using Json = nlohmann::json;

constexpr std::array failure_names{"bad_request", "unavailable", "overloaded", "engine"};

void append_number(std::string& out, std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) {
        out += static_cast<char>(value >> shift & 0xFFU);
    }
}

std::uint32_t read_number(const std::uint8_t* at) {
    return at[0] | static_cast<std::uint32_t>(at[1]) << 8 | static_cast<std::uint32_t>(at[2]) << 16 |
           static_cast<std::uint32_t>(at[3]) << 24;
}

bool is_known(std::uint32_t kind) {
    return (kind >= static_cast<std::uint32_t>(SpeechKind::hello) &&
            kind <= static_cast<std::uint32_t>(SpeechKind::finish)) ||
           (kind >= static_cast<std::uint32_t>(SpeechKind::ready) &&
            kind <= static_cast<std::uint32_t>(SpeechKind::failed));
}

std::string dump(const Json& document) {
    return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Anything else has no members, which the readers of members report.
Json parse_object(std::string_view payload) {
    Json document = Json::parse(payload, nullptr, false);
    return document.is_object() ? document : Json::object();
}

Result<std::string> text_member(const Json& document, const char* name, std::size_t bytes_max) {
    const auto found = document.find(name);
    if (found == document.end() || !found->is_string()) {
        return error(Errc::bad_message, std::string("`") + name + "` is not a text");
    }
    const auto& text = found->get_ref<const std::string&>();
    if (text.size() > bytes_max) {
        return error(Errc::too_large, std::string("`") + name + "` has " + std::to_string(text.size()) +
                                          " bytes; at most " + std::to_string(bytes_max) + " are allowed");
    }
    return text;
}

Result<std::vector<std::string>> list_member(const Json& document, const char* name) {
    const auto found = document.find(name);
    if (found == document.end() || !found->is_array()) {
        return error(Errc::bad_message, std::string("`") + name + "` is not a list");
    }
    if (found->size() > speech_phrases_max) {
        return error(Errc::too_large, std::string("`") + name + "` has " + std::to_string(found->size()) +
                                          " members; at most " + std::to_string(speech_phrases_max) + " are allowed");
    }
    std::vector<std::string> list;
    for (const Json& member : *found) {
        if (!member.is_string() || member.get_ref<const std::string&>().size() > speech_phrase_bytes_max) {
            return error(Errc::too_large, std::string("a member of `") + name + "` is no text of at most " +
                                              std::to_string(speech_phrase_bytes_max) + " bytes");
        }
        list.push_back(member.get<std::string>());
    }
    return list;
}

constexpr std::size_t language_bytes_max = 16;  // "he", "en-US"; the longest registered tags we could mean.

}  // namespace

void append_speech_frame(std::string& out, SpeechKind kind, std::uint32_t id, std::span<const std::uint8_t> payload) {
    append_speech_frame(out, kind, id, {reinterpret_cast<const char*>(payload.data()), payload.size()});
}

void append_speech_frame(std::string& out, SpeechKind kind, std::uint32_t id, std::string_view payload) {
    append_number(out, static_cast<std::uint32_t>(payload.size()));
    append_number(out, static_cast<std::uint32_t>(kind));
    append_number(out, id);
    out += payload;
}

void SpeechFrameReader::push(std::span<const std::uint8_t> bytes) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(taken_));
    taken_ = 0;
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<SpeechFrame>> SpeechFrameReader::next() {
    const std::size_t held = buffer_.size() - taken_;
    if (held < speech_frame_header_bytes) {
        return std::optional<SpeechFrame>();
    }
    const std::uint8_t* at = buffer_.data() + taken_;
    const std::uint32_t length = read_number(at);
    const std::uint32_t kind = read_number(at + 4);
    if (length > speech_payload_max) {
        return error(Errc::too_large, "a frame announces " + std::to_string(length) + " bytes; at most " +
                                          std::to_string(speech_payload_max) + " are allowed");
    }
    if (!is_known(kind)) {
        return error(Errc::bad_message, "a frame of unknown kind " + std::to_string(kind));
    }
    if (held < speech_frame_header_bytes + length) {
        return std::optional<SpeechFrame>();
    }
    taken_ += speech_frame_header_bytes + length;
    return std::optional(
        SpeechFrame{static_cast<SpeechKind>(kind), read_number(at + 8), {at + speech_frame_header_bytes, length}});
}

std::string encode(const SpeakRequest& request) {
    return dump({{"text", request.text}, {"language", request.language}});
}

std::string encode(const ListenRequest& request) {
    return dump({{"language", request.language}, {"phrases", request.phrases}});
}

std::string encode(const SpeechAbilities& abilities) {
    return dump({{"speaks", abilities.speaks}, {"hears", abilities.hears}, {"detail", abilities.detail}});
}

std::string encode(const SpeechFailure& failure) {
    return dump({{"kind", failure_names.at(static_cast<std::size_t>(failure.kind))},
                 {"message", failure.message},
                 {"remedy", failure.remedy}});
}

Result<SpeakRequest> parse_speak_request(std::string_view payload) {
    const Json document = parse_object(payload);
    auto text = text_member(document, "text", speech_text_max);
    auto language = text_member(document, "language", language_bytes_max);
    if (!text || !language) {
        return text ? language.error() : text.error();
    }
    return SpeakRequest{std::move(*text), std::move(*language)};
}

Result<ListenRequest> parse_listen_request(std::string_view payload) {
    const Json document = parse_object(payload);
    auto language = text_member(document, "language", language_bytes_max);
    auto phrases = list_member(document, "phrases");
    if (!language || !phrases) {
        return language ? phrases.error() : language.error();
    }
    return ListenRequest{std::move(*language), std::move(*phrases)};
}

Result<SpeechAbilities> parse_speech_abilities(std::string_view payload) {
    const Json document = parse_object(payload);
    auto speaks = list_member(document, "speaks");
    auto hears = list_member(document, "hears");
    auto detail = text_member(document, "detail", speech_text_max);
    if (!speaks || !hears || !detail) {
        return !speaks ? speaks.error() : !hears ? hears.error() : detail.error();
    }
    return SpeechAbilities{std::move(*speaks), std::move(*hears), std::move(*detail)};
}

Result<SpeechFailure> parse_speech_failure(std::string_view payload) {
    const Json document = parse_object(payload);
    auto kind = text_member(document, "kind", language_bytes_max);
    auto message = text_member(document, "message", speech_text_max);
    auto remedy = text_member(document, "remedy", speech_text_max);
    if (!kind || !message || !remedy) {
        return !kind ? kind.error() : !message ? message.error() : remedy.error();
    }
    for (std::size_t i = 0; i < failure_names.size(); ++i) {
        if (*kind == failure_names.at(i)) {
            return SpeechFailure{static_cast<SpeechFailure::Kind>(i), std::move(*message), std::move(*remedy)};
        }
    }
    return error(Errc::bad_message, "`kind` is no known kind of failure");
}

}  // namespace agentlocator
