#pragma once
// Tool calls that arrive in pieces: id and name in the first piece of an index, arguments as fragments of JSON text.
// Bounded: a model that never stops writing arguments is stopped. Pure.
#include <string>
#include <string_view>
#include <vector>

#include "worker/agent/provider.hpp"

namespace agentlocator {

class ToolAssembly {
public:
    static constexpr std::size_t calls_max = 8;  // Of one answer; ours has four tools.
    static constexpr std::size_t arguments_bytes_max = 32U << 10U;

    // False: over a limit; the answer is no good.
    [[nodiscard]] bool add(std::int64_t index, std::string_view id, std::string_view name, std::string_view arguments);
    [[nodiscard]] bool empty() const { return calls_.empty(); }

    // The whole calls, in order. Arguments that are no JSON object (some models send none at all) become "{}" when
    // empty; otherwise `broken` is set and they are left as they came, for the caller to refuse.
    [[nodiscard]] std::vector<ToolCall> take(bool& broken);

private:
    struct Piece {
        std::int64_t index = 0;
        ToolCall call;
    };
    std::vector<Piece> calls_;
};

}  // namespace agentlocator
