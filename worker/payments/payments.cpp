#include "worker/payments/payments.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/log_line.hpp"
#include "common/text.hpp"
#include "store/apply.hpp"
#include "store/business_settings.hpp"
#include "worker/api/api_reply.hpp"
#include "worker/digest.hpp"
#include "worker/form.hpp"
#include "worker/http_reply.hpp"
#include "worker/payments/money.hpp"
#include "worker/payments/payment_accounts.hpp"
#include "worker/payments/tranzila.hpp"

namespace agentlocator {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view list_path = "/api/payments";
constexpr std::string_view create_path = "/api/crm/payments/create";
constexpr std::size_t idempotency_bytes_max = 200;
constexpr std::int64_t per_page_max = 100;

struct Asked {
    const HttpRequest& http;
    std::string_view path;
    PaymentContext& context;
};

// Bodies of the original: {"error": ...} and no more.
RouteResult refused(unsigned status, std::string_view what) {
    return {.answer = api_reply(status, {{"error", what}})};
}

RouteResult later() {
    return {.answer = api_error(503, "not now; ask again")};
}

PaymentEventFact fact_of(const PaymentRow& payment, PaymentNews news, std::int64_t now_ms) {
    return {.provider = payment.provider,
            .event_id = std::move(news.event_id),
            .payment_id = payment.id,
            .status = std::move(news.status),
            .payload = std::move(news.payload),
            .amount = news.amount,
            .currency = std::move(news.currency),
            .at = now_ms};
}

std::string event_line(const PaymentRow& payment, const PaymentNews& news) {
    return log_line("payment_event", {{"payment", payment.id},
                                      {"provider", payment.provider},
                                      {"status", news.status.empty() ? "-" : news.status},
                                      {"event", log_cut(news.event_id)}});
}

std::string failed_line(const PaymentRow& payment, const Error& fault) {
    return log_line("payment_provider_failed",
                    {{"payment", payment.id}, {"provider", payment.provider}, {"cause", fault.detail}});
}

// ---- create

struct NewPayment {
    PaymentRow row;
    std::string key;  // Idempotency key; empty: none.
};

// Error bad_message: what is malformed.
Result<NewPayment> read_request(const HttpRequest& request) {
    const Json body = Json::parse(request.body, nullptr, false);
    const auto wrong = [](const char* what) { return error(Errc::bad_message, what); };
    if (!body.is_object()) {
        return wrong("the body must be a JSON object");
    }
    NewPayment made;
    const auto whole = [&](const char* name) -> std::optional<std::int64_t> {
        const auto found = body.find(name);
        const bool fits = found != body.end() && found->is_number_integer() &&
                          (!found->is_number_unsigned() || found->get<std::uint64_t>() <= INT64_MAX);
        return fits ? std::optional(found->get<std::int64_t>()) : std::nullopt;
    };
    const auto word = [&](const char* name, const char* otherwise) -> std::optional<std::string> {
        const auto found = body.find(name);
        if (found == body.end() || found->is_null()) {
            return otherwise;
        }
        return found->is_string() ? std::optional(found->get<std::string>()) : std::nullopt;
    };
    const auto business = whole("business_id");
    const auto amount = whole("amount");
    const auto currency = word("currency", "ILS");
    const auto provider = word("provider", "");
    const auto key = word("idempotency_key", "");
    if (!business) {
        return wrong("\"business_id\" must be an integer");
    }
    if (!amount || *amount < payment_amount_min || *amount > payment_amount_max) {
        return wrong("\"amount\" must be an integer in minor units (agorot, cents), 1 to 999999999");
    }
    if (!currency || find_currency(*currency) == nullptr) {
        return wrong("\"currency\" must be one that is taken, in capitals: ILS, USD, EUR ...");
    }
    if (!provider || (!provider->empty() && *provider != "paypal" && *provider != "tranzila")) {
        return wrong("\"provider\" must be paypal or tranzila");
    }
    const auto header = request.header("Idempotency-Key");
    made.key = header ? std::string(*header) : key.value_or("");
    if (!key || made.key.size() > idempotency_bytes_max) {
        return wrong("the idempotency key is no text, or too long");
    }
    made.row = {.business = *business, .provider = *provider, .amount = *amount, .currency = *currency};
    return made;
}

std::string payment_id(std::int64_t business, std::string_view key) {
    const std::string digest = sha256("payment/" + std::to_string(business) + "/" + std::string(key));
    return "p" + hex(digest.data(), 16);
}

HttpResponse created_answer(const PaymentRow& payment) {
    Json document = {{"ok", true}, {"success", true}, {"payment_id", payment.id}, {"note", payment.note}};
    if (payment.provider == "paypal") {
        document["order_id"] = payment.provider_id;
        document["approve_url"] = payment.url;
    } else {
        document["redirect_url"] = payment.url;
    }
    return api_reply(200, document);
}

RouteResult ask_provider(PaymentProvider& provider, PaymentRow payment, PaymentContext& context) {
    const auto checkout = provider.create(payment);
    PaymentAnswer answer;
    if (checkout) {
        answer = {.provider_id = checkout->provider_id, .url = checkout->url, .note = "created"};
        payment.provider_id = checkout->provider_id;
        payment.url = checkout->url;
    } else {
        answer = {.note = checkout.error().detail, .refused = checkout.error().code == Errc::refused};
    }
    payment.note = answer.note;
    if (auto noted = note_payment_answer(*context.database, payment.id, answer, context.now_ms); !noted) {
        return later();  // Asked again under the same key, it is the same order.
    }
    if (!checkout) {
        return {.answer = api_reply(
                    202, {{"ok", false}, {"success", false}, {"payment_id", payment.id}, {"note", answer.note}}),
                .log = {failed_line(payment, checkout.error())}};
    }
    return {.answer = created_answer(payment),
            .log = {log_line("payment_created", {{"payment", payment.id},
                                                 {"business", payment.business},
                                                 {"provider", payment.provider},
                                                 {"amount", payment.amount},
                                                 {"currency", payment.currency}})}};
}

// The row of this payment: a new one, or that of before under the same key.
Result<PaymentRow> begin_payment(const PaymentRow& payment, PaymentContext& context) {
    const auto added = add_payment(*context.database, payment);
    if (!added) {
        return added.error();
    }
    if (*added) {
        return payment;
    }
    const auto known = find_payment(*context.database, payment.id);
    if (!known || !*known) {
        return known ? error(Errc::io, "a payment vanished") : known.error();
    }
    const PaymentRow& before = **known;
    if (before.business != payment.business || before.amount != payment.amount || before.currency != payment.currency ||
        before.provider != payment.provider) {
        return error(Errc::refused, "this idempotency key was used for another payment");
    }
    return before;
}

RouteResult create(const Asked& asked) {
    PaymentContext& context = asked.context;
    auto made = read_request(asked.http);
    if (!made) {
        return {.answer = api_error(400, made.error().detail)};
    }
    if (!context.settings.payments.enabled) {
        return refused(501, "Payments system disabled");
    }
    if (context.database == nullptr) {
        return later();
    }
    PaymentRow& payment = made->row;
    const auto business = business_payments(*context.database, payment.business);
    if (!business) {
        return later();
    }
    if (!*business) {
        return refused(404, "Business not found");
    }
    if (!(*business)->enabled) {
        return refused(403, "Payment processing not authorized for this business");
    }
    if (payment.provider.empty()) {
        payment.provider = (*business)->provider.empty() ? "paypal" : (*business)->provider;
    }
    const auto account = open_account(context, payment.business, payment.provider);
    if (!account) {
        return later();
    }
    if (!account->provider) {
        RouteResult result =
            refused(501, payment.provider == "paypal" ? "PayPal not configured" : "Tranzila not configured");
        result.log.push_back(
            log_line("payment_not_configured",
                     {{"business", payment.business}, {"provider", payment.provider}, {"remedy", account->missing}}));
        return result;
    }
    if (payment.provider == "tranzila" && find_currency(payment.currency)->tranzila.empty()) {
        return {.answer = api_error(400, "Tranzila takes ILS, USD, EUR and GBP")};
    }
    payment.id = made->key.empty() ? context.random_id : payment_id(payment.business, made->key);
    payment.created_at = context.now_ms;
    const auto begun = begin_payment(payment, context);
    if (!begun) {
        return begun.error().code == Errc::refused ? RouteResult{.answer = api_error(409, begun.error().detail)}
                                                   : later();
    }
    return begun->url.empty() ? ask_provider(*account->provider, *begun, context)
                              : RouteResult{.answer = created_answer(*begun)};
}

// ---- reading

RouteResult list(const Asked& asked) {
    if (asked.context.database == nullptr) {
        return later();
    }
    const auto query = parse_form(asked.http.query());
    const auto number = [&](std::string_view name) {
        return query ? parse_integer(field(*query, name)) : std::nullopt;
    };
    const std::int64_t per_page = std::clamp<std::int64_t>(number("per_page").value_or(50), 1, per_page_max);
    const std::int64_t page = std::clamp<std::int64_t>(number("page").value_or(1), 1, INT64_MAX / per_page_max);
    const auto table =
        list_payments(*asked.context.database,
                      {.business = number("business_id"), .limit = per_page, .offset = (page - 1) * per_page});
    if (!table) {
        return later();
    }
    Json document = {{"success", true}, {"ok", true}, {"payments", to_json(*table)}};
    document["page"] = page;
    document["per_page"] = per_page;
    return {.answer = api_reply(200, document)};
}

RouteResult show(const Asked& asked, const std::string& id) {
    if (asked.context.database == nullptr) {
        return later();
    }
    const auto payment = find_payment(*asked.context.database, id);
    const auto events = list_payment_events(*asked.context.database, id);
    if (!payment || !events) {
        return later();
    }
    if (!*payment) {
        return {.answer = api_error(404, "no such payment")};
    }
    const PaymentRow& row = **payment;
    Json document = {{"success", true}, {"ok", true}};
    document["payment"] = {{"id", row.id},         {"business_id", row.business},    {"provider", row.provider},
                           {"amount", row.amount}, {"currency", row.currency},       {"status", row.status},
                           {"note", row.note},     {"provider_id", row.provider_id}, {"url", row.url}};
    document["events"] = to_json(*events);
    return {.answer = api_reply(200, document)};
}

// ---- notices

// A payment of ours and its account; nothing when it is none of ours.
struct Subject {
    PaymentRow payment;
    std::unique_ptr<PaymentProvider> provider;
};
Result<std::optional<Subject>> find_subject(PaymentContext& context, std::string_view provider, const std::string& id,
                                            std::int64_t business) {
    if (id.empty() || !context.settings.payments.enabled) {
        return std::optional<Subject>();
    }
    if (context.database == nullptr) {
        return error(Errc::io, "no database");
    }
    auto payment = find_payment(*context.database, id);
    if (!payment) {
        return payment.error();
    }
    if (!*payment || (*payment)->provider != provider || (*payment)->business != business) {
        return std::optional<Subject>();
    }
    auto account = open_account(context, (*payment)->business, provider);
    if (!account) {
        return account.error();
    }
    if (!account->provider) {
        return error(Errc::bad_config, account->missing);
    }
    return std::optional(Subject{std::move(**payment), std::move(account->provider)});
}

RouteResult notice_refused(const Asked& asked, const PaymentRow& payment, const Error& fault) {
    if (fault.code != Errc::refused) {
        return {.answer = text_reply(503, "not now; send it again"), .log = {failed_line(payment, fault)}};
    }
    return refuse(text_reply(403, "forbidden"),
                  log_line("payment_notice_refused",
                           {{"path", log_path(asked.http.target)}, {"payment", payment.id}, {"cause", fault.detail}}));
}

RouteResult store_news(const PaymentRow& payment, PaymentNews news, HttpResponse answer, PaymentContext& context) {
    RouteResult result{.answer = std::move(answer), .log = {event_line(payment, news)}};
    result.facts.push_back(fact_of(payment, std::move(news), context.now_ms));
    result.unless_stored = text_reply(503, "the store takes nothing now");
    return result;
}

RouteResult paypal_notice(const Asked& asked) {
    PaymentContext& context = asked.context;
    if (!context.settings.payments.enabled) {
        return {.answer = no_content()};
    }
    const auto named = paypal_subject(asked.http);
    if (!named) {
        return {.answer = api_error(400, named.error().detail)};
    }
    auto subject = find_subject(context, "paypal", named->payment, named->business);
    if (!subject) {
        return notice_refused(asked, {.id = named->payment, .provider = "paypal"}, subject.error());
    }
    if (!*subject) {
        return {.answer = no_content()};
    }
    const PaymentRow& payment = (*subject)->payment;
    const auto known = is_payment_event_known(*context.database, "paypal", named->event_id);
    if (!known) {
        return later();
    }
    if (*known) {
        return {.answer = no_content()};
    }
    auto news = (*subject)->provider->prove(payment, asked.http);
    return news ? store_news(payment, std::move(*news), no_content(), context)
                : notice_refused(asked, payment, news.error());
}

// What became of a payment whose notice named a transaction: bound to it first, so that what cannot be looked up now is
// looked up later, without another notice.
Result<PaymentNews> look_up_transaction(Subject& subject, const std::string& index, PaymentContext& context) {
    const auto bound = bind_payment(*context.database, subject.payment, index, context.now_ms);
    if (!bound) {
        return bound.error();
    }
    if (!*bound) {
        return error(Errc::refused, "that transaction is another payment's, or this payment is paid by another");
    }
    subject.payment.provider_id = index;
    return subject.provider->look(subject.payment);
}

RouteResult tranzila_notice(const Asked& asked) {
    PaymentContext& context = asked.context;
    const TranzilaNotice notice = read_tranzila_notice(asked.http);
    auto subject = find_subject(context, "tranzila", notice.payment, notice.business);
    if (!subject) {
        return notice_refused(asked, {.id = notice.payment, .provider = "tranzila"}, subject.error());
    }
    if (!*subject) {
        return {.answer = no_content()};
    }
    const PaymentRow& payment = (*subject)->payment;
    if (auto genuine = (*subject)->provider->prove(payment, asked.http); !genuine) {
        return notice_refused(asked, payment, genuine.error());
    }
    if (notice.index.empty()) {
        return {.answer = api_error(400, "no transaction is named")};
    }
    auto news = look_up_transaction(**subject, notice.index, context);
    return news ? store_news(payment, std::move(*news), no_content(), context)
                : notice_refused(asked, payment, news.error());
}

// ---- the payer comes back

RouteResult page_for(const PaymentRow& payment, PaymentNews news, PaymentContext& context) {
    if (news.status == "paid" && news.amount == payment.amount && news.currency == payment.currency) {
        return store_news(payment, std::move(news), text_reply(200, "התשלום התקבל. תודה! / Paid. Thank you!"), context);
    }
    if (news.status == "failed") {
        return store_news(payment, std::move(news), text_reply(400, "התשלום לא אושר. / The payment was declined."),
                          context);
    }
    HttpResponse waiting = text_reply(202, "התשלום נבדק. / The payment is being checked.");
    return news.status.empty() ? RouteResult{.answer = std::move(waiting)}
                               : store_news(payment, std::move(news), std::move(waiting), context);
}

RouteResult being_checked(const PaymentRow& payment, const Error& fault) {
    return {.answer = text_reply(202, "התשלום נבדק. / The payment is being checked."),
            .log = {failed_line(payment, fault)}};
}

RouteResult cancelled() {
    return {.answer = text_reply(400, "התשלום לא בוצע. / Nothing was paid.")};
}

RouteResult paypal_return(const Asked& asked) {
    const auto query = parse_form(asked.http.query());
    const std::string id(query ? field(*query, "payment") : std::string_view());
    // Who comes back knows the payment's id only; whose it is stands in its row.
    PaymentContext& context = asked.context;
    if (context.database == nullptr) {
        return later();
    }
    const auto row = find_payment(*context.database, id);
    auto subject = find_subject(context, "paypal", id, row && *row ? (*row)->business : 0);
    if (!subject) {
        return being_checked({.id = id, .provider = "paypal"}, subject.error());
    }
    if (!*subject) {
        return {.answer = no_content()};
    }
    auto news = (*subject)->provider->look((*subject)->payment);
    return news ? page_for((*subject)->payment, std::move(*news), context)
                : being_checked((*subject)->payment, news.error());
}

RouteResult tranzila_return(const Asked& asked) {
    PaymentContext& context = asked.context;
    const TranzilaNotice notice = read_tranzila_notice(asked.http);
    auto subject = find_subject(context, "tranzila", notice.payment, notice.business);
    if (!subject) {
        return being_checked({.id = notice.payment, .provider = "tranzila"}, subject.error());
    }
    if (!*subject || !(*subject)->provider->prove((*subject)->payment, asked.http)) {
        return {.answer = no_content()};
    }
    if (notice.index.empty()) {
        return {.answer = text_reply(202, "התשלום נבדק. / The payment is being checked.")};
    }
    auto news = look_up_transaction(**subject, notice.index, context);
    return news ? page_for((*subject)->payment, std::move(*news), context)
                : being_checked((*subject)->payment, news.error());
}

RouteResult tranzila_fail(const Asked&) {
    return cancelled();
}
RouteResult paypal_cancel(const Asked&) {
    return cancelled();
}

struct PaymentRoute {
    std::string_view path;
    PaymentAccess access;
    std::string_view methods;  // "GET", "POST" or both.
    RouteResult (*handler)(const Asked&);
};
constexpr PaymentRoute routes[] = {
    {create_path, PaymentAccess::token, "POST", create},
    {list_path, PaymentAccess::token, "GET", list},
    {"/api/crm/webhook/paypal", PaymentAccess::everybody, "POST", paypal_notice},
    {"/api/crm/webhook/tranzila", PaymentAccess::everybody, "GET, POST", tranzila_notice},
    {"/api/crm/payments/paypal/return", PaymentAccess::everybody, "GET", paypal_return},
    {"/api/crm/payments/paypal/cancel", PaymentAccess::everybody, "GET", paypal_cancel},
    {"/api/crm/payments/tranzila/return/success", PaymentAccess::everybody, "GET, POST", tranzila_return},
    {"/api/crm/payments/tranzila/return/fail", PaymentAccess::everybody, "GET, POST", tranzila_fail},
};

const PaymentRoute* find_route(std::string_view path) {
    const auto* found =
        std::find_if(std::begin(routes), std::end(routes), [&](const PaymentRoute& one) { return one.path == path; });
    return found == std::end(routes) ? nullptr : found;
}

// "/api/payments/ID": the id. Empty: another path.
std::string_view shown_id(std::string_view path) {
    return path.starts_with(list_path) && path.size() > list_path.size() + 1 && path[list_path.size()] == '/'
               ? path.substr(list_path.size() + 1)
               : std::string_view();
}

}  // namespace

PaymentAccess payment_access(std::string_view path) {
    if (const PaymentRoute* route = find_route(path)) {
        return route->access;
    }
    return shown_id(path).empty() ? PaymentAccess::none : PaymentAccess::token;
}

RouteResult payments_answer(const HttpRequest& request, std::string_view path, PaymentContext& context) {
    const Asked asked{request, path, context};
    const PaymentRoute* route = find_route(path);
    const std::string_view methods = route != nullptr ? route->methods : "GET";
    const auto allowed = split(methods, ',');
    if (std::none_of(allowed.begin(), allowed.end(),
                     [&](std::string_view one) { return trim(one) == request.method; })) {
        HttpResponse answer = api_error(405, "use " + std::string(methods));
        answer.headers.push_back({"Allow", std::string(methods)});
        return {.answer = std::move(answer)};
    }
    return route != nullptr ? route->handler(asked) : show(asked, std::string(shown_id(path)));
}

std::vector<std::string> settle_payment(const PaymentRow& payment, PaymentContext& context) {
    auto subject = find_subject(context, payment.provider, payment.id, payment.business);
    if (!subject || !*subject) {
        return subject ? std::vector<std::string>() : std::vector{failed_line(payment, subject.error())};
    }
    auto news = (*subject)->provider->look((*subject)->payment);
    if (!news) {
        return {failed_line(payment, news.error())};
    }
    if (news->status.empty() || news->status == payment.status) {
        return {};
    }
    std::string line = event_line(payment, *news);
    const auto applied =
        apply_facts(*context.database, std::vector<Fact>{fact_of(payment, std::move(*news), context.now_ms)});
    return {applied ? line : failed_line(payment, applied.error())};
}

}  // namespace agentlocator
