#include "store/spool_record.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;

namespace {

std::vector<std::string> texts(const SpoolRecords& records) {
    return {records.bodies.begin(), records.bodies.end()};
}

}  // namespace

TEST_CASE("spool_record: the checksum is CRC-32C") {
    CHECK(crc32c("123456789") == 0xE3069283U);  // The check value of the catalogue of CRCs, CRC-32/ISCSI.
    CHECK(crc32c("6789", crc32c("12345")) == crc32c("123456789"));
    CHECK(crc32c("") == 0);
}

TEST_CASE("spool_record: what was written is read") {
    std::string file;
    const std::vector<std::string> bodies{"a", std::string("ALR1\0ALR1", 9), std::string(record_bytes_max, 'x')};
    for (const std::string& body : bodies) {
        append_record(file, body);
    }
    const SpoolRecords records = read_records(file);
    CHECK(texts(records) == bodies);
    CHECK(records.damaged_bytes == 0);
    CHECK(records.torn_bytes == 0);
    CHECK(read_records("").bodies.empty());
}

TEST_CASE("spool_record: a file cut anywhere gives the whole records before the cut") {
    std::string file;
    append_record(file, "first");
    const std::size_t first = file.size();
    append_record(file, "second");
    for (std::size_t cut = 0; cut < file.size(); ++cut) {
        CAPTURE(cut);
        const SpoolRecords records = read_records(std::string_view(file).substr(0, cut));
        CHECK(records.bodies.size() == (cut >= first ? 1U : 0U));
        CHECK(records.torn_bytes == (cut >= first ? cut - first : cut));
        CHECK(records.damaged_bytes == 0);
    }
}

TEST_CASE("spool_record: any damaged byte costs its own record and no other") {
    std::string file;
    append_record(file, "first");
    const std::size_t begin = file.size();
    append_record(file, "second");
    const std::size_t end = file.size();
    append_record(file, "third");
    for (std::size_t at = begin; at < end; ++at) {
        for (const char flip : {char(0x01), char(0x80)}) {
            CAPTURE(at);
            std::string damaged = file;
            damaged[at] = static_cast<char>(damaged[at] ^ flip);
            const SpoolRecords records = read_records(damaged);
            CHECK(texts(records) == std::vector<std::string>{"first", "third"});
            CHECK(records.damaged_bytes == end - begin);
            CHECK(records.torn_bytes == 0);
        }
    }
}

TEST_CASE("spool_record: a length beyond the limit is damage, not an allocation") {
    std::string file;
    append_record(file, "x");
    file[4] = file[5] = file[6] = file[7] = char(0xff);
    CHECK(read_records(file).bodies.empty());
    CHECK(read_records(file).torn_bytes == file.size());
}
