// Rows of the payments' settings.
#include "common/config_table.hpp"

namespace agentlocator {
namespace {

using P = PaymentSettings;
using Member = std::string P::*;
using Read = SettingProblem (*)(std::string_view, std::string&);

SettingRow row(std::string_view name, Member member, std::string fallback, std::string valid, std::string_view help,
               Read read, bool secret = false) {
    return {name,
            help,
            std::move(valid),
            [fallback = std::move(fallback)](const SettingFacts&) { return fallback; },
            [=](std::string_view value, const SettingFacts&, Settings& settings) -> SettingProblem {
                if (value.empty()) {
                    (settings.payments.*member).clear();
                    return std::nullopt;
                }
                return read(value, settings.payments.*member);
            },
            [=](const Settings& settings) { return settings.payments.*member; },
            secret};
}

SettingRow token(std::string_view name, Member member, std::string_view help, bool secret = false) {
    return row(name, member, "", "letters, digits and signs without blanks", help, read_token, secret);
}

SettingRow url(std::string_view name, Member member, std::string fallback, std::string_view help) {
    return row(name, member, std::move(fallback), "https://host[:port][/path], no query", help, read_base_url);
}

// It becomes part of the address that payers are sent to.
SettingProblem read_terminal(std::string_view text, std::string& out) {
    if (text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") !=
        std::string_view::npos) {
        return "holds something else than letters, digits, _ and -";
    }
    out = text;
    return std::nullopt;
}

SettingProblem read_paypal_env(std::string_view text, std::string& out) {
    if (text != "sandbox" && text != "live") {
        return "not one of them";
    }
    out = text;
    return std::nullopt;
}

}  // namespace

void add_payment_rows(std::vector<SettingRow>& rows) {
    rows.push_back(
        {"PAYMENTS_ENABLED", "Take payments, for businesses that are allowed to.", "true, false",
         [](const SettingFacts&) { return std::string("false"); },
         [](std::string_view text, const SettingFacts&, Settings& settings) {
             return read_boolean(text, settings.payments.enabled);
         },
         [](const Settings& settings) { return std::string(settings.payments.enabled ? "true" : "false"); }});
    rows.push_back(row("PAYPAL_ENV", &P::paypal_env, "sandbox", "sandbox, live",
                       "Which PayPal: the one without real money, or the real one.", read_paypal_env));
    rows.push_back(
        url("PAYPAL_API_BASE_URL", &P::paypal_url, "", "Another address of PayPal's API. Empty: by PAYPAL_ENV."));
    rows.push_back(
        token("PAYPAL_CLIENT_ID", &P::paypal_client_id, "PayPal app of businesses that have none of their own."));
    rows.push_back(token("PAYPAL_CLIENT_SECRET", &P::paypal_client_secret, "Its secret.", true));
    rows.push_back(token("PAYPAL_WEBHOOK_ID", &P::paypal_webhook_id,
                         "Id of its webhook to /api/crm/webhook/paypal; without it notices cannot be checked."));
    rows.push_back(row("TRANZILA_TERMINAL", &P::tranzila_terminal, "", "letters, digits, _ and -",
                       "Tranzila terminal of businesses that have none of their own.", read_terminal));
    rows.push_back(token("TRANZILA_APP_KEY", &P::tranzila_app_key, "Public API key of that terminal."));
    rows.push_back(token("TRANZILA_SECRET", &P::tranzila_secret, "Secret API key of that terminal.", true));
    rows.push_back(url("TRANZILA_PAGE_BASE_URL", &P::tranzila_page_url, "https://directng.tranzila.com",
                       "Tranzila's payment pages."));
    rows.push_back(url("TRANZILA_REPORT_BASE_URL", &P::tranzila_report_url, "https://report.tranzila.com",
                       "Tranzila's reports, where a payment is checked."));
}

}  // namespace agentlocator
