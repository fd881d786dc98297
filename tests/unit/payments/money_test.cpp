#include "worker/payments/money.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

TEST_CASE("money: minor units become the provider's text and come back") {
    const Currency& ils = *find_currency("ILS");
    const Currency& jpy = *find_currency("JPY");
    CHECK(amount_text(1, ils) == "0.01");
    CHECK(amount_text(10, ils) == "0.10");
    CHECK(amount_text(12345, ils) == "123.45");
    CHECK(amount_text(payment_amount_max, ils) == "9999999.99");
    CHECK(amount_text(12345, jpy) == "12345");
    for (const std::int64_t amount : {1L, 99L, 100L, 101L, 12345L, 999'999'999L}) {
        CHECK(read_amount(amount_text(amount, ils), ils) == amount);
        CHECK(read_amount(amount_text(amount, jpy), jpy) == amount);
    }
    CHECK(read_amount("100", ils) == 10'000);
    CHECK(read_amount("100.5", ils) == 10'050);
}

TEST_CASE("money: what is no amount is none, and one past the limit is none") {
    const Currency& ils = *find_currency("ILS");
    for (const char* text :
         {"", ".", "1.", ".5", "-1", "+1", "1,00", "1e2", "1.000", " 1", "1 ", "0x1", "nan", "1..2"}) {
        CAPTURE(text);
        CHECK_FALSE(read_amount(text, ils));
    }
    CHECK(read_amount("9999999.99", ils) == payment_amount_max);
    CHECK_FALSE(read_amount("10000000.00", ils));
    CHECK_FALSE(read_amount("99999999999999999999999999", ils));
    CHECK_FALSE(read_amount("1.0", *find_currency("JPY")));
}

TEST_CASE("money: currencies by their code only") {
    CHECK(find_currency("ILS") != nullptr);
    CHECK(find_currency("ils") == nullptr);
    CHECK(find_currency("HUF") == nullptr);  // PayPal takes it, but not its minor unit.
    CHECK(find_currency("") == nullptr);
    CHECK(find_currency("USD")->tranzila == "2");
    CHECK(find_currency("JPY")->tranzila.empty());
}
