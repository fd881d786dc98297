#pragma once
// What a business has set for itself, by channel: prompts, texts, accounts for payments. Every change is a new version
// and the older ones are kept; the newest counts, and an empty one unsets. Channel "" is for all channels; what is set
// for one channel counts there instead. A number that belongs to no business has nothing set: nobody else's is used.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/named_values.hpp"
#include "store/table.hpp"

namespace agentlocator {

// One name that may be set.
struct BusinessSettingName {
    std::string_view name;
    std::string_view channels;  // "talk": "", voice, whatsapp; "payments": payments only.
    bool secret;                // Never shown.
    std::size_t bytes_max;
    std::string_view help;
};
[[nodiscard]] const std::vector<BusinessSettingName>& business_setting_names();
[[nodiscard]] bool is_channel(std::string_view channel);  // "", voice, whatsapp, payments

// The newest values of a business for a channel, those of all channels beneath. Nothing that was unset.
[[nodiscard]] Result<NamedValues> business_values(Database& database, std::int64_t business,
                                                  const std::string& channel);

struct BusinessChange {
    std::int64_t business = 0;
    std::string channel{};
    std::string name{};
    std::string value{};  // Empty: unset.
    std::string by{};     // Who changed it: "command line", "api".
};
// The number of the new version. Error not_found: no such business; bad_message: the name, channel or value is wrong,
// and the detail says what is right. Setting what is set already makes no version.
[[nodiscard]] Result<std::int64_t> change_business(Database& database, const BusinessChange& change,
                                                   std::int64_t now_ms);

// Newest first; secrets masked. With `history` every version, else the newest that are set.
[[nodiscard]] Result<Table> list_business_values(Database& database, std::int64_t business, bool history);

// Whether a business may take payments, and by whom unless a request says.
struct BusinessPayments {
    bool enabled = false;
    std::string provider{};  // "", paypal, tranzila
};
[[nodiscard]] Result<std::optional<BusinessPayments>> business_payments(Database& database, std::int64_t business);
[[nodiscard]] Result<void> allow_payments(Database& database, std::int64_t business, const BusinessPayments& payments);

}  // namespace agentlocator
