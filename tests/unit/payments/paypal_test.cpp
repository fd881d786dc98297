// Answers in the shapes of PayPal's documentation (Orders v2, Webhooks).
#include "worker/payments/paypal.hpp"

#include <nlohmann/json.hpp>

#include "tests/unit/payments/scripted_world.hpp"

using namespace agentlocator;
using nlohmann::json;

namespace {

constexpr const char* token_answer = R"({"scope":"x","access_token":"A21AA","token_type":"Bearer","expires_in":32400})";

std::string capture_of(const std::string& status, const std::string& value) {
    return R"({"id":"3C679366HH908993F","status":")" + status + R"(","amount":{"currency_code":"ILS","value":")" +
           value + R"("},"custom_id":"7:p1"})";
}
std::string order_of(const std::string& status, const std::string& captures = "") {
    return R"({"id":"5O190127TN364715T","status":")" + status +
           R"(","purchase_units":[{"reference_id":"default","payments":{"captures":[)" + captures + "]}}]}";
}

struct PayPalFixture : ScriptedWorld {
    PayPalTokens tokens;
    PaymentRow payment{.id = "p1",
                       .business = 7,
                       .provider = "paypal",
                       .amount = 10'050,
                       .currency = "ILS",
                       .provider_id = "5O190127TN364715T"};
    std::string webhook_id = "WH1";

    PayPal paypal() {
        return {{.url = "https://pp",
                 .client_id = "id",
                 .client_secret = "secret",
                 .webhook_id = webhook_id,
                 .ca_file = {},
                 .return_base = "https://us"},
                world,
                tokens};
    }
    static HttpRequest notice(const std::string& body) {
        return {.method = "POST",
                .target = "/api/crm/webhook/paypal",
                .headers = {{"Paypal-Transmission-Id", "d938e770"},
                            {"Paypal-Transmission-Time", "2026-09-21T22:00:46Z"},
                            {"Paypal-Transmission-Sig", "c2ln"},
                            {"Paypal-Cert-Url", "https://api.paypal.com/v1/notifications/certs/CERT-1"},
                            {"Paypal-Auth-Algo", "SHA256withRSA"}},
                .body = body};
    }
    static std::string event(const std::string& type, const std::string& resource) {
        return R"({"id":"WH-9UG","event_type":")" + type + R"(","resource":)" + resource + "}";
    }
    void genuine() { answer(200, R"({"verification_status":"SUCCESS"})"); }
};

}  // namespace

TEST_CASE("paypal: an order names amount, currency and payment, and is safe to ask for again") {
    PayPalFixture fixture;
    fixture.answer(200, token_answer);
    fixture.answer(201, R"({"id":"5O190127TN364715T","status":"PAYER_ACTION_REQUIRED","links":[
        {"href":"https://pp/v2/checkout/orders/5O","rel":"self","method":"GET"},
        {"href":"https://www.paypal.com/checkoutnow?token=5O","rel":"payer-action","method":"GET"}]})");
    const auto made = fixture.paypal().create(fixture.payment);
    REQUIRE(made);
    CHECK(made->provider_id == "5O190127TN364715T");
    CHECK(made->url == "https://www.paypal.com/checkoutnow?token=5O");
    REQUIRE(fixture.asked.size() == 2);
    CHECK(fixture.asked[0].url == "https://pp/v1/oauth2/token");
    CHECK(fixture.asked[0].user == "id");
    CHECK(fixture.asked[0].password == "secret");
    CHECK(fixture.asked[0].body == "grant_type=client_credentials");
    CHECK(fixture.asked_header(1, "Authorization") == "Bearer A21AA");
    CHECK(fixture.asked_header(1, "PayPal-Request-Id") == "p1");
    const json order = json::parse(fixture.asked[1].body);
    CHECK(order["intent"] == "CAPTURE");
    REQUIRE(order["purchase_units"].is_array());
    CHECK(order["purchase_units"][0]["custom_id"] == "7:p1");
    CHECK(order["purchase_units"][0]["amount"] == json{{"currency_code", "ILS"}, {"value", "100.50"}});
    CHECK(order["payment_source"]["paypal"]["experience_context"]["return_url"] ==
          "https://us/api/crm/payments/paypal/return?payment=p1");
}

TEST_CASE("paypal: a token is kept until shortly before it expires, and asked for anew when it is refused") {
    PayPalFixture fixture;
    fixture.answer(200, token_answer);
    fixture.answer(200, order_of("CREATED"));
    REQUIRE(fixture.paypal().look(fixture.payment));
    fixture.answer(200, order_of("CREATED"));
    REQUIRE(fixture.paypal().look(fixture.payment));
    CHECK(fixture.asked.size() == 3);
    fixture.now += std::chrono::seconds(32'400 - 60);
    fixture.answer(200, token_answer);
    fixture.answer(401, R"({"error":"invalid_token"})");
    fixture.answer(200, token_answer);
    fixture.answer(200, order_of("CREATED"));
    REQUIRE(fixture.paypal().look(fixture.payment));
    CHECK(fixture.asked.size() == 7);
}

TEST_CASE("paypal: what cannot be had now is told apart from what is refused") {
    const auto fault = [](long status, const std::string& body) {
        PayPalFixture fixture;
        fixture.answer(200, token_answer);
        fixture.answer(status, body);
        const auto made = fixture.paypal().create(fixture.payment);
        REQUIRE_FALSE(made);
        return made.error();
    };
    CHECK(fault(503, "<html>").code == Errc::io);
    CHECK(fault(429, "{}").code == Errc::io);
    const Error refused =
        fault(422, R"({"name":"UNPROCESSABLE_ENTITY","details":[{"issue":"CURRENCY_NOT_SUPPORTED"}],"debug_id":"b1"})");
    CHECK(refused.code == Errc::refused);
    CHECK(refused.detail == "PayPal answered 422 CURRENCY_NOT_SUPPORTED (debug id b1)");
    CHECK(fault(201, "{}").code == Errc::io);  // An answer without an order.
    PayPalFixture silent;
    silent.no_answer();
    CHECK(silent.paypal().create(silent.payment).error().code == Errc::io);
    PayPalFixture stranger;
    stranger.answer(401, R"({"error":"invalid_client","error_description":"Client Authentication failed"})");
    const Error keys = stranger.paypal().create(stranger.payment).error();
    CHECK(keys.code == Errc::bad_config);
    CHECK(keys.detail.find("secret\"") == std::string::npos);
}

TEST_CASE("paypal: an approved order is captured once, whoever asks") {
    PayPalFixture fixture;
    fixture.answer(200, token_answer);
    fixture.answer(200, order_of("APPROVED"));
    fixture.answer(201, order_of("COMPLETED", capture_of("COMPLETED", "100.50")));
    const auto news = fixture.paypal().look(fixture.payment);
    REQUIRE(news);
    CHECK(news->status == "paid");
    CHECK(news->amount == 10'050);
    CHECK(news->currency == "ILS");
    CHECK(news->event_id == "capture:3C679366HH908993F:COMPLETED");
    CHECK(fixture.asked[2].url == "https://pp/v2/checkout/orders/5O190127TN364715T/capture");
    CHECK(fixture.asked_header(2, "PayPal-Request-Id") == "capture-p1");
    fixture.answer(200, order_of("COMPLETED", capture_of("COMPLETED", "100.50")));
    CHECK(fixture.paypal().look(fixture.payment)->status == "paid");
    CHECK(fixture.asked.size() == 4);  // Captured already: looked at only.
}

TEST_CASE("paypal: each state of an order") {
    const auto status = [](const std::string& order, long answer = 200) {
        PayPalFixture fixture;
        fixture.answer(200, token_answer);
        fixture.answer(answer, order);
        const auto news = fixture.paypal().look(fixture.payment);
        return news ? news->status : std::string("error");
    };
    CHECK(status(order_of("CREATED")).empty());
    CHECK(status(order_of("PAYER_ACTION_REQUIRED")).empty());
    CHECK(status(order_of("VOIDED")) == "failed");
    CHECK(status(order_of("COMPLETED", capture_of("PENDING", "100.50"))) == "pending");
    CHECK(status(order_of("COMPLETED", capture_of("DECLINED", "100.50"))) == "failed");
    CHECK(status(order_of("COMPLETED", capture_of("REFUNDED", "100.50"))) == "refunded");
    CHECK(status(order_of("COMPLETED", capture_of("PARTIALLY_REFUNDED", "100.50"))) == "paid");
    CHECK(status(order_of("COMPLETED", capture_of("WHAT", "100.50"))).empty());
    CHECK(status(R"({"name":"RESOURCE_NOT_FOUND"})", 404) == "failed");
    CHECK(status("not json").empty());
    CHECK(status("{}", 500) == "error");
}

TEST_CASE("paypal: an amount that cannot be read is nobody's price") {
    for (const char* value : {"100.505", "", "x", "-1", "99999999999"}) {
        PayPalFixture fixture;
        fixture.answer(200, token_answer);
        fixture.answer(200, order_of("COMPLETED", capture_of("COMPLETED", value)));
        CHECK(fixture.paypal().look(fixture.payment)->amount == 0);
    }
}

TEST_CASE("paypal: a notice is believed only when PayPal says that it sent it, with the event as it came") {
    PayPalFixture fixture;
    fixture.answer(200, token_answer);
    fixture.genuine();
    // Blanks and an escape that another writer would not reproduce.
    const std::string body =
        PayPalFixture::event("PAYMENT.CAPTURE.COMPLETED",
                             R"({ "id":"3C", "note":"\u05d0", "amount":{"currency_code":"ILS","value":"100.50"}})");
    const auto news = fixture.paypal().prove(fixture.payment, PayPalFixture::notice(body));
    REQUIRE(news);
    CHECK(news->status == "paid");
    CHECK(news->event_id == "WH-9UG");
    CHECK(news->amount == 10'050);
    const std::string& asked = fixture.asked[1].body;
    CHECK(fixture.asked[1].url == "https://pp/v1/notifications/verify-webhook-signature");
    CHECK(asked.find("\"webhook_event\":" + body) != std::string::npos);
    const json proof = json::parse(asked);
    CHECK(proof["webhook_id"] == "WH1");
    CHECK(proof["transmission_id"] == "d938e770");
    CHECK(proof["cert_url"] == "https://api.paypal.com/v1/notifications/certs/CERT-1");
    CHECK(proof["auth_algo"] == "SHA256withRSA");
}

TEST_CASE("paypal: forged notices, missing headers and missing settings") {
    const std::string body = PayPalFixture::event("PAYMENT.CAPTURE.COMPLETED", "{}");
    PayPalFixture forged;
    forged.answer(200, token_answer);
    forged.answer(200, R"({"verification_status":"FAILURE"})");
    CHECK(forged.paypal().prove(forged.payment, PayPalFixture::notice(body)).error().code == Errc::refused);
    PayPalFixture unclear;
    unclear.answer(200, token_answer);
    unclear.answer(200, "<html>");
    CHECK(unclear.paypal().prove(unclear.payment, PayPalFixture::notice(body)).error().code == Errc::io);
    PayPalFixture bare;
    HttpRequest without = PayPalFixture::notice(body);
    without.headers.pop_back();
    CHECK(bare.paypal().prove(bare.payment, without).error().code == Errc::refused);
    CHECK(bare.asked.empty());  // It cost no request.
    HttpRequest longer = PayPalFixture::notice(body);
    longer.headers[2].value = std::string(501, 's');
    CHECK(bare.paypal().prove(bare.payment, longer).error().code == Errc::refused);
    CHECK(bare.asked.empty());
    bare.webhook_id.clear();
    CHECK(bare.paypal().prove(bare.payment, PayPalFixture::notice(body)).error().code == Errc::bad_config);
}

TEST_CASE("paypal: what each event means") {
    const auto status = [](const std::string& type, const std::string& resource) {
        PayPalFixture fixture;
        fixture.answer(200, token_answer);
        fixture.genuine();
        return fixture.paypal()
            .prove(fixture.payment, PayPalFixture::notice(PayPalFixture::event(type, resource)))
            ->status;
    };
    const std::string whole = R"({"amount":{"currency_code":"ILS","value":"100.50"}})";
    CHECK(status("PAYMENT.CAPTURE.PENDING", whole) == "pending");
    CHECK(status("PAYMENT.CAPTURE.DENIED", whole) == "failed");
    CHECK(status("PAYMENT.CAPTURE.REVERSED", whole) == "refunded");
    CHECK(status("PAYMENT.CAPTURE.REFUNDED", whole) == "refunded");
    CHECK(status("PAYMENT.CAPTURE.REFUNDED", R"({"amount":{"currency_code":"ILS","value":"0.50"}})").empty());
    CHECK(status("PAYMENT.CAPTURE.REFUNDED", R"({"amount":{"currency_code":"ILS","value":"0.50"},
        "seller_payable_breakdown":{"total_refunded_amount":{"currency_code":"ILS","value":"100.50"}}})") ==
          "refunded");
    CHECK(status("CUSTOMER.DISPUTE.CREATED", whole).empty());
    PayPalFixture approved;
    approved.answer(200, token_answer);
    approved.genuine();
    approved.answer(200, order_of("APPROVED"));
    approved.answer(201, order_of("COMPLETED", capture_of("COMPLETED", "100.50")));
    const auto news = approved.paypal().prove(
        approved.payment, PayPalFixture::notice(PayPalFixture::event("CHECKOUT.ORDER.APPROVED", "{}")));
    CHECK(news->status == "paid");
    CHECK(news->event_id == "WH-9UG");
}

TEST_CASE("paypal: which payment a notice is about") {
    const auto subject = [](const std::string& body) {
        return paypal_subject({.method = "POST", .target = "/", .body = body});
    };
    const auto capture = subject(R"({"id":"WH-1","resource":{"custom_id":"7:p1"}})");
    REQUIRE(capture);
    CHECK(capture->business == 7);
    CHECK(capture->payment == "p1");
    CHECK(subject(R"({"id":"WH-1","resource":{"purchase_units":[{"custom_id":"8:p2"}]}})")->payment == "p2");
    for (const char* custom : {"", "p1", "x:p1", ":", "7"}) {
        CHECK(subject(std::string(R"({"id":"WH-1","resource":{"custom_id":")") + custom + "\"}}")->payment.empty());
    }
    for (const char* body : {"", "[]", "{", "null", "{}", R"({"id":5})", R"({"id":""})"}) {
        CAPTURE(body);
        CHECK_FALSE(subject(body));
    }
}
