#include "supervisor/proc_text.hpp"

#include <doctest/doctest.h>

using namespace agentlocator;
using namespace std::string_literals;

namespace {

std::string stat_line(const std::string& name, const std::string& start = "987654") {
    return "42 (" + name + ") S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 " + start +
           " 1000 200 18446744073709551615\n";
}

}  // namespace

TEST_CASE("proc_text: the name of a process may hold anything") {
    for (const std::string name : {"node", "a) (b", ")", "(", ") S 1 1 1", "", "a\nb", "((sd-pam))"}) {
        const auto stat = parse_proc_stat(stat_line(name));
        CAPTURE(name);
        REQUIRE(stat);
        CHECK(stat->name == name);
        CHECK(stat->state == 'S');
        CHECK(stat->parent == 7);
        CHECK(stat->start_ticks == 987654);
    }
}

TEST_CASE("proc_text: a stat cut at any byte is refused or whole") {
    const std::string line = stat_line("a) (b");
    const std::size_t after_start = line.find(" 987654") + 7;
    for (std::size_t length = 0; length < line.size(); ++length) {
        const auto stat = parse_proc_stat(line.substr(0, length));
        if (length >= after_start) {
            REQUIRE(stat);
            CHECK(stat->start_ticks == 987654);
        } else if (stat) {  // Only the number itself may have lost digits.
            CHECK(length > after_start - 6);
        }
    }
    CHECK_FALSE(parse_proc_stat(stat_line("x", "-1")));
    CHECK_FALSE(parse_proc_stat(stat_line("x", "99999999999999999999999")));
    CHECK_FALSE(parse_proc_stat(") 1 ("));
}

TEST_CASE("proc_text: strings with and without their final NUL") {
    using Strings = std::vector<std::string>;
    CHECK(parse_proc_strings("node\0index.js\0"s) == Strings{"node", "index.js"});
    CHECK(parse_proc_strings("A=1\0B=2"s) == Strings{"A=1", "B=2"});
    CHECK(parse_proc_strings("a\0\0b\0"s) == Strings{"a", "", "b"});
    CHECK(parse_proc_strings("").empty());
    CHECK(parse_proc_strings("\0"s) == Strings{""});
}

TEST_CASE("proc_text: the kernel's mark of a deleted file is removed once") {
    CHECK(strip_deleted("/opt/node (deleted)") == "/opt/node");
    CHECK(strip_deleted("/opt/node (deleted) (deleted)") == "/opt/node (deleted)");
    CHECK(strip_deleted("/opt/node") == "/opt/node");
    CHECK(strip_deleted(" (deleted)").empty());
}

TEST_CASE("proc_text: listeners of a port, in both tables") {
    const std::string tcp =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 111 1 x 100 0 0\n"
        "   1: 00000000:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 x 100 0 0\n"
        "   2: 0100007F:1388 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000        0 333 1 x 100 0 0\n"
        "   3: 0100007F:1389 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 444 1 x 100 0 0\n"
        "   4: garbage 0A\n"
        "   5: 0100007:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 555 1 x 100 0 0\n"
        "   6: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000  -1        0 666 1 x 100 0 0\n"
        "   7: 0100007F:1388 00000000:0000 0A 00000000:000";
    CHECK(parse_tcp_listeners(tcp, 5000) ==
          std::vector<TcpListener>{{"127.0.0.1", 5000, 1000, 111}, {"0.0.0.0", 5000, 0, 222}});
    const std::string tcp6 =
        "   0: 00000000000000000000000000000000:1388 00000000000000000000000000000000:0000 0A 0:0 0:0 0 5 0 1 1\n"
        "   1: 00000000000000000000000001000000:1388 00000000000000000000000000000000:0000 0A 0:0 0:0 0 5 0 2 1\n"
        "   2: 0000000000000000FFFF00000100007F:1388 00000000000000000000000000000000:0000 0A 0:0 0:0 0 5 0 3 1\n";
    CHECK(parse_tcp_listeners(tcp6, 5000) ==
          std::vector<TcpListener>{{"::", 5000, 5, 1}, {"::1", 5000, 5, 2}, {"127.0.0.1", 5000, 5, 3}});
}

TEST_CASE("proc_text: which addresses cannot listen on one port together") {
    CHECK(addresses_conflict("127.0.0.1", "127.0.0.1"));
    CHECK(addresses_conflict("127.0.0.1", "0.0.0.0"));
    CHECK(addresses_conflict("0.0.0.0", "10.0.0.1"));
    CHECK(addresses_conflict("0.0.0.0", "::"));
    CHECK(addresses_conflict("::", "127.0.0.1"));
    CHECK_FALSE(addresses_conflict("127.0.0.1", "127.0.0.2"));
    CHECK_FALSE(addresses_conflict("0.0.0.0", "::1"));
    CHECK_FALSE(addresses_conflict("127.0.0.1", "::1"));
}

TEST_CASE("proc_text: the holder of a lock") {
    const std::string locks =
        "1: POSIX  ADVISORY  WRITE 11 08:01:500 0 EOF\n"
        "2: FLOCK  ADVISORY  WRITE 12 08:01:501 0 EOF\n"
        "3: FLOCK  ADVISORY  WRITE 13 08:01:500 0 EOF\n"
        "3: -> FLOCK  ADVISORY  WRITE 14 08:01:502 0 EOF\n"
        "4: FLOCK";
    CHECK(parse_flock_holder(locks, 500) == 13);
    CHECK_FALSE(parse_flock_holder(locks, 502));
    CHECK_FALSE(parse_flock_holder(locks, 50));
    CHECK_FALSE(parse_flock_holder("", 1));
}

TEST_CASE("proc_text: the time of boot") {
    CHECK(parse_boot_time("cpu 1 2\nbtime 1700000000\nprocesses 5\n") == 1700000000);
    CHECK_FALSE(parse_boot_time("cpu 1 2\n"));
}
