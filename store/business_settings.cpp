#include "store/business_settings.hpp"

#include <algorithm>

#include "store/clean_text.hpp"
#include "store/phone.hpp"

namespace agentlocator {
namespace {

constexpr std::string_view talk = "talk";
constexpr std::string_view payments = "payments";
constexpr std::string_view masked = "********";

std::string all_names(std::string_view channels) {
    std::string list;
    for (const BusinessSettingName& one : business_setting_names()) {
        if (one.channels == channels) {
            list += (list.empty() ? "" : ", ") + std::string(one.name);
        }
    }
    return list;
}

// Nothing: it may be set.
std::optional<std::string> wrong_with(const BusinessChange& change) {
    if (!is_channel(change.channel)) {
        return "\"" + change.channel +
               "\" is no channel; valid: voice, whatsapp, payments, or none for voice and "
               "whatsapp";
    }
    const std::string_view channels = change.channel == payments ? payments : talk;
    const auto& names = business_setting_names();
    const auto found = std::find_if(names.begin(), names.end(), [&](const BusinessSettingName& one) {
        return one.name == change.name && one.channels == channels;
    });
    if (found == names.end()) {
        return "\"" + change.name + "\" cannot be set there; valid: " + all_names(channels);
    }
    if (change.value.size() > found->bytes_max) {
        return change.name + " is longer than " + std::to_string(found->bytes_max) + " bytes";
    }
    if (change.value != clean_text(change.value, found->bytes_max)) {
        return change.name + " is not UTF-8 text";
    }
    if (change.name == "language" && !change.value.empty() && change.value != "he-IL" && change.value != "en-US") {
        return std::string("language must be he-IL or en-US");
    }
    if (change.name == "transfer_number" && !change.value.empty() && !normal_phone(change.value)) {
        return std::string("transfer_number must be a telephone number, best with + and country");
    }
    const bool one_line = change.name != "prompt";
    if (one_line && std::any_of(change.value.begin(), change.value.end(),
                                [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
        return change.name + " holds a control character";
    }
    return std::nullopt;
}

}  // namespace

const std::vector<BusinessSettingName>& business_setting_names() {
    static const std::vector<BusinessSettingName> names = {
        {"prompt", talk, false, 65'536, "instructions to the language model"},
        {"business_name", talk, false, 1000, "said in the greeting"},
        {"language", talk, false, 5, "he-IL or en-US"},
        {"greeting_he", talk, false, 1000, "Hebrew greeting; none: no greeting"},
        {"greeting_en", talk, false, 1000, "English greeting; none: no greeting"},
        {"transfer_number", talk, false, 32, "who takes a call over when a person is asked for"},
        {"paypal_client_id", payments, false, 200, "its own PayPal app"},
        {"paypal_client_secret", payments, true, 200, "the secret of that app"},
        {"paypal_webhook_id", payments, false, 50, "the webhook of that app"},
        {"tranzila_terminal", payments, false, 100, "its own Tranzila terminal"},
        {"tranzila_app_key", payments, false, 200, "the public API key of that terminal"},
        {"tranzila_secret", payments, true, 200, "the secret API key of that terminal"},
    };
    return names;
}

bool is_channel(std::string_view channel) {
    return channel.empty() || channel == "voice" || channel == "whatsapp" || channel == payments;
}

Result<NamedValues> business_values(Database& database, std::int64_t business, const std::string& channel) {
    // The channel's own rows come last and replace those of all channels.
    const auto rows = database.query(
        "SELECT name, value FROM business_settings AS one WHERE business_id = $1 AND channel IN ('', $2) AND "
        "version = (SELECT MAX(version) FROM business_settings AS newer WHERE newer.business_id = one.business_id AND "
        "newer.channel = one.channel AND newer.name = one.name) AND value <> '' ORDER BY channel",
        {business, channel});
    if (!rows) {
        return rows.error();
    }
    NamedValues values;
    for (const Row& row : *rows) {
        values.insert_or_assign(text(row[0]), text(row[1]));
    }
    return values;
}

Result<std::int64_t> change_business(Database& database, const BusinessChange& change, std::int64_t now_ms) {
    if (const auto wrong = wrong_with(change)) {
        return error(Errc::bad_message, *wrong);
    }
    auto transaction = Transaction::begin(database);
    if (!transaction) {
        return transaction.error();
    }
    // Locked, so that two changes at once become two versions.
    const std::string lock = database.kind() == Database::Kind::postgresql ? " FOR UPDATE" : "";
    const auto known = database.query("SELECT id FROM businesses WHERE id = $1" + lock, {change.business});
    if (!known) {
        return known.error();
    }
    if (known->empty()) {
        return error(Errc::not_found, "no business " + std::to_string(change.business));
    }
    const auto newest = database.query(
        "SELECT version, value FROM business_settings WHERE business_id = $1 AND channel = $2 AND name = $3 ORDER BY "
        "version DESC LIMIT 1",
        {change.business, change.channel, change.name});
    if (!newest) {
        return newest.error();
    }
    const std::int64_t version = newest->empty() ? 0 : integer((*newest)[0][0]);
    const std::string before = newest->empty() ? std::string() : text((*newest)[0][1]);
    if (before == change.value) {
        return version;
    }
    const auto added = database.query(
        "INSERT INTO business_settings (business_id, channel, name, version, value, changed_at, changed_by) VALUES "
        "($1, $2, $3, $4, $5, $6, $7)",
        {change.business, change.channel, change.name, version + 1, change.value, now_ms, change.by});
    if (!added) {
        return added.error();
    }
    if (auto committed = transaction->commit(); !committed) {
        return committed.error();
    }
    return version + 1;
}

Result<Table> list_business_values(Database& database, std::int64_t business, bool history) {
    std::string sql =
        "SELECT channel, name, version, value, changed_at, changed_by FROM business_settings AS one WHERE "
        "business_id = $1";
    if (!history) {
        sql +=
            " AND value <> '' AND version = (SELECT MAX(version) FROM business_settings AS newer WHERE "
            "newer.business_id = one.business_id AND newer.channel = one.channel AND newer.name = one.name)";
    }
    auto rows = database.query(sql + " ORDER BY channel, name, version DESC", {business});
    if (!rows) {
        return rows.error();
    }
    const auto& names = business_setting_names();
    for (Row& row : *rows) {
        const bool secret = std::any_of(names.begin(), names.end(), [&](const BusinessSettingName& one) {
            return one.secret && one.name == text(row[1]);
        });
        if (secret && !text(row[3]).empty()) {
            row[3] = std::string(masked);
        }
    }
    return Table{{"channel", "name", "version", "value", "changed_at", "changed_by"}, std::move(*rows)};
}

Result<std::optional<BusinessPayments>> business_payments(Database& database, std::int64_t business) {
    const auto rows =
        database.query("SELECT payments_enabled, payment_provider FROM businesses WHERE id = $1", {business});
    if (!rows) {
        return rows.error();
    }
    if (rows->empty()) {
        return std::optional<BusinessPayments>();
    }
    return std::optional(BusinessPayments{integer((*rows)[0][0]) != 0, text((*rows)[0][1])});
}

Result<void> allow_payments(Database& database, std::int64_t business, const BusinessPayments& allowed) {
    const auto rows =
        database.query("UPDATE businesses SET payments_enabled = $1, payment_provider = $2 WHERE id = $3 RETURNING id",
                       {std::int64_t{allowed.enabled ? 1 : 0}, allowed.provider, business});
    if (!rows) {
        return rows.error();
    }
    return rows->empty() ? Result<void>(error(Errc::not_found, "no business " + std::to_string(business)))
                         : Result<void>();
}

}  // namespace agentlocator
