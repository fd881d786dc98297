#pragma once
// Reads documents of strangers without exceptions: a missing member, a null or a wrong type is empty. Pure.
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace agentlocator {

// Discarded (neither object nor array) for broken text. nlohmann's parser is iterative: depth needs no limit of ours.
[[nodiscard]] nlohmann::json parse_json(std::string_view text);

// Text of the document; invalid UTF-8 in it (a history of ours) becomes U+FFFD instead of an exception.
[[nodiscard]] std::string dump_json(const nlohmann::json& document);

[[nodiscard]] const nlohmann::json* find_at(const nlohmann::json& object, std::string_view name);  // null: nothing.
[[nodiscard]] std::string text_at(const nlohmann::json& object, std::string_view name);
[[nodiscard]] std::string text_or_number_at(const nlohmann::json& object, std::string_view name);
[[nodiscard]] const nlohmann::json& array_at(const nlohmann::json& object, std::string_view name);
[[nodiscard]] const nlohmann::json& object_at(const nlohmann::json& object, std::string_view name);
[[nodiscard]] bool flag_at(const nlohmann::json& object, std::string_view name);
[[nodiscard]] double number_at(const nlohmann::json& object, std::string_view name, double otherwise);

// The text with every broken sequence replaced, so that it may be logged and stored.
[[nodiscard]] std::string valid_text(std::string_view text);

}  // namespace agentlocator
