#include "worker/payments/paypal.hpp"

#include "common/text.hpp"
#include "store/clean_text.hpp"
#include "worker/payments/money.hpp"
#include "worker/providers/http_call.hpp"
#include "worker/providers/json_text.hpp"

namespace agentlocator {
namespace {

using nlohmann::json;

constexpr auto token_margin = std::chrono::seconds(60);  // It must not expire on its way.
constexpr std::size_t notice_header_bytes_max = 500;     // PayPal docs: the longest of them, the signature.
constexpr std::size_t order_id_bytes_max = 36;           // PayPal docs: Orders v2.
constexpr std::size_t url_bytes_max = 2000;
constexpr std::size_t detail_bytes_max = 200;

struct NoticeHeader {
    std::string_view member;
    std::string_view header;
};
constexpr NoticeHeader notice_headers[] = {{"auth_algo", "PAYPAL-AUTH-ALGO"},
                                           {"cert_url", "PAYPAL-CERT-URL"},
                                           {"transmission_id", "PAYPAL-TRANSMISSION-ID"},
                                           {"transmission_sig", "PAYPAL-TRANSMISSION-SIG"},
                                           {"transmission_time", "PAYPAL-TRANSMISSION-TIME"}};

// It becomes part of a path, and came from outside.
bool is_order_id(std::string_view id) {
    return !id.empty() && id.size() <= order_id_bytes_max &&
           id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") ==
               std::string_view::npos;
}

// {"name":"UNPROCESSABLE_ENTITY","details":[{"issue":"ORDER_NOT_APPROVED",...}],"debug_id":"..."}; of the token:
// {"error":"invalid_client",...}.
std::string issue_of(const json& document) {
    const json& details = array_at(document, "details");
    std::string issue = details.empty() ? std::string() : text_at(details[0], "issue");
    if (issue.empty()) {
        issue = text_at(document, "name");
    }
    return issue.empty() ? text_at(document, "error") : issue;
}

Error fault_of(long status, std::string_view body) {
    const json document = parse_json(body);
    std::string detail = "PayPal answered " + std::to_string(status);
    const std::string issue = issue_of(document);
    detail += issue.empty() ? "" : " " + issue;
    const std::string debug_id = text_at(document, "debug_id");
    detail += debug_id.empty() ? "" : " (debug id " + debug_id + ")";
    const bool again = status >= 500 || status == 401 || status == 408 || status == 409 || status == 429;
    return error(again ? Errc::io : Errc::refused, clean_text(detail, detail_bytes_max));
}

// Of an order: the first (and only) capture of our one purchase unit. Null: none.
const json* first_capture(const json& order) {
    const json& units = array_at(order, "purchase_units");
    if (units.empty()) {
        return nullptr;
    }
    const json& captures = array_at(object_at(units[0], "payments"), "captures");
    return captures.empty() ? nullptr : &captures[0];
}

std::string custom_id(const json& resource) {
    if (std::string own = text_at(resource, "custom_id"); !own.empty()) {
        return own;
    }
    const json& units = array_at(resource, "purchase_units");
    return units.empty() ? std::string() : text_at(units[0], "custom_id");
}

std::string status_of_capture(std::string_view status) {
    if (status == "COMPLETED" || status == "PARTIALLY_REFUNDED") {
        return "paid";
    }
    if (status == "PENDING") {
        return "pending";
    }
    if (status == "DECLINED" || status == "FAILED") {
        return "failed";
    }
    return status == "REFUNDED" ? "refunded" : "";
}

// An amount that cannot be read is 0, which is nobody's price: the payment becomes a mismatch, for a person to look at.
void read_money(const json& amount, PaymentNews& news) {
    news.currency = text_at(amount, "currency_code");
    const Currency* currency = find_currency(news.currency);
    news.amount = currency == nullptr ? 0 : read_amount(text_at(amount, "value"), *currency).value_or(0);
}

PaymentNews news_of_capture(const json& capture) {
    PaymentNews news{.status = status_of_capture(text_at(capture, "status")),
                     .payload = clean_text(dump_json(capture), payment_payload_bytes_max)};
    news.event_id = "capture:" + text_at(capture, "id") + ":" + text_at(capture, "status");
    read_money(object_at(capture, "amount"), news);
    return news;
}

// A refund tells what it gave back, and what all refunds did: a part of the price leaves the payment paid.
bool is_whole_refund(const json& refund, const PaymentRow& payment) {
    const json& sum = object_at(object_at(refund, "seller_payable_breakdown"), "total_refunded_amount");
    PaymentNews given;
    read_money(sum.empty() ? object_at(refund, "amount") : sum, given);
    return given.currency == payment.currency && given.amount >= payment.amount;
}

}  // namespace

std::string PayPalTokens::find(const std::string& client_id, TimePoint now) const {
    const auto found = tokens_.find(client_id);
    return found == tokens_.end() || now >= found->second.until ? std::string() : found->second.text;
}

void PayPalTokens::keep(const std::string& client_id, std::string token, TimePoint until) {
    if (tokens_.size() >= accounts_max && !tokens_.contains(client_id)) {
        tokens_.clear();
    }
    tokens_.insert_or_assign(client_id, Token{std::move(token), until});
}

Result<NoticeSubject> paypal_subject(const HttpRequest& notice) {
    const json event = parse_json(notice.body);
    if (!event.is_object() || text_at(event, "id").empty()) {
        return error(Errc::bad_message, "not an event");
    }
    NoticeSubject subject{.event_id = text_at(event, "id")};
    const std::string custom = custom_id(object_at(event, "resource"));
    const auto colon = custom.find(':');
    const auto business = parse_integer(std::string_view(custom).substr(0, colon));
    if (colon != std::string::npos && business) {
        subject.business = *business;
        subject.payment = custom.substr(colon + 1);
    }
    return subject;
}

Result<std::string> PayPal::token() {
    const TimePoint now = world_.now();
    if (std::string known = tokens_.find(account_.client_id, now); !known.empty()) {
        return known;
    }
    const HttpReply reply = world_.send({.method = "POST",
                                         .url = account_.url + "/v1/oauth2/token",
                                         .headers = {"Content-Type: application/x-www-form-urlencoded"},
                                         .body = "grant_type=client_credentials",
                                         .user = account_.client_id,
                                         .password = account_.client_secret,
                                         .ca_file = account_.ca_file,
                                         .most = payment_call_max});
    if (reply.status == 0) {
        return error(Errc::io, "PayPal does not answer: " + reply.error);
    }
    if (reply.status == 401) {  // Wrong keys, not a token that expired: asking again is no remedy.
        return error(Errc::bad_config, "PayPal refuses the client id and secret");
    }
    const json document = parse_json(reply.body);
    std::string text = text_at(document, "access_token");
    if (reply.status != 200 || text.empty()) {
        return fault_of(reply.status, reply.body);
    }
    const auto lives = std::chrono::seconds(static_cast<std::int64_t>(number_at(document, "expires_in", 0)));
    if (lives > token_margin) {
        tokens_.keep(account_.client_id, text, now + lives - token_margin);
    }
    return text;
}

Result<PayPal::Answer> PayPal::ask(const std::string& method, const std::string& path, const std::string& body,
                                   const std::string& request_id) {
    for (const bool last : {false, true}) {
        const auto bearer = token();
        if (!bearer) {
            return bearer.error();
        }
        WaitingHttpCall call{.method = method,
                             .url = account_.url + path,
                             .headers = {"Authorization: Bearer " + *bearer, "Accept: application/json",
                                         "Content-Type: application/json", "Prefer: return=representation"},
                             .body = body,
                             .ca_file = account_.ca_file,
                             .most = payment_call_max};
        if (!request_id.empty()) {
            call.headers.push_back("PayPal-Request-Id: " + request_id);
        }
        HttpReply reply = world_.send(call);
        if (reply.status == 0) {
            return error(Errc::io, "PayPal does not answer: " + reply.error);
        }
        if (reply.status != 401 || last) {
            return Answer{reply.status, std::move(reply.body)};
        }
        tokens_.forget(account_.client_id);  // It was revoked before its time.
    }
    return error(Errc::io, "unreachable");
}

Result<Checkout> PayPal::create(const PaymentRow& payment) {
    const Currency* currency = find_currency(payment.currency);
    if (currency == nullptr) {
        return error(Errc::refused, "PayPal takes no " + payment.currency);
    }
    const std::string back = account_.return_base + "/api/crm/payments/paypal/";
    json unit = {{"custom_id", std::to_string(payment.business) + ":" + payment.id},
                 {"invoice_id", payment.id}};  // PayPal takes one invoice only once: nobody pays twice.
    unit["amount"] = {{"currency_code", payment.currency}, {"value", amount_text(payment.amount, *currency)}};
    json order = {{"intent", "CAPTURE"}, {"purchase_units", json::array({unit})}};
    order["payment_source"]["paypal"]["experience_context"] = {
        {"user_action", "PAY_NOW"},
        {"shipping_preference", "NO_SHIPPING"},
        {"return_url", back + "return?payment=" + url_encode(payment.id)},
        {"cancel_url", back + "cancel?payment=" + url_encode(payment.id)}};
    const auto answer = ask("POST", "/v2/checkout/orders", dump_json(order), payment.id);
    if (!answer) {
        return answer.error();
    }
    if (answer->status != 200 && answer->status != 201) {
        return fault_of(answer->status, answer->body);
    }
    const json made = parse_json(answer->body);
    Checkout checkout{.provider_id = text_at(made, "id")};
    for (const json& link : array_at(made, "links")) {
        if (const std::string rel = text_at(link, "rel"); rel == "payer-action" || rel == "approve") {
            checkout.url = text_at(link, "href");
        }
    }
    if (!is_order_id(checkout.provider_id) || !checkout.url.starts_with("http") ||
        checkout.url.size() > url_bytes_max) {
        return error(Errc::io, "PayPal's answer names no order and page");
    }
    return checkout;
}

Result<void> PayPal::prove_signature(const HttpRequest& notice) {
    if (account_.webhook_id.empty()) {
        return error(Errc::bad_config, "PAYPAL_WEBHOOK_ID is not set, so notices cannot be checked");
    }
    // The event as it came: written anew it would be another text, and its signature wrong.
    json proof = {{"webhook_id", account_.webhook_id}};
    for (const NoticeHeader& one : notice_headers) {
        const auto value = notice.header(one.header);
        if (!value || value->empty() || value->size() > notice_header_bytes_max) {
            return error(Errc::refused, "no valid header " + std::string(one.header));
        }
        proof[std::string(one.member)] = valid_text(*value);
    }
    std::string body = dump_json(proof);
    body.pop_back();
    body += ",\"webhook_event\":" + notice.body + "}";
    const auto answer = ask("POST", "/v1/notifications/verify-webhook-signature", body);
    if (!answer) {
        return answer.error();
    }
    const std::string verdict = text_at(parse_json(answer->body), "verification_status");
    if (answer->status == 200 && verdict == "SUCCESS") {
        return {};
    }
    if (answer->status == 200 && verdict == "FAILURE") {
        return error(Errc::refused, "PayPal did not sign this notice");
    }
    return answer->status == 200 ? error(Errc::io, "PayPal gave no verdict") : fault_of(answer->status, answer->body);
}

Result<PaymentNews> PayPal::prove(const PaymentRow& payment, const HttpRequest& notice) {
    if (auto genuine = prove_signature(notice); !genuine) {
        return genuine.error();
    }
    const json event = parse_json(notice.body);
    const std::string type = text_at(event, "event_type");
    const json& resource = object_at(event, "resource");
    PaymentNews news{.payload = clean_text(notice.body, payment_payload_bytes_max)};
    if (type == "CHECKOUT.ORDER.APPROVED") {
        auto outcome = look(payment);
        if (!outcome) {
            return outcome.error();
        }
        news = std::move(*outcome);
    } else if (type.starts_with("PAYMENT.CAPTURE.")) {
        read_money(object_at(resource, "amount"), news);
        const std::string what = type.substr(16);
        if (what == "REVERSED" || (what == "REFUNDED" && is_whole_refund(resource, payment))) {
            news.status = "refunded";
        } else if (what != "REFUNDED") {
            news.status = status_of_capture(what == "DENIED" ? "DECLINED" : what);
        }
    }
    news.event_id = text_at(event, "id");
    return news;
}

Result<PaymentNews> PayPal::look(const PaymentRow& payment) {
    if (!is_order_id(payment.provider_id)) {
        return error(Errc::io, "PayPal's order is not known yet");
    }
    const auto answer = ask("GET", "/v2/checkout/orders/" + payment.provider_id);
    if (!answer) {
        return answer.error();
    }
    if (answer->status == 404) {  // PayPal forgets an order that nobody approved.
        return PaymentNews{.event_id = "order:" + payment.provider_id + ":gone", .status = "failed"};
    }
    if (answer->status != 200) {
        return fault_of(answer->status, answer->body);
    }
    const json order = parse_json(answer->body);
    if (const json* captured = first_capture(order)) {
        return news_of_capture(*captured);
    }
    const std::string status = text_at(order, "status");
    if (status == "APPROVED") {
        return capture(payment);
    }
    return PaymentNews{.event_id = "order:" + payment.provider_id + ":" + status,
                       .status = status == "VOIDED" ? "failed" : ""};
}

Result<PaymentNews> PayPal::capture(const PaymentRow& payment) {
    const auto answer =
        ask("POST", "/v2/checkout/orders/" + payment.provider_id + "/capture", "{}", "capture-" + payment.id);
    if (!answer) {
        return answer.error();
    }
    const json document = parse_json(answer->body);
    if (answer->status == 200 || answer->status == 201) {
        const json* captured = first_capture(document);
        return captured != nullptr ? Result<PaymentNews>(news_of_capture(*captured))
                                   : Result<PaymentNews>(error(Errc::io, "PayPal's answer names no capture"));
    }
    // The payer's means were refused; he may choose others on the same page. Captured by somebody else meanwhile: the
    // next look finds it.
    if (answer->status == 422 && issue_of(document) == "INSTRUMENT_DECLINED") {
        return PaymentNews{.event_id = "order:" + payment.provider_id + ":declined",
                           .status = "failed",
                           .payload = clean_text(answer->body, payment_payload_bytes_max)};
    }
    return answer->status == 422 ? error(Errc::io, fault_of(422, answer->body).detail)
                                 : fault_of(answer->status, answer->body);
}

}  // namespace agentlocator
