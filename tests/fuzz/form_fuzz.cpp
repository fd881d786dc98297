// Forms: any bytes are read without fault, within the limits, and what was read survives being written and read again.
#include <string>

#include "tests/fuzz/check.hpp"
#include "worker/form.hpp"

namespace {

std::string encode(const std::string& text) {
    constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace agentlocator;
    const auto fields = parse_form(text_of(data, size));
    if (!fields) {
        MUST(size > form_bytes_max || size >= 2 * form_fields_max);
        return 0;
    }
    MUST(fields->size() <= form_fields_max);
    std::string text;
    std::size_t bytes = 0;
    for (const FormField& one : *fields) {
        text += encode(one.name) + "=" + encode(one.value) + "&";
        bytes += one.name.size() + one.value.size();
        MUST(find_field(*fields, one.name).has_value());
    }
    MUST(bytes <= size);
    const auto again = parse_form(text);
    MUST(text.size() > form_bytes_max || (again && *again == *fields));
    return 0;
}
