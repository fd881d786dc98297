#pragma once
// How fast messages may be sent, for all workers and hosts together: one row a limit, in which lies when the next one
// would be due if all came evenly (GCRA, ATM Forum TM 4.0). A row whose time has passed says the same as no row.
#include <initializer_list>
#include <string>

#include "store/database.hpp"

namespace agentlocator {

struct SendLimit {
    std::string name;  // "twilio/number/+972..."
    std::int64_t every_ms;
    std::int64_t at_once;  // So many without a pause, then one each `every_ms`.
};

// Takes one from each limit, or none from any. False: one of them is used up.
[[nodiscard]] Result<bool> take_send_limits(Database& database, std::initializer_list<SendLimit> limits,
                                            std::int64_t now_ms);
// Rows that say nothing any more.
[[nodiscard]] Result<void> prune_send_limits(Database& database, std::int64_t now_ms);

}  // namespace agentlocator
