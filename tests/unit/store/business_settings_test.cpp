#include "store/business_settings.hpp"

#include "store/queries.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace agentlocator;

namespace {

struct BusinessFixture : StoreFixture {
    std::int64_t business = *add_business(database(), {.name = "Flats", .voice_numbers = {"03-6123456"}}, 1);
    std::int64_t now = 1000;

    Result<std::int64_t> set(const std::string& channel, const std::string& name, const std::string& value,
                             std::int64_t whose = 0) {
        return change_business(
            database(),
            {.business = whose == 0 ? business : whose, .channel = channel, .name = name, .value = value, .by = "test"},
            ++now);
    }
    NamedValues values(const std::string& channel, std::int64_t whose = 0) {
        return *business_values(database(), whose == 0 ? business : whose, channel);
    }
};

}  // namespace

TEST_CASE("business settings: every change is a version, the newest counts, and empty takes it away") {
    BusinessFixture store;
    CHECK(*store.set("", "prompt", "one") == 1);
    CHECK(*store.set("", "prompt", "two") == 2);
    CHECK(*store.set("", "prompt", "two") == 2);  // No change, no version.
    CHECK(store.values("voice") == NamedValues{{"prompt", "two"}});
    CHECK(*store.set("", "prompt", "") == 3);
    CHECK(store.values("voice").empty());
    CHECK(*store.set("", "prompt", "one") == 4);
    CHECK(list_business_values(store.database(), store.business, false)->rows.size() == 1);
    const auto history = list_business_values(store.database(), store.business, true);
    REQUIRE(history->rows.size() == 4);
    CHECK(text(history->rows[0][3]) == "one");  // Newest first.
    CHECK(text(history->rows[2][3]) == "two");
    CHECK(text(history->rows[0][5]) == "test");
}

TEST_CASE("business settings: a channel's own value stands before that of all channels") {
    BusinessFixture store;
    REQUIRE(store.set("", "greeting_he", "everywhere"));
    REQUIRE(store.set("voice", "greeting_he", "by telephone"));
    CHECK(store.values("voice").at("greeting_he") == "by telephone");
    CHECK(store.values("whatsapp").at("greeting_he") == "everywhere");
    REQUIRE(store.set("voice", "greeting_he", ""));
    CHECK(store.values("voice").at("greeting_he") == "everywhere");
    CHECK(store.values("payments").count("paypal_client_id") == 0);
}

TEST_CASE("business settings: one business never sees another's, and nobody's business sees none") {
    BusinessFixture store;
    const std::int64_t other = *add_business(store.database(), {.name = "Cars"}, 1);
    REQUIRE(store.set("", "prompt", "flats"));
    CHECK(store.values("voice", other).empty());
    CHECK(store.values("voice", 99).empty());
    CHECK(business_values(store.database(), 0, "voice")->empty());
    CHECK(store.set("", "prompt", "x", 99).error().code == Errc::not_found);
}

TEST_CASE("business settings: what may be set where, and how long") {
    BusinessFixture store;
    const auto refused = [&](const std::string& channel, const std::string& name, const std::string& value) {
        const auto result = store.set(channel, name, value);
        return !result && result.error().code == Errc::bad_message;
    };
    CHECK(refused("telegram", "prompt", "x"));
    CHECK(refused("", "no_such_name", "x"));
    CHECK(refused("voice", "paypal_client_id", "x"));
    CHECK(refused("payments", "prompt", "x"));
    CHECK(refused("", "language", "klingon"));
    CHECK(refused("", "transfer_number", "hello"));
    CHECK(refused("", "greeting_he", "two\nlines"));
    CHECK(refused("", "prompt", "\xff"));
    CHECK(store.set("", "prompt", "two\nlines"));
    CHECK(store.set("", "language", "en-US"));
    CHECK(store.set("", "transfer_number", "050-1234567"));
    for (const BusinessSettingName& one : business_setting_names()) {
        if (one.name == "language" || one.name == "transfer_number") {
            continue;
        }
        CAPTURE(one.name);
        const std::string channel = one.channels == "payments" ? "payments" : "";
        CHECK(store.set(channel, std::string(one.name), std::string(one.bytes_max, 'x')));
        CHECK(refused(channel, std::string(one.name), std::string(one.bytes_max + 1, 'x')));
    }
}

TEST_CASE("business settings: a secret is listed as set and never shown") {
    BusinessFixture store;
    REQUIRE(store.set("payments", "paypal_client_secret", "hush"));
    REQUIRE(store.set("payments", "paypal_client_id", "open"));
    for (const bool history : {false, true}) {
        const auto table = list_business_values(store.database(), store.business, history);
        REQUIRE(table->rows.size() == 2);
        CHECK(text(table->rows[0][3]) == "open");
        CHECK(text(table->rows[1][3]) == "********");
    }
    CHECK(store.values("payments").at("paypal_client_secret") == "hush");
}

TEST_CASE("business settings: who may take payments") {
    BusinessFixture store;
    CHECK_FALSE((*business_payments(store.database(), store.business))->enabled);
    REQUIRE(allow_payments(store.database(), store.business, {.enabled = true, .provider = "tranzila"}));
    CHECK((*business_payments(store.database(), store.business))->provider == "tranzila");
    CHECK_FALSE(*business_payments(store.database(), 99));
    CHECK(allow_payments(store.database(), 99, {}).error().code == Errc::not_found);
}
