#include "store/phone.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

TEST_CASE("phone: every way to write one Israeli number is one key") {
    for (const char* text :
         {"+972501234567", "0501234567", "050-123-4567", "050 123 4567", "(050) 1234567", "972501234567",
          "00972501234567", "501234567", "+972-50-1234567", "+972 (0)50 1234567", "whatsapp:+972501234567",
          "tel:+972501234567", "972501234567@s.whatsapp.net", "972501234567:12@s.whatsapp.net", "972501234567@c.us"}) {
        CAPTURE(text);
        CHECK(normal_phone(text) == "+972501234567");
    }
    CHECK(normal_phone("03-6123456") == "+97236123456");
    CHECK(normal_phone("077-1234567") == "+972771234567");
}

TEST_CASE("phone: other countries are kept as they are") {
    CHECK(normal_phone("+14155550123") == "+14155550123");
    CHECK(normal_phone("14155550123@s.whatsapp.net") == "+14155550123");
    CHECK(normal_phone("0044 20 7946 0958") == "+442079460958");
    CHECK(normal_phone("+35312345678") == "+35312345678");
    CHECK(normal_phone("447911123456") == "+447911123456");
}

TEST_CASE("phone: what names nobody to call back is no number") {
    for (const char* text : {"",
                             "anonymous",
                             "+266696687",
                             "+7378742833",
                             "+2562533",
                             "+8656696",
                             "+86282452253",
                             "4155550123",
                             "0",
                             "00",
                             "+",
                             "100",
                             "050123456",
                             "05012345678",
                             "+0501234567",
                             "123@lid",
                             "12036302@g.us",
                             "client:leah",
                             "sip:a@b",
                             "+972 50 12",
                             "++972501234567",
                             "+97205012345",
                             "50-1234567x"}) {
        CAPTURE(text);
        CHECK_FALSE(normal_phone(text).has_value());
    }
}

TEST_CASE("phone: the limits of E.164") {
    CHECK(normal_phone("+123456789012345") == "+123456789012345");
    CHECK_FALSE(normal_phone("+1234567890123456").has_value());
    CHECK(normal_phone("+1234567") == "+1234567");
    CHECK_FALSE(normal_phone("+123456").has_value());
}
