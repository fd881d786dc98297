#include "supervisor/call/base64.hpp"

#include <doctest/doctest.h>

using namespace agentlocator::call;

TEST_CASE("base64: the vectors of RFC 4648 10, both ways") {
    const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
    std::string out;
    for (const auto& [plain, encoded] : vectors) {
        CHECK(base64(plain) == encoded);
        CHECK(decode_base64(encoded, out));
        CHECK(out == plain);
    }
}

TEST_CASE("base64: what no encoder writes is refused") {
    std::string out;
    for (const char* bad : {"Zg", "Zg=", "Z===", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", "Zm9v====", "Zg==Zg==", "Zm-v",
                            "=Zm9", "\xC3\xA9==", "////\x80///"}) {
        CAPTURE(bad);
        CHECK_FALSE(decode_base64(bad, out));
    }
}

TEST_CASE("base64: a frame of mu-law silence is 213 slashes, then w==") {
    const std::string text = base64(std::string(160, '\xFF'));
    CHECK(text == std::string(213, '/') + "w==");
    std::string out;
    CHECK(decode_base64(text, out));
    CHECK(out == std::string(160, '\xFF'));
}
