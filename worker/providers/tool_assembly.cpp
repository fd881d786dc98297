#include "worker/providers/tool_assembly.hpp"

#include <algorithm>

#include "common/text.hpp"
#include "worker/providers/json_text.hpp"

namespace agentlocator {

bool ToolAssembly::add(std::int64_t index, std::string_view id, std::string_view name, std::string_view arguments) {
    auto found = std::find_if(calls_.begin(), calls_.end(), [=](const Piece& piece) { return piece.index == index; });
    // Some servers send several whole calls under one index; a second id means a second call.
    if (found != calls_.end() && !id.empty() && !found->call.id.empty() && found->call.id != id) {
        found = std::find_if(calls_.begin(), calls_.end(), [=](const Piece& piece) { return piece.call.id == id; });
    }
    if (found == calls_.end()) {
        if (calls_.size() == calls_max) {
            return false;
        }
        calls_.push_back({index, {}});
        found = calls_.end() - 1;
    }
    ToolCall& call = found->call;
    if (call.id.empty()) {
        call.id = id;
    }
    if (call.name.empty()) {
        call.name = name;
    }
    if (call.arguments.size() + arguments.size() > arguments_bytes_max) {
        return false;
    }
    call.arguments += arguments;
    return true;
}

std::vector<ToolCall> ToolAssembly::take(bool& broken) {
    broken = false;
    std::vector<ToolCall> calls;
    for (Piece& piece : calls_) {
        ToolCall call = std::move(piece.call);
        if (call.id.empty()) {
            call.id = "call_" + std::to_string(calls.size());
        }
        if (trim(call.arguments).empty()) {
            call.arguments = "{}";
        }
        broken = broken || call.name.empty() || !parse_json(call.arguments).is_object();
        calls.push_back(std::move(call));
    }
    calls_.clear();
    return calls;
}

}  // namespace agentlocator
