#include "store/send_limits.hpp"

namespace agentlocator {

Result<bool> take_send_limits(Database& database, std::initializer_list<SendLimit> limits, std::int64_t now_ms) {
    auto transaction = Transaction::begin(database);
    if (!transaction) {
        return transaction.error();
    }
    for (const SendLimit& limit : limits) {
        const auto taken = database.query(
            "INSERT INTO send_limits (name, due_at) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET due_at = CASE "
            "WHEN "
            "send_limits.due_at > $3 THEN send_limits.due_at + $4 ELSE $2 END WHERE send_limits.due_at <= $5 RETURNING "
            "due_at",
            {limit.name, now_ms + limit.every_ms, now_ms, limit.every_ms,
             now_ms + (limit.at_once - 1) * limit.every_ms});
        if (!taken) {
            return taken.error();
        }
        if (taken->empty()) {
            return false;  // What was taken before is given back with the transaction.
        }
    }
    if (auto committed = transaction->commit(); !committed) {
        return committed.error();
    }
    return true;
}

Result<void> prune_send_limits(Database& database, std::int64_t now_ms) {
    const auto done = database.query("DELETE FROM send_limits WHERE due_at <= $1", {now_ms});
    return done ? Result<void>() : Result<void>(done.error());
}

}  // namespace agentlocator
