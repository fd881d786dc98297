#include "worker/payments/tranzila.hpp"

#include <algorithm>

#include "common/text.hpp"
#include "store/clean_text.hpp"
#include "worker/digest.hpp"
#include "worker/form.hpp"
#include "worker/payments/money.hpp"
#include "worker/providers/http_call.hpp"
#include "worker/providers/json_text.hpp"

namespace agentlocator {
namespace {

using nlohmann::json;

constexpr std::size_t index_digits_max = 18;  // Fits an integer; they are counted up by the terminal.

// A user-defined field of the transaction holds the payment's id; which one, the terminal's settings say.
bool carries(const json& transaction, const std::string& id) {
    return std::any_of(transaction.begin(), transaction.end(), [&](const json& value) {
        return value.is_string() && value.get_ref<const std::string&>() == id;
    });
}

// A charge, and not a refund, a cancellation, a card check or the holding of an amount.
bool is_charge(const json& transaction) {
    const std::string mode = text_at(transaction, "tranmode");
    return equal_no_case(text_at(transaction, "txn_type"), "DEBIT") && (mode.empty() || mode.starts_with('A'));
}

// Tranzila docs, Transaction Reports: `amount` in the smallest unit of the currency; a number, or a text of digits.
std::int64_t read_minor_units(const json& transaction) {
    return parse_integer(text_or_number_at(transaction, "amount")).value_or(0);
}

std::string currency_of(const json& transaction) {
    const std::string number = text_or_number_at(transaction, "currency");
    for (const std::string_view code : {"ILS", "USD", "EUR", "GBP"}) {
        if (number == find_currency(code)->tranzila || number == code) {
            return std::string(code);
        }
    }
    return number;
}

}  // namespace

TranzilaNotice read_tranzila_notice(const HttpRequest& notice) {
    const auto query = parse_form(notice.query());
    const auto form = parse_form(notice.body);
    const auto value = [&](std::string_view name) {
        const auto ours = query ? find_field(*query, name) : std::nullopt;
        const auto theirs = form ? find_field(*form, name) : std::nullopt;
        return std::string(ours ? *ours : theirs.value_or(""));
    };
    TranzilaNotice read{.business = parse_integer(value("udf")).value_or(0),
                        .payment = value("ordernum"),
                        .signature = value("sig"),
                        .index = value("index")};
    if (read.index.size() > index_digits_max || read.index.find_first_not_of("0123456789") != std::string::npos) {
        read.index.clear();
    }
    return read;
}

std::string Tranzila::signature(const PaymentRow& payment) const {
    const std::string digest =
        hmac_sha256(account_.secret, "tranzila-notify/" + std::to_string(payment.business) + "/" + payment.id + "/" +
                                         std::to_string(payment.amount) + "/" + payment.currency);
    return hex(digest.data(), digest.size());
}

Result<Checkout> Tranzila::create(const PaymentRow& payment) {
    const Currency* currency = find_currency(payment.currency);
    if (currency == nullptr || currency->tranzila.empty()) {
        return error(Errc::refused, "Tranzila takes no " + payment.currency);
    }
    const std::string order = "?ordernum=" + url_encode(payment.id) + "&udf=" + std::to_string(payment.business) +
                              "&sig=" + signature(payment);
    const std::string base = account_.return_base + "/api/crm/";
    // tranmode A, cred_type 1: a charge at once, in one part.
    std::string url = account_.page_url + "/" + account_.terminal +
                      "/iframenew.php?sum=" + amount_text(payment.amount, *currency) +
                      "&currency=" + std::string(currency->tranzila) +
                      "&tranmode=A&cred_type=1&lang=il&ordernum=" + url_encode(payment.id) +
                      "&udf=" + std::to_string(payment.business);
    url += "&notify_url_address=" + url_encode(base + "webhook/tranzila" + order);
    url += "&success_url_address=" + url_encode(base + "payments/tranzila/return/success" + order);
    url += "&fail_url_address=" + url_encode(base + "payments/tranzila/return/fail" + order);
    return Checkout{.provider_id = {}, .url = std::move(url)};
}

Result<PaymentNews> Tranzila::prove(const PaymentRow& payment, const HttpRequest& notice) {
    const TranzilaNotice read = read_tranzila_notice(notice);
    if (!equal_constant_time(read.signature, signature(payment))) {
        return error(Errc::refused, "the notice does not carry our signature");
    }
    return PaymentNews{};
}

Result<PaymentNews> Tranzila::look(const PaymentRow& payment) {
    const auto index = parse_integer(payment.provider_id);
    if (!index) {
        return error(Errc::io, "Tranzila's transaction is not known yet");
    }
    const std::string time = std::to_string(world_.unix_ms() / 1000);
    const std::string nonce = world_.nonce();
    const std::string access = hmac_sha256(account_.secret + time + nonce, account_.app_key);
    const json asked = {{"terminal_name", account_.terminal}, {"transaction_index", *index}};
    const HttpReply reply =
        world_.send({.method = "POST",
                     .url = account_.report_url + "/v1/transaction",
                     .headers = {"Content-Type: application/json", "X-tranzila-api-app-key: " + account_.app_key,
                                 "X-tranzila-api-request-time: " + time, "X-tranzila-api-nonce: " + nonce,
                                 "X-tranzila-api-access-token: " + hex(access.data(), access.size())},
                     .body = dump_json(asked),
                     .ca_file = account_.ca_file,
                     .most = payment_call_max});
    if (reply.status == 0) {
        return error(Errc::io, "Tranzila does not answer: " + reply.error);
    }
    const json document = parse_json(reply.body);
    const json& rows = array_at(document, "transactions");
    if (reply.status != 200 || !document.is_object() || rows.empty()) {
        // An answer without the transaction is the same: the report may be behind what happened.
        return error(Errc::io, "Tranzila answered " + std::to_string(reply.status) + " without the transaction");
    }
    const json& transaction = rows[0];
    if (!carries(transaction, payment.id)) {
        return error(Errc::refused, "that transaction does not carry this payment's id in a user-defined field");
    }
    const bool approved = text_or_number_at(transaction, "processor_response_code") == "000" && is_charge(transaction);
    return PaymentNews{.event_id = "transaction:" + std::to_string(*index),
                       .status = approved ? "paid" : "failed",
                       .amount = read_minor_units(transaction),
                       .currency = currency_of(transaction),
                       .payload = clean_text(dump_json(transaction), payment_payload_bytes_max)};
}

}  // namespace agentlocator
