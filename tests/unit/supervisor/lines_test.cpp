#include <doctest/doctest.h>

#include "supervisor/exit_cause.hpp"
#include "supervisor/line_history.hpp"
#include "supervisor/line_splitter.hpp"

using namespace agentlocator;

namespace {

std::vector<std::string> split_at(std::string_view text, std::size_t at) {
    std::vector<std::string> lines;
    const auto sink = [&](std::string_view line) { lines.emplace_back(line); };
    LineSplitter splitter;
    splitter.feed(text.substr(0, at), sink);
    splitter.feed(text.substr(at), sink);
    splitter.finish(sink);
    return lines;
}

}  // namespace

TEST_CASE("line_splitter: split points do not matter, and the last line needs no end") {
    const std::string_view text = "one\r\n\ntwo words\nlast";
    for (std::size_t at = 0; at <= text.size(); ++at) {
        CHECK(split_at(text, at) == std::vector<std::string>{"one", "", "two words", "last"});
    }
    CHECK(split_at("", 0).empty());
}

TEST_CASE("line_splitter: a line of the maximum is whole, one byte more is cut and marked, the next is untouched") {
    const std::string whole(line_bytes_max, 'x');
    CHECK(split_at(whole + "\nnext\n", 100) == std::vector<std::string>{whole, "next"});
    CHECK(split_at(whole + "y\nnext\n", 100) == std::vector<std::string>{whole + std::string(line_cut_mark), "next"});
    CHECK(split_at(std::string(10 * line_bytes_max, 'x'), 9).front().size() == line_bytes_max + line_cut_mark.size());
}

TEST_CASE("line_splitter: control bytes cannot move a cursor or forge a line; Hebrew passes") {
    CHECK(printable("plain\ttext") == "plain\ttext");
    CHECK(printable("\x1b[2J\rforged") == "\\x1b[2J\\x0dforged");
    CHECK(printable("שלום") == "שלום");
}

TEST_CASE("line_history: bounded by lines and by bytes") {
    LineHistory history;
    for (std::size_t i = 0; i < history_lines_max + 1; ++i) {
        history.add(std::to_string(i));
    }
    CHECK(history.last(1000).size() == history_lines_max);
    CHECK(history.last(1000).front() == "1");
    CHECK(history.last(2) == std::vector<std::string>{"199", "200"});
    CHECK(history.last(0).empty());
    for (int i = 0; i < 100; ++i) {
        history.add(std::string(line_bytes_max, 'x'));
    }
    CHECK(history.last(1000).size() == history_bytes_max / line_bytes_max);
}

TEST_CASE("exit_cause: a call is not to blame for a SIGKILL of somebody else") {
    CHECK(death_of({.signal = 9}) == Death::killed);
    CHECK(death_of({.unknown = true}) == Death::killed);
    CHECK(death_of({.signal = 9, .hung = true}) == Death::of_itself);
    CHECK(death_of({.signal = 11}) == Death::of_itself);
    CHECK(death_of({.code = 70}) == Death::of_itself);
}

TEST_CASE("exit_cause: what ended a child, in words") {
    CHECK(describe_exit({.signal = 9}) == "signal 9 (SIGKILL)");
    CHECK(describe_exit({.signal = 11, .core = true}) == "signal 11 (SIGSEGV), core dumped");
    CHECK(describe_exit({.code = 0}) == "exit code 0");
    CHECK(describe_exit({.code = 78}) == "exit code 78 (wrong settings)");
    CHECK(describe_exit({.code = 127, .exec_errno = 2}) ==
          "the program could not be executed: No such file or directory");
    CHECK(describe_exit({.signal = 6, .asked = SlotAction::abort, .hung = true}) ==
          "hung: no heartbeat, ended by us, signal 6 (SIGABRT)");
    CHECK(describe_exit({.signal = 9, .asked = SlotAction::kill}) ==
          "did not end when asked, killed by us, signal 9 (SIGKILL)");
    CHECK(describe_exit({.signal = 11, .call_in_hand = true}) == "signal 11 (SIGSEGV), with a call in hand");
}

TEST_CASE("exit_cause: only codes that a restart cannot mend are permanent") {
    CHECK(exit_kind({.code = 78}, false) == ExitKind::permanent);
    CHECK(exit_kind({.code = 64}, false) == ExitKind::permanent);
    CHECK(exit_kind({.code = 65}, true) == ExitKind::permanent);
    CHECK(exit_kind({.code = 69}, true) == ExitKind::permanent);
    CHECK(exit_kind({.code = 69}, false) == ExitKind::ordinary);
    CHECK(exit_kind({.code = 75}, true) == ExitKind::ordinary);
    CHECK(exit_kind({.code = 0}, false) == ExitKind::ordinary);
    CHECK(exit_kind({.signal = 9}, false) == ExitKind::ordinary);
    CHECK(exit_kind({.code = 127, .exec_errno = 2}, false) == ExitKind::ordinary);
    CHECK(exit_kind({.signal = 11, .call_in_hand = true}, false) == ExitKind::of_a_call);
    CHECK(exit_kind({.code = 78, .call_in_hand = true}, false) == ExitKind::permanent);
}
