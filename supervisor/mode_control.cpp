#include "supervisor/mode_control.hpp"

#include "common/ensure.hpp"

namespace agentlocator {

std::string_view to_string(ModeSource source) {
    switch (source) {
        case ModeSource::fallback:
            return "default";
        case ModeSource::file:
            return "file";
        case ModeSource::environment:
            return "environment";
        case ModeSource::flag:
            return "flag";
        case ModeSource::enforced:
            return "enforced";
        case ModeSource::command:
            return "command";
    }
    ensure_failed("ModeSource has a name", __FILE__, __LINE__);
}

ModeSource to_mode_source(SettingSource source) {
    switch (source) {
        case SettingSource::fallback:
            return ModeSource::fallback;
        case SettingSource::file:
            return ModeSource::file;
        case SettingSource::environment:
            return ModeSource::environment;
        case SettingSource::flag:
            return ModeSource::flag;
    }
    ensure_failed("SettingSource is known", __FILE__, __LINE__);
}

Result<void> ModeControl::set(TimePoint now, WsMode mode, std::optional<Duration> period) {
    if (period && (*period <= Duration::zero() || *period > mode_period_max)) {
        return error(Errc::bad_message, "the period of a mode is 1 second to 24 hours");
    }
    if (mode == base_.mode) {
        temporary_.reset();
        return {};
    }
    if (mode != WsMode::ai && enforce_ai_ && !period) {
        return error(Errc::refused, std::string(to_string(mode)) + " needs a period here, because AI is enforced");
    }
    temporary_ = ModeView{mode, ModeSource::command, std::nullopt};
    if (period) {
        temporary_->until = now + *period;
    }
    return {};
}

void ModeControl::on_deadline(TimePoint now) {
    if (const auto until = deadline(); until && now >= *until) {
        temporary_.reset();
    }
}

}  // namespace agentlocator
