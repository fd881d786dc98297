#include "worker/payments/payment_accounts.hpp"

#include "store/business_settings.hpp"
#include "worker/payments/tranzila.hpp"

namespace agentlocator {
namespace {

std::string value_of(const NamedValues& values, std::string_view name) {
    const auto found = values.find(name);
    return found == values.end() ? std::string() : found->second;
}

constexpr std::string_view paypal_sandbox = "https://api-m.sandbox.paypal.com";
constexpr std::string_view paypal_live = "https://api-m.paypal.com";

OpenedAccount open_paypal(const PaymentContext& context, const NamedValues& own) {
    const PaymentSettings& settings = context.settings.payments;
    const bool has_own = own.contains("paypal_client_id");
    PayPalAccount account{
        .url = !settings.paypal_url.empty() ? settings.paypal_url
                                            : std::string(settings.paypal_env == "live" ? paypal_live : paypal_sandbox),
        .client_id = has_own ? value_of(own, "paypal_client_id") : settings.paypal_client_id,
        .client_secret = has_own ? value_of(own, "paypal_client_secret") : settings.paypal_client_secret,
        .webhook_id = has_own ? value_of(own, "paypal_webhook_id") : settings.paypal_webhook_id,
        .ca_file = context.settings.providers.ca_file,
        .return_base = context.settings.public_base_url};
    if (account.client_id.empty() || account.client_secret.empty()) {
        return {nullptr, "set PAYPAL_CLIENT_ID and PAYPAL_CLIENT_SECRET, or those of the business"};
    }
    return {std::make_unique<PayPal>(std::move(account), context.world, context.tokens), {}};
}

OpenedAccount open_tranzila(const PaymentContext& context, const NamedValues& own) {
    const PaymentSettings& settings = context.settings.payments;
    const bool has_own = own.contains("tranzila_terminal");
    TranzilaAccount account{.page_url = settings.tranzila_page_url,
                            .report_url = settings.tranzila_report_url,
                            .terminal = has_own ? value_of(own, "tranzila_terminal") : settings.tranzila_terminal,
                            .app_key = has_own ? value_of(own, "tranzila_app_key") : settings.tranzila_app_key,
                            .secret = has_own ? value_of(own, "tranzila_secret") : settings.tranzila_secret,
                            .ca_file = context.settings.providers.ca_file,
                            .return_base = context.settings.public_base_url};
    // Without the keys nobody could find out whether a payer has paid.
    if (account.terminal.empty() || account.app_key.empty() || account.secret.empty()) {
        return {nullptr, "set TRANZILA_TERMINAL, TRANZILA_APP_KEY and TRANZILA_SECRET, or those of the business"};
    }
    return {std::make_unique<Tranzila>(std::move(account), context.world), {}};
}

}  // namespace

Result<OpenedAccount> open_account(const PaymentContext& context, std::int64_t business, std::string_view provider) {
    const auto own = business_values(*context.database, business, "payments");
    if (!own) {
        return own.error();
    }
    if (context.settings.public_base_url.empty()) {
        return OpenedAccount{nullptr, "set PUBLIC_BASE_URL: payers and providers come back there"};
    }
    return provider == "tranzila" ? open_tranzila(context, *own) : open_paypal(context, *own);
}

}  // namespace agentlocator
