#pragma once
// Settings of payments: the accounts of this installation at PayPal and Tranzila. A business may have accounts of its
// own in the store (store/business_settings), which then count instead. Each member is one row of the table
// (payment_table.cpp). Plain values.
#include <string>

namespace agentlocator {

struct PaymentSettings {
    bool enabled = false;              // PAYMENTS_ENABLED
    std::string paypal_env;            // PAYPAL_ENV: sandbox, live
    std::string paypal_url;            // PAYPAL_API_BASE_URL; empty: by PAYPAL_ENV.
    std::string paypal_client_id;      // PAYPAL_CLIENT_ID
    std::string paypal_client_secret;  // PAYPAL_CLIENT_SECRET (secret)
    std::string paypal_webhook_id;     // PAYPAL_WEBHOOK_ID
    std::string tranzila_terminal;     // TRANZILA_TERMINAL
    std::string tranzila_app_key;      // TRANZILA_APP_KEY
    std::string tranzila_secret;       // TRANZILA_SECRET (secret)
    std::string tranzila_page_url;     // TRANZILA_PAGE_BASE_URL: where payers are sent.
    std::string tranzila_report_url;   // TRANZILA_REPORT_BASE_URL: where transactions are looked up.

    friend bool operator==(const PaymentSettings&, const PaymentSettings&) = default;
};

}  // namespace agentlocator
