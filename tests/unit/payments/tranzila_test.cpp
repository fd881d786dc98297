// Answers in the shapes of Tranzila's documentation (DirectNG, Transaction Reports, Authentication).
#include "worker/payments/tranzila.hpp"

#include <nlohmann/json.hpp>

#include "tests/unit/payments/scripted_world.hpp"
#include "worker/form.hpp"

using namespace agentlocator;
using nlohmann::json;

namespace {

json transaction() {
    return {{"index", 1696},       {"amount", 10'050}, {"currency", "1"},       {"processor_response_code", "000"},
            {"txn_type", "DEBIT"}, {"tranmode", "A"},  {"user_defined_3", "p1"}};
}

struct TranzilaFixture : ScriptedWorld {
    PaymentRow payment{
        .id = "p1", .business = 7, .provider = "tranzila", .amount = 10'050, .currency = "ILS", .provider_id = "1696"};
    Tranzila tranzila{{.page_url = "https://page",
                       .report_url = "https://report",
                       .terminal = "leah",
                       .app_key = "app",
                       .secret = "secret",
                       .ca_file = {},
                       .return_base = "https://us"},
                      world};

    void reports(const json& one) { answer(200, json{{"error_code", 0}, {"transactions", json::array({one})}}.dump()); }
    FormFields page() {
        return *parse_form(HttpRequest{.method = "GET", .target = tranzila.create(payment)->url}.query());
    }
    // The notice that Tranzila's page would send, with `more` behind our own fields.
    HttpRequest notice(const std::string& more) {
        return {.method = "POST", .target = std::string(field(page(), "notify_url_address")), .body = more};
    }
    std::string status(const json& one) {
        reports(one);
        const auto news = tranzila.look(payment);
        return news ? news->status : std::string("error");
    }
};

}  // namespace

TEST_CASE("tranzila: the payment page's address asks for one charge of our amount") {
    TranzilaFixture fixture;
    const auto made = fixture.tranzila.create(fixture.payment);
    REQUIRE(made);
    CHECK(made->url.starts_with("https://page/leah/iframenew.php?sum=100.50&currency=1&tranmode=A&cred_type=1"));
    CHECK(made->provider_id.empty());
    const FormFields fields = fixture.page();
    CHECK(field(fields, "ordernum") == "p1");
    CHECK(field(fields, "udf") == "7");
    CHECK(
        field(fields, "notify_url_address").starts_with("https://us/api/crm/webhook/tranzila?ordernum=p1&udf=7&sig="));
    CHECK(field(fields, "success_url_address").starts_with("https://us/api/crm/payments/tranzila/return/success?"));
    CHECK(made->url.find("secret") == std::string::npos);
    CHECK(fixture.asked.empty());
    fixture.payment.currency = "JPY";
    CHECK(fixture.tranzila.create(fixture.payment).error().code == Errc::refused);
}

TEST_CASE("tranzila: a notice without our signature over this payment is forged") {
    TranzilaFixture fixture;
    const HttpRequest good = fixture.notice("index=1696&Response=000");
    CHECK(fixture.tranzila.prove(fixture.payment, good));
    CHECK(read_tranzila_notice(good).index == "1696");
    HttpRequest changed = good;
    changed.target.back() = changed.target.back() == '0' ? '1' : '0';
    CHECK(fixture.tranzila.prove(fixture.payment, changed).error().code == Errc::refused);
    CHECK_FALSE(fixture.tranzila.prove(fixture.payment, {.method = "POST", .target = "/x", .body = "index=1"}));
    for (PaymentRow other : {PaymentRow{.id = "p2", .business = 7, .amount = 10'050, .currency = "ILS"},
                             PaymentRow{.id = "p1", .business = 8, .amount = 10'050, .currency = "ILS"},
                             PaymentRow{.id = "p1", .business = 7, .amount = 10'051, .currency = "ILS"},
                             PaymentRow{.id = "p1", .business = 7, .amount = 10'050, .currency = "USD"}}) {
        CHECK_FALSE(fixture.tranzila.prove(other, good));
    }
    CHECK(fixture.asked.empty());
}

TEST_CASE("tranzila: the transaction is looked up by a signed request") {
    TranzilaFixture fixture;
    fixture.reports(transaction());
    const auto news = fixture.tranzila.look(fixture.payment);
    REQUIRE(news);
    CHECK(news->status == "paid");
    CHECK(news->amount == 10'050);
    CHECK(news->currency == "ILS");
    CHECK(news->event_id == "transaction:1696");
    REQUIRE(fixture.asked.size() == 1);
    CHECK(fixture.asked[0].url == "https://report/v1/transaction");
    CHECK(json::parse(fixture.asked[0].body) == json{{"terminal_name", "leah"}, {"transaction_index", 1696}});
    CHECK(fixture.asked_header(0, "X-tranzila-api-app-key") == "app");
    CHECK(fixture.asked_header(0, "X-tranzila-api-request-time") == "1790000000");
    CHECK(fixture.asked_header(0, "X-tranzila-api-nonce") == std::string(80, 'a'));
    // python3: hmac.new(b"secret1790000000" + b"a" * 80, b"app", "sha256").hexdigest()
    CHECK(fixture.asked_header(0, "X-tranzila-api-access-token") ==
          "7b55574e3d55d9680ea4cc7c56674968deed1a35ae9686637fb6125920deae1c");
}

TEST_CASE("tranzila: only an approved charge that carries our id has paid") {
    TranzilaFixture fixture;
    const auto with = [](const char* name, const json& value) {
        json one = transaction();
        one[name] = value;
        return one;
    };
    CHECK(fixture.status(transaction()) == "paid");
    CHECK(fixture.status(with("processor_response_code", "004")) == "failed");
    CHECK(fixture.status(with("processor_response_code", "")) == "failed");
    for (const char* type : {"CREDIT", "CANCEL", "VERIFY", "J2", ""}) {
        CHECK(fixture.status(with("txn_type", type)) == "failed");
    }
    CHECK(fixture.status(with("tranmode", "V")) == "failed");  // The payer changed the page's address.
    CHECK(fixture.status(with("user_defined_3", "p2")) == "error");
    fixture.reports(with("user_defined_3", "p2"));
    CHECK(fixture.tranzila.look(fixture.payment).error().code == Errc::refused);
}

TEST_CASE("tranzila: amounts and currencies are what the report says, whatever they are") {
    TranzilaFixture fixture;
    const auto look = [&](const char* name, const json& value) {
        json one = transaction();
        one[name] = value;
        fixture.reports(one);
        return *fixture.tranzila.look(fixture.payment);
    };
    CHECK(look("amount", "10050").amount == 10'050);
    CHECK(look("amount", 100.5).amount == 0);
    CHECK(look("amount", "100.50").amount == 0);
    CHECK(look("currency", 2).currency == "USD");
    CHECK(look("currency", "978").currency == "EUR");
    CHECK(look("currency", "36").currency == "36");
}

TEST_CASE("tranzila: a report that cannot be had, or is behind, is asked again later") {
    TranzilaFixture fixture;
    fixture.no_answer();
    CHECK(fixture.tranzila.look(fixture.payment).error().code == Errc::io);
    for (const auto& one : std::vector<std::pair<long, std::string>>{{401, "{}"},
                                                                     {500, ""},
                                                                     {200, ""},
                                                                     {200, "[]"},
                                                                     {200, R"({"transactions":[]})"},
                                                                     {200, R"({"error_code":20003})"}}) {
        CAPTURE(one.second);
        fixture.answer(one.first, one.second);
        CHECK(fixture.tranzila.look(fixture.payment).error().code == Errc::io);
    }
    fixture.payment.provider_id.clear();
    CHECK(fixture.tranzila.look(fixture.payment).error().code == Errc::io);
    CHECK(fixture.asked.size() == 7);
}

TEST_CASE("tranzila: the index of a notice is a number of at most eighteen digits") {
    const auto index = [](const std::string& body) {
        return read_tranzila_notice({.method = "POST", .target = "/x", .body = body}).index;
    };
    CHECK(index("index=" + std::string(18, '9')) == std::string(18, '9'));
    CHECK(index("index=" + std::string(19, '9')).empty());
    CHECK(index("index=-1").empty());
    CHECK(index("index=1%2F..").empty());
    CHECK(index("").empty());
}
