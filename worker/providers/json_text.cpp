#include "worker/providers/json_text.hpp"

namespace agentlocator {
namespace {

using nlohmann::json;

const json empty_array = json::array();
const json empty_object = json::object();

}  // namespace

json parse_json(std::string_view text) {
    return json::parse(text, nullptr, false);
}

std::string dump_json(const json& document) {
    return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

const json* find_at(const json& object, std::string_view name) {
    if (!object.is_object()) {
        return nullptr;
    }
    const auto found = object.find(name);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text_at(const json& object, std::string_view name) {
    const json* value = find_at(object, name);
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::string text_or_number_at(const json& object, std::string_view name) {
    const json* value = find_at(object, name);
    if (value != nullptr && value->is_number_integer()) {
        return value->dump();
    }
    return text_at(object, name);
}

const json& array_at(const json& object, std::string_view name) {
    const json* value = find_at(object, name);
    return value != nullptr && value->is_array() ? *value : empty_array;
}

const json& object_at(const json& object, std::string_view name) {
    const json* value = find_at(object, name);
    return value != nullptr && value->is_object() ? *value : empty_object;
}

bool flag_at(const json& object, std::string_view name) {
    const json* value = find_at(object, name);
    return value != nullptr && value->is_boolean() && value->get<bool>();
}

double number_at(const json& object, std::string_view name, double otherwise) {
    const json* value = find_at(object, name);
    return value != nullptr && value->is_number() ? value->get<double>() : otherwise;
}

std::string valid_text(std::string_view text) {
    // The library's own repair: a quoted string is dumped with replacements and read back.
    const json quoted =
        json::parse(json(std::string(text)).dump(-1, ' ', false, json::error_handler_t::replace), nullptr, false);
    return quoted.is_string() ? quoted.get<std::string>() : std::string();
}

}  // namespace agentlocator
