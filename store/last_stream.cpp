#include "store/last_stream.hpp"

namespace agentlocator {

Result<std::optional<LastStream>> find_last_stream(Database& database, const std::string& call_sid) {
    const auto rows = database.query("SELECT stream_rank FROM calls WHERE call_sid = $1", {call_sid});
    if (!rows) {
        return rows.error();
    }
    const std::int64_t rank = rows->empty() ? 0 : integer((*rows)[0][0]);
    if (rank < 1 || (rank - 1) % 4 > static_cast<std::int64_t>(StreamFate::finished)) {
        return std::optional<LastStream>();
    }
    return std::optional(
        LastStream{static_cast<StreamFate>((rank - 1) % 4), static_cast<std::uint32_t>((rank - 1) / 4)});
}

}  // namespace agentlocator
