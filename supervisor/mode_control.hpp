#pragma once
// WS_MODE of the running system: the configured mode, and for a while another one set on purpose. Pure.
// A mode set with a period returns by itself, so that nobody leaves the telephone in ECHO.
#include <optional>
#include <string_view>

#include "common/config.hpp"
#include "common/result.hpp"
#include "common/time.hpp"
#include "common/ws_mode.hpp"

namespace agentlocator {

inline constexpr Duration mode_period_max = 24h;  // A debug mode longer than a day was forgotten.

enum class ModeSource : std::uint8_t { fallback, file, environment, flag, enforced, command };
[[nodiscard]] std::string_view to_string(ModeSource source);
[[nodiscard]] ModeSource to_mode_source(SettingSource source);

struct ModeView {
    WsMode mode = WsMode::ai;
    ModeSource source = ModeSource::fallback;
    std::optional<TimePoint> until;
    friend bool operator==(const ModeView&, const ModeView&) = default;
};

class ModeControl {
public:
    ModeControl(WsMode mode, ModeSource source, bool enforce_ai)
        : base_{mode, source, std::nullopt}, enforce_ai_(enforce_ai) {}

    // No period: until the next change. Refused for a non-AI mode where AI is enforced: it must have an end there.
    // Setting the configured mode ends a temporary one.
    [[nodiscard]] Result<void> set(TimePoint now, WsMode mode, std::optional<Duration> period);
    void on_deadline(TimePoint now);
    // A reload changed the configuration; a temporary mode stays until its end.
    void configure(WsMode mode, ModeSource source) { base_ = {mode, source, std::nullopt}; }

    [[nodiscard]] ModeView view() const { return temporary_.value_or(base_); }
    [[nodiscard]] std::optional<TimePoint> deadline() const { return view().until; }

private:
    ModeView base_;
    bool enforce_ai_;
    std::optional<ModeView> temporary_;
};

}  // namespace agentlocator
