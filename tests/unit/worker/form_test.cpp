#include "worker/form.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

namespace {

FormFields parsed(std::string_view text) {
    auto fields = parse_form(text);
    REQUIRE(fields.has_value());
    return *fields;
}

}  // namespace

TEST_CASE("form: fields come decoded, in order, with repeated and empty ones") {
    CHECK(parsed("CallSid=CA1&Digits=5678&Digits=1234&Z=&flag&=v") ==
          FormFields{{"CallSid", "CA1"}, {"Digits", "5678"}, {"Digits", "1234"}, {"Z", ""}, {"flag", ""}, {"", "v"}});
    CHECK(parsed("").empty());
    CHECK(parsed("&&a=1&&&b=2&") == FormFields{{"a", "1"}, {"b", "2"}});
    CHECK(parsed("a=b=c") == FormFields{{"a", "b=c"}});
}

TEST_CASE("form: plus is a blank, %2B is a plus, nothing is trimmed") {
    CHECK(parsed("Body=+leading%2C+trailing+%26+plus%2Bsign+&From=%2B972501234567") ==
          FormFields{{"Body", " leading, trailing & plus+sign "}, {"From", "+972501234567"}});
    CHECK(parsed("t=%D7%A9%d7%9c")[0].value == "\xD7\xA9\xD7\x9C");
    CHECK(parsed("a=%00%ff")[0].value == std::string("\0\xff", 2));
}

TEST_CASE("form: a percent sign without two hex digits stands for itself") {
    CHECK(parsed("a=100%&b=%4&c=%zz&d=%%41") == FormFields{{"a", "100%"}, {"b", "%4"}, {"c", "%zz"}, {"d", "%A"}});
}

TEST_CASE("form: limits hold at max and fail at max + 1") {
    std::string most;
    for (std::size_t i = 0; i < form_fields_max; ++i) {
        most += "a=1&";
    }
    CHECK(parsed(most).size() == form_fields_max);
    CHECK(parse_form(most + "b").error().code == Errc::too_large);
    CHECK(parsed(std::string(form_bytes_max, 'x')).size() == 1);
    CHECK(parse_form(std::string(form_bytes_max + 1, 'x')).error().code == Errc::too_large);
}

TEST_CASE("form: look-up is by exact name and finds the first") {
    const FormFields fields = parsed("Digits=1&Digits=2&empty=");
    CHECK(field(fields, "Digits") == "1");
    CHECK(field(fields, "digits").empty());
    CHECK(find_field(fields, "empty").has_value());
    CHECK_FALSE(find_field(fields, "absent").has_value());
}

TEST_CASE("form: the content type is known with parameters and in any case") {
    CHECK(is_form_type("application/x-www-form-urlencoded"));
    CHECK(is_form_type("Application/X-WWW-Form-Urlencoded ; charset=UTF-8"));
    CHECK_FALSE(is_form_type("application/json"));
    CHECK_FALSE(is_form_type(""));
}
