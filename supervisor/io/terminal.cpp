#include "supervisor/io/terminal.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "common/text.hpp"

namespace agentlocator {
namespace {

winsize terminal_size() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) {
        size = {};
    }
    return size;
}

}  // namespace

bool output_is_terminal() {
    return ::isatty(STDOUT_FILENO) == 1;
}

TextStyle output_style() {
    if (!output_is_terminal()) {
        return {};
    }
    const char* no_colour = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
    const std::size_t columns = terminal_size().ws_col;
    constexpr std::size_t columns_unknown = 80;
    return {columns == 0 ? columns_unknown : columns, !dumb && (no_colour == nullptr || *no_colour == '\0')};
}

std::size_t terminal_rows() {
    constexpr std::size_t rows_unknown = 24;
    const std::size_t rows = terminal_size().ws_row;
    return rows == 0 ? rows_unknown : rows;
}

bool write_output(std::string_view text) {
    while (!text.empty()) {
        const auto count = ::write(STDOUT_FILENO, text.data(), text.size());
        if (count < 0 && errno == EAGAIN) {  // Somebody gave us a non-blocking terminal.
            pollfd ready{STDOUT_FILENO, POLLOUT, 0};
            (void)::poll(&ready, 1, -1);
            continue;
        }
        if (count < 0 && errno != EINTR) {
            return false;
        }
        text.remove_prefix(count > 0 ? static_cast<std::size_t>(count) : 0);
    }
    return true;
}

UniqueFd watch_for_end() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
        ::sigaddset(&set, number);
    }
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    return UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

Screen::Screen() {
    (void)write_output("\x1b[?1049h\x1b[?25l");
}

Screen::~Screen() {
    (void)write_output("\x1b[?25h\x1b[?1049l");
}

bool Screen::draw(std::string_view text) {
    const std::size_t rows = terminal_rows();
    if (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    const auto lines = split(text, '\n');
    const bool cut = lines.size() > rows;
    std::string out = "\x1b[H";
    for (std::size_t i = 0; i < (cut ? rows - 1 : lines.size()); ++i) {
        out += (i == 0 ? "" : "\r\n") + std::string(lines[i]) + "\x1b[K";
    }
    if (cut) {
        out += "\r\n... " + std::to_string(lines.size() - rows + 1) + " more lines\x1b[K";
    }
    return write_output(out + "\x1b[J");
}

}  // namespace agentlocator
