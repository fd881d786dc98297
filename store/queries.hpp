#pragma once
// What is asked of the store: by the command line and by /api. Newest first.
#include <optional>
#include <string>

#include "store/table.hpp"

namespace agentlocator {

inline constexpr std::int64_t page_rows_max = 1000;

struct Page {
    std::optional<std::int64_t> business{};
    std::int64_t since = 0;  // Milliseconds since 1970.
    std::int64_t limit = 50;
    std::int64_t offset = 0;
};

[[nodiscard]] Result<Table> list_calls(Database& database, const Page& page);
[[nodiscard]] Result<Table> list_leads(Database& database, const Page& page);
[[nodiscard]] Result<Table> list_businesses(Database& database);

struct StoredCall {
    Table call;  // No row: unknown.
    Table turns;
    Table recordings;
    Table appointments;
};
[[nodiscard]] Result<StoredCall> show_call(Database& database, const std::string& call_sid);

struct NewBusiness {
    std::string name{};
    std::string language{};
    std::vector<std::string> voice_numbers{};
    std::vector<std::string> whatsapp_numbers{};
};
// Error bad_message: a number is none, or belongs to another business already.
[[nodiscard]] Result<std::int64_t> add_business(Database& database, const NewBusiness& business, std::int64_t now_ms);

// Holds `name` for `owner` until then, unless another holds it. For work that one process of all should do.
[[nodiscard]] Result<bool> take_lease(Database& database, const std::string& name, const std::string& owner,
                                      std::int64_t now_ms, std::int64_t until_ms);

}  // namespace agentlocator
