#pragma once
// Standard output as a terminal or a pipe: how wide, whether in colour, and a screen that is given back as it was.
#include <cstddef>
#include <string_view>

#include "common/io/unique_fd.hpp"
#include "supervisor/status_text.hpp"

namespace agentlocator {

[[nodiscard]] bool output_is_terminal();
// NO_COLOR (no-color.org) and TERM=dumb turn colours off; a pipe has neither colour nor a width.
[[nodiscard]] TextStyle output_style();
[[nodiscard]] std::size_t terminal_rows();

// False when nobody reads any more.
[[nodiscard]] bool write_output(std::string_view text);

// Readable once SIGINT, SIGTERM or SIGHUP came; these no longer end the process by themselves.
[[nodiscard]] UniqueFd watch_for_end();

// The other screen of the terminal, with the cursor hidden, for as long as this lives.
class Screen {
public:
    Screen();
    ~Screen();
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    // In one write and without clearing first, so that nothing flickers. Lines that do not fit are counted.
    [[nodiscard]] bool draw(std::string_view text);
};

}  // namespace agentlocator
