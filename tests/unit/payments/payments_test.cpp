// The routes over a real database, with a provider that answers from a list.
#include "worker/payments/payments.hpp"

#include <nlohmann/json.hpp>

#include "store/apply.hpp"
#include "store/business_settings.hpp"
#include "store/queries.hpp"
#include "tests/unit/payments/scripted_world.hpp"
#include "tests/unit/store/store_fixture.hpp"
#include "worker/form.hpp"
#include "worker/payments/money.hpp"
#include "worker/router.hpp"

using namespace agentlocator;
using nlohmann::json;

namespace {

constexpr const char* create_path = "/api/crm/payments/create";
constexpr const char* token_answer = R"({"access_token":"A21AA","expires_in":32400})";
constexpr const char* order_answer =
    R"({"id":"ORDER1","links":[{"href":"https://paypal/approve","rel":"payer-action"}]})";

std::string captured(const std::string& payment, const std::string& value = "100.50") {
    return R"({"id":"ORDER1","status":"COMPLETED","purchase_units":[{"payments":{"captures":[{"id":"CAP1","status":"COMPLETED",)"
           R"("amount":{"currency_code":"ILS","value":")" +
           value + R"("},"custom_id":"1:)" + payment + "\"}]}}]}";
}

struct PaymentsFixture : StoreFixture, ScriptedWorld {
    Settings settings;
    PayPalTokens tokens;
    std::int64_t business = 0;
    std::int64_t now_ms = 1'790'000'000'000;
    int ids = 0;

    PaymentsFixture() {
        settings.public_base_url = "https://us";
        settings.payments.enabled = true;
        settings.payments.paypal_url = "https://pp";
        settings.payments.paypal_client_id = "id";
        settings.payments.paypal_client_secret = "secret";
        settings.payments.paypal_webhook_id = "WH1";
        settings.payments.tranzila_page_url = "https://page";
        settings.payments.tranzila_report_url = "https://report";
        settings.payments.tranzila_terminal = "leah";
        settings.payments.tranzila_app_key = "app";
        settings.payments.tranzila_secret = "tsecret";
        business = *add_business(database(), {.name = "Flats"}, 1);
        REQUIRE(allow_payments(database(), business, {.enabled = true}));
    }
    RouteResult ask(const std::string& method, const std::string& target, const std::string& body = {},
                    std::vector<HttpHeader> headers = {}, bool with_database = true) {
        PaymentContext context{.settings = settings,
                               .world = world,
                               .tokens = tokens,
                               .database = with_database ? &database() : nullptr,
                               .now_ms = now_ms,
                               .random_id = "prandom" + std::to_string(++ids)};
        RouteResult result =
            payments_answer({.method = method, .target = target, .headers = std::move(headers), .body = body},
                            normal_path(target, {}), context);
        if (!result.facts.empty()) {
            CHECK(result.unless_stored);
            REQUIRE(apply_facts(database(), result.facts));
        }
        return result;
    }
    static unsigned status(const RouteResult& result) { return std::get<HttpResponse>(result.answer).status; }
    static json body(const RouteResult& result) { return json::parse(std::get<HttpResponse>(result.answer).body); }

    std::string create(const std::string& provider, unsigned wanted = 200) {
        const RouteResult result =
            ask("POST", create_path, R"({"business_id":1,"amount":10050,"provider":")" + provider + "\"}");
        CHECK(status(result) == wanted);
        return body(result).value("payment_id", "");
    }
    std::string paypal_payment() {
        answer(200, token_answer);
        answer(201, order_answer);
        return create("paypal");
    }
    std::string state(const std::string& id) { return (*find_payment(database(), id))->status; }
    RouteResult webhook(const std::string& payment, const std::string& event, const std::string& type,
                        const std::string& value = "100.50") {
        return ask("POST", "/api/crm/webhook/paypal",
                   R"({"id":")" + event + R"(","event_type":")" + type + R"(","resource":{"custom_id":"1:)" + payment +
                       R"(","amount":{"currency_code":"ILS","value":")" + value + R"("}}})",
                   {{"PAYPAL-TRANSMISSION-ID", "t"},
                    {"PAYPAL-TRANSMISSION-TIME", "t"},
                    {"PAYPAL-TRANSMISSION-SIG", "t"},
                    {"PAYPAL-CERT-URL", "t"},
                    {"PAYPAL-AUTH-ALGO", "t"}});
    }
    void genuine() { answer(200, R"({"verification_status":"SUCCESS"})"); }
    void reports(const std::string& payment, std::int64_t amount = 10'050, const std::string& code = "000") {
        answer(200, json{{"transactions", json::array({{{"amount", amount},
                                                        {"currency", "1"},
                                                        {"processor_response_code", code},
                                                        {"txn_type", "DEBIT"},
                                                        {"user_defined_1", payment}}})}}
                        .dump());
    }
    // One of the addresses that the payment's page was given.
    std::string address(const std::string& payment, const char* name) {
        const HttpRequest page{.method = "GET", .target = (*find_payment(database(), payment))->url};
        return std::string(field(*parse_form(page.query()), name)).substr(std::string("https://us").size());
    }
};

}  // namespace

TEST_CASE("payments: the answers of the table, in its order") {
    PaymentsFixture payments;
    const std::string good = R"({"business_id":1,"amount":10050})";
    const auto asked = [&](const std::string& body) { return payments.ask("POST", create_path, body); };
    // Each row hides the ones below it: from the last to the first.
    payments.answer(200, token_answer);
    payments.answer(503, "");
    CHECK(PaymentsFixture::status(asked(good)) == 202);
    payments.settings.payments.paypal_client_secret.clear();
    payments.settings.payments.tranzila_secret.clear();
    CHECK(PaymentsFixture::status(asked(good)) == 501);
    CHECK(PaymentsFixture::body(asked(good)) == json{{"error", "PayPal not configured"}});
    CHECK(PaymentsFixture::body(asked(R"({"business_id":1,"amount":1,"provider":"tranzila"})")) ==
          json{{"error", "Tranzila not configured"}});
    REQUIRE(allow_payments(payments.database(), 1, {.enabled = false}));
    CHECK(PaymentsFixture::status(asked(good)) == 403);
    CHECK(PaymentsFixture::body(asked(good)) == json{{"error", "Payment processing not authorized for this business"}});
    payments.rows("DELETE FROM businesses");
    CHECK(PaymentsFixture::status(asked(good)) == 404);
    CHECK(PaymentsFixture::body(asked(good)) == json{{"error", "Business not found"}});
    payments.settings.payments.enabled = false;
    CHECK(PaymentsFixture::status(asked(good)) == 501);
    CHECK(PaymentsFixture::body(asked(good)) == json{{"error", "Payments system disabled"}});
    CHECK(PaymentsFixture::status(asked("{")) == 400);
    CHECK(payments.asked.size() == 2);  // None of the refusals asked a provider.
}

TEST_CASE("payments: malformed requests are 400, and amounts have edges") {
    PaymentsFixture payments;
    for (const char* body : {"",
                             "[]",
                             "{",
                             "null",
                             "{}",
                             R"({"business_id":1})",
                             R"({"amount":1})",
                             R"({"business_id":"1","amount":1})",
                             R"({"business_id":1,"amount":"1"})",
                             R"({"business_id":1,"amount":1.5})",
                             R"({"business_id":1,"amount":1.0})",
                             R"({"business_id":1,"amount":1e2})",
                             R"({"business_id":1,"amount":0})",
                             R"({"business_id":1,"amount":-1})",
                             R"({"business_id":1,"amount":true})",
                             R"({"business_id":1,"amount":null})",
                             R"({"business_id":1,"amount":1000000000})",
                             R"({"business_id":1,"amount":9223372036854775808})",
                             R"({"business_id":1,"amount":18446744073709551616})",
                             R"({"business_id":9223372036854775808,"amount":1})",
                             R"({"business_id":1,"amount":1,"currency":"XXX"})",
                             R"({"business_id":1,"amount":1,"currency":5})",
                             R"({"business_id":1,"amount":1,"provider":"stripe"})",
                             R"({"business_id":1,"amount":1,"provider":1})",
                             R"({"business_id":1,"amount":1,"provider":"tranzila","currency":"JPY"})"}) {
        CAPTURE(body);
        CHECK(PaymentsFixture::status(payments.ask("POST", create_path, body)) == 400);
    }
    CHECK(PaymentsFixture::status(payments.ask("POST", create_path, R"({"business_id":1,"amount":1})",
                                               {{"Idempotency-Key", std::string(201, 'k')}})) == 400);
    CHECK(payments.rows("SELECT id FROM payments").empty());
    for (const std::int64_t amount : {payment_amount_min, payment_amount_max}) {
        CHECK(PaymentsFixture::status(payments.ask(
                  "POST", create_path,
                  R"({"business_id":1,"provider":"tranzila","amount":)" + std::to_string(amount) + "}")) == 200);
    }
    CHECK(payments.rows("SELECT amount FROM payments ORDER BY amount") ==
          Rows{{payment_amount_min}, {payment_amount_max}});
}

TEST_CASE("payments: each provider's answer, and the business's own choice of it") {
    PaymentsFixture payments;
    payments.answer(200, token_answer);
    payments.answer(201, order_answer);
    const json paypal = PaymentsFixture::body(payments.ask("POST", create_path, R"({"business_id":1,"amount":10050})"));
    CHECK(paypal == json{{"ok", true},
                         {"success", true},
                         {"payment_id", "prandom1"},
                         {"note", "created"},
                         {"order_id", "ORDER1"},
                         {"approve_url", "https://paypal/approve"}});
    REQUIRE(allow_payments(payments.database(), 1, {.enabled = true, .provider = "tranzila"}));
    const json tranzila =
        PaymentsFixture::body(payments.ask("POST", create_path, R"({"business_id":1,"amount":10050})"));
    CHECK(tranzila["redirect_url"].get<std::string>().starts_with("https://page/leah/iframenew.php?sum=100.50"));
    CHECK_FALSE(tranzila.contains("order_id"));
    CHECK(payments.state("prandom1") == "created");
}

TEST_CASE("payments: a business's own account is its own, whole or not at all") {
    PaymentsFixture payments;
    const auto set = [&](const char* name, const char* value) {
        REQUIRE(change_business(payments.database(), {1, "payments", name, value, "test"}, 1));
    };
    set("paypal_client_id", "own-id");
    CHECK(payments.create("paypal", 501).empty());  // No secret of its own: the installation's is not lent.
    set("paypal_client_secret", "own-secret");
    payments.answer(200, token_answer);
    payments.answer(201, order_answer);
    payments.create("paypal");
    CHECK(payments.asked[0].user == "own-id");
    CHECK(payments.asked[0].password == "own-secret");
    set("tranzila_terminal", "own");
    CHECK(payments.create("tranzila", 501).empty());
    payments.settings.public_base_url.clear();
    CHECK(payments.create("paypal", 501).empty());  // Nobody could come back.
}

TEST_CASE("payments: one idempotency key is one payment and one order") {
    PaymentsFixture payments;
    const std::vector<HttpHeader> key{{"Idempotency-Key", "order-7"}};
    const std::string good = R"({"business_id":1,"amount":10050})";
    payments.answer(200, token_answer);
    payments.no_answer();  // PayPal may or may not have it.
    const RouteResult failed = payments.ask("POST", create_path, good, key);
    CHECK(PaymentsFixture::status(failed) == 202);
    CHECK(PaymentsFixture::body(failed)["ok"] == false);
    payments.answer(201, order_answer);
    const json again = PaymentsFixture::body(payments.ask("POST", create_path, good, key));
    CHECK(again["payment_id"] == PaymentsFixture::body(failed)["payment_id"]);
    CHECK(payments.asked_header(1, "PayPal-Request-Id") == payments.asked_header(2, "PayPal-Request-Id"));
    CHECK(PaymentsFixture::body(payments.ask("POST", create_path, good, key)) == again);  // Asks nobody.
    CHECK(payments.asked.size() == 3);
    CHECK(PaymentsFixture::status(payments.ask("POST", create_path, R"({"business_id":1,"amount":10051})", key)) ==
          409);
    CHECK(payments.rows("SELECT id FROM payments").size() == 1);
}

TEST_CASE("payments: a provider that says no fails the payment, and 202 says why") {
    PaymentsFixture payments;
    payments.answer(200, token_answer);
    payments.answer(422, R"({"details":[{"issue":"PAYEE_ACCOUNT_RESTRICTED"}]})");
    const RouteResult failed = payments.ask("POST", create_path, R"({"business_id":1,"amount":1})");
    CHECK(PaymentsFixture::body(failed)["note"] == "PayPal answered 422 PAYEE_ACCOUNT_RESTRICTED");
    CHECK(payments.state("prandom1") == "failed");
}

TEST_CASE("payments: a notice changes the payment once, however often it comes") {
    PaymentsFixture payments;
    const std::string id = payments.paypal_payment();
    payments.genuine();
    CHECK(PaymentsFixture::status(payments.webhook(id, "WH-1", "PAYMENT.CAPTURE.COMPLETED")) == 204);
    CHECK(payments.state(id) == "paid");
    const std::size_t requests = payments.asked.size();
    CHECK(PaymentsFixture::status(payments.webhook(id, "WH-1", "PAYMENT.CAPTURE.COMPLETED")) == 204);
    CHECK(payments.asked.size() == requests);  // Known: PayPal is not asked again.
    payments.genuine();
    CHECK(PaymentsFixture::status(payments.webhook(id, "WH-2", "PAYMENT.CAPTURE.PENDING")) == 204);
    CHECK(payments.state(id) == "paid");  // Late news takes nothing back.
    CHECK(payments.rows("SELECT event_id FROM payment_events").size() == 2);
    CHECK(PaymentsFixture::body(payments.ask("GET", "/api/payments/" + id))["events"].size() == 2);
}

TEST_CASE("payments: a notice of another amount is a mismatch, never paid") {
    PaymentsFixture payments;
    const std::string id = payments.paypal_payment();
    payments.genuine();
    payments.webhook(id, "WH-1", "PAYMENT.CAPTURE.COMPLETED", "100.49");
    CHECK(payments.state(id) == "mismatch");
}

TEST_CASE("payments: forged notices are refused, unprovable ones are wanted again, foreign ones are ignored") {
    PaymentsFixture payments;
    const std::string id = payments.paypal_payment();
    payments.answer(200, R"({"verification_status":"FAILURE"})");
    const RouteResult forged = payments.webhook(id, "WH-1", "PAYMENT.CAPTURE.COMPLETED");
    CHECK(PaymentsFixture::status(forged) == 403);
    CHECK(forged.refused);
    payments.no_answer();
    CHECK(PaymentsFixture::status(payments.webhook(id, "WH-1", "PAYMENT.CAPTURE.COMPLETED")) == 503);
    CHECK(PaymentsFixture::status(payments.webhook("pother", "WH-1", "PAYMENT.CAPTURE.COMPLETED")) == 204);
    CHECK(PaymentsFixture::status(payments.ask("POST", "/api/crm/webhook/paypal", "[]")) == 400);
    CHECK(payments.state(id) == "created");
    CHECK(payments.rows("SELECT event_id FROM payment_events").empty());
    const RouteResult without = payments.ask("POST", "/api/crm/webhook/paypal",
                                             R"({"id":"WH-9","resource":{"custom_id":"1:)" + id + "\"}}", {}, false);
    CHECK(PaymentsFixture::status(without) == 503);
    payments.settings.payments.enabled = false;
    CHECK(PaymentsFixture::status(payments.ask("POST", "/api/crm/webhook/paypal", "[]")) == 204);
}

TEST_CASE("payments: a payer who comes back from PayPal has paid when PayPal says so") {
    PaymentsFixture payments;
    const std::string id = payments.paypal_payment();
    const std::string back = "/api/crm/payments/paypal/return?payment=" + id + "&token=ORDER1";
    payments.answer(200, R"({"id":"ORDER1","status":"CREATED"})");
    CHECK(PaymentsFixture::status(payments.ask("GET", back)) == 202);
    payments.no_answer();
    CHECK(PaymentsFixture::status(payments.ask("GET", back)) == 202);
    payments.answer(200, R"({"id":"ORDER1","status":"APPROVED"})");
    payments.answer(201, captured(id));
    CHECK(PaymentsFixture::status(payments.ask("GET", back)) == 200);
    CHECK(payments.state(id) == "paid");
    CHECK(PaymentsFixture::status(payments.ask("GET", "/api/crm/payments/paypal/return?payment=nobody")) == 204);
    CHECK(PaymentsFixture::status(payments.ask("GET", "/api/crm/payments/paypal/cancel?payment=" + id)) == 400);
    CHECK(payments.state(id) == "paid");
}

TEST_CASE("payments: Tranzila's notice names a transaction, and the report decides") {
    PaymentsFixture payments;
    const std::string id = payments.create("tranzila");
    const std::string notify = payments.address(id, "notify_url_address");
    CHECK(PaymentsFixture::status(
              payments.ask("POST", "/api/crm/webhook/tranzila?ordernum=" + id + "&udf=1", "index=5")) == 403);
    CHECK(PaymentsFixture::status(payments.ask("POST", notify, "Response=000")) == 400);
    CHECK(payments.asked.empty());
    payments.reports(id, 10'050, "004");
    CHECK(PaymentsFixture::status(payments.ask("POST", notify, "index=5&Response=000")) == 204);
    CHECK(payments.state(id) == "failed");  // Whatever the notice says.
    payments.reports(id);
    CHECK(PaymentsFixture::status(payments.ask("POST", notify, "index=6&Response=000")) == 204);
    CHECK(payments.state(id) == "paid");
    // One transaction pays one payment, and a paid one takes no other.
    const std::string other = payments.create("tranzila");
    CHECK(PaymentsFixture::status(payments.ask("POST", payments.address(other, "notify_url_address"), "index=6")) ==
          403);
    CHECK(PaymentsFixture::status(payments.ask("POST", notify, "index=7")) == 403);
    CHECK(payments.state(other) == "created");
}

TEST_CASE("payments: a transaction that cannot be looked up now is looked up later, without another notice") {
    PaymentsFixture payments;
    const std::string id = payments.create("tranzila");
    payments.no_answer();
    CHECK(PaymentsFixture::status(payments.ask("POST", payments.address(id, "notify_url_address"), "index=6")) == 503);
    CHECK(payments.state(id) == "pending");
    PaymentContext context{.settings = payments.settings,
                           .world = payments.world,
                           .tokens = payments.tokens,
                           .database = &payments.database(),
                           .now_ms = payments.now_ms};
    CHECK(take_open_payments(payments.database(), payments.now_ms + payment_look_first_ms - 1, 10)->empty());
    const auto open = take_open_payments(payments.database(), payments.now_ms + payment_look_first_ms, 10);
    REQUIRE(open->size() == 1);
    payments.reports(id);
    CHECK(settle_payment((*open)[0], context).size() == 1);
    CHECK(payments.state(id) == "paid");
    CHECK(take_open_payments(payments.database(), payments.now_ms + payment_open_ms - 1, 10)->empty());
}

TEST_CASE("payments: a payer who comes back from Tranzila") {
    PaymentsFixture payments;
    const std::string id = payments.create("tranzila");
    const std::string back = payments.address(id, "success_url_address");
    CHECK(PaymentsFixture::status(payments.ask("POST", back, "")) == 202);
    payments.reports(id, 10'049);
    CHECK(PaymentsFixture::status(payments.ask("POST", back, "index=6")) == 202);  // Not our amount.
    CHECK(payments.state(id) == "mismatch");
    payments.reports(id);
    CHECK(PaymentsFixture::status(payments.ask("POST", back, "index=7")) == 200);
    CHECK(payments.state(id) == "paid");
    CHECK(PaymentsFixture::status(
              payments.ask("GET", "/api/crm/payments/tranzila/return/success?ordernum=" + id + "&udf=1")) == 204);
    CHECK(PaymentsFixture::status(payments.ask("GET", "/api/crm/payments/tranzila/return/fail")) == 400);
}

TEST_CASE("payments: lists hold integers and no account of anybody") {
    PaymentsFixture payments;
    const std::string id = payments.paypal_payment();
    const json list = PaymentsFixture::body(payments.ask("GET", "/api/payments?business_id=1&per_page=1000"));
    REQUIRE(list["payments"].size() == 1);
    CHECK(list["payments"][0]["amount"] == 10'050);
    CHECK(list["payments"][0]["currency"] == "ILS");
    CHECK(list.dump().find("secret") == std::string::npos);
    CHECK(PaymentsFixture::status(payments.ask("GET", "/api/payments/nobody")) == 404);
    CHECK(PaymentsFixture::status(payments.ask("GET", "/api/payments", {}, {}, false)) == 503);
    CHECK(PaymentsFixture::status(payments.ask("POST", "/api/payments")) == 405);
    CHECK(PaymentsFixture::status(payments.ask("GET", create_path)) == 405);
}

TEST_CASE("payments: who may ask which path") {
    CHECK(payment_access(create_path) == PaymentAccess::token);
    CHECK(payment_access("/api/payments") == PaymentAccess::token);
    CHECK(payment_access("/api/payments/p1") == PaymentAccess::token);
    CHECK(payment_access("/api/crm/webhook/paypal") == PaymentAccess::everybody);
    CHECK(payment_access("/api/crm/payments/tranzila/return/success") == PaymentAccess::everybody);
    CHECK(payment_access("/api/calls") == PaymentAccess::none);
    CHECK(payment_access("/api/paymentsx") == PaymentAccess::none);
    CHECK(payment_access("/api/payments/") == PaymentAccess::none);
    CHECK(is_routed("/api/payments/webhook"));  // Retired: the router answers 410 before anybody asks for a token.
}
