#pragma once
// WhatsApp messages as they are asked for and worked off: both directions as one list, and the outbox's leases.
#include <optional>
#include <string>

#include "store/table.hpp"

namespace agentlocator {

struct MessageFilter {
    std::optional<std::int64_t> business{};
    std::string direction{};  // "in", "out"; empty: both.
    std::string status{};
    std::string chat{};           // One person or group: its number, else its address; empty: all.
    bool latest_of_each = false;  // One message a person: the newest.
    bool oldest_first = false;
    std::int64_t limit = 20;
    std::int64_t offset = 0;
};
struct MessagePage {
    Table messages;
    std::int64_t total = 0;
};
[[nodiscard]] Result<MessagePage> list_messages(Database& database, const MessageFilter& filter);

// Of a message that was asked for under this id: what was asked (its hash) and how far it is.
struct OutboxEntry {
    std::string body_hash;
    std::string status;
    std::string provider;
};
[[nodiscard]] Result<std::optional<OutboxEntry>> find_outbox(Database& database, const std::string& id);

// One message to be sent now.
struct OutboxJob {
    std::string id{};
    std::int64_t business = 0;
    std::string from{};  // Of the message, else the business's WhatsApp number, else empty.
    std::string to{};
    std::string provider{};  // baileys, twilio, auto
    std::string text{};
    std::string media_url{};
    std::string used{};  // Who may have taken it already, at an earlier attempt.
    std::int64_t asked_at = 0;
    std::int64_t attempts = 0;         // This one included.
    std::int64_t last_inbound_at = 0;  // Of that person at that business; 0: never.
};

// Takes up to `limit` due messages for `owner` until then. No two processes get the same one: on PostgreSQL rows that
// another is taking are skipped, on SQLite there is one writer at a time.
[[nodiscard]] Result<std::vector<OutboxJob>> lease_outbox(Database& database, const std::string& owner,
                                                          std::int64_t now_ms, std::int64_t until_ms,
                                                          std::int64_t limit);
// Whether anything is due: cheap, and without a lock.
[[nodiscard]] Result<bool> has_due_outbox(Database& database, std::int64_t now_ms);
// `provider` is about to be given the message; empty: it certainly has not got it. False: the lease is somebody else's.
[[nodiscard]] bool note_outbox_provider(Database& database, const std::string& id, const std::string& owner,
                                        std::string_view provider);
// Whether some message of ours has this id at that provider.
[[nodiscard]] Result<bool> is_provider_id_known(Database& database, const std::string& provider,
                                                const std::string& provider_id);
// Not accepted this time: try again at `next_ms`. Only the owner of the lease may say so. An attempt that was not made,
// because nobody could take the message or it was not its turn, does not count.
enum class Attempt : std::uint8_t { made, not_made };
[[nodiscard]] Result<void> postpone_outbox(Database& database, const std::string& id, const std::string& owner,
                                           std::int64_t next_ms, const std::string& why,
                                           Attempt attempt = Attempt::made);

// WhatsApp's rule for business accounts: free text only within a day of the person's last message (Twilio docs: 63016).
inline constexpr std::int64_t free_text_ms = 86'400'000;

}  // namespace agentlocator
