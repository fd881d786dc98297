#include "supervisor/upgrade.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/ensure.hpp"

namespace agentlocator {
namespace {

constexpr std::array states{
    std::pair{UpgradeState::idle, "idle"},           std::pair{UpgradeState::checking, "checking"},
    std::pair{UpgradeState::leaving, "leaving"},     std::pair{UpgradeState::rolling, "rolling"},
    std::pair{UpgradeState::done, "done"},           std::pair{UpgradeState::failed, "failed"},
    std::pair{UpgradeState::returning, "returning"}, std::pair{UpgradeState::returned, "returned"}};

// Why live calls cannot go from one to the other; empty: they can.
std::string layouts_differ(const BuildLayout& here, const BuildFacts& there) {
    const std::string subject = "build " + there.build;
    const std::string remedy = ": stop and start instead, when no call is live";
    const BuildLayout& other = there.layout;
    if (other.slab != here.slab) {
        return subject + " lays out the shared part of the call slab in another way (" + other.slab + ", here " +
               here.slab + ")" + remedy;
    }
    if (other.memory == here.memory || other.snapshot_version == here.snapshot_version) {
        return "";
    }
    return subject + " lays out the memory of live calls in another way, and takes them over in snapshot format " +
           std::to_string(other.snapshot_version) + ", this one hands them over in format " +
           std::to_string(here.snapshot_version) + remedy;
}

}  // namespace

std::string_view to_string(UpgradeState state) {
    for (const auto& [known, name] : states) {
        if (known == state) {
            return name;
        }
    }
    ensure_failed("UpgradeState has a name", __FILE__, __LINE__);
}

std::optional<UpgradeState> parse_upgrade_state(std::string_view text) {
    for (const auto& [known, name] : states) {
        if (name == text) {
            return known;
        }
    }
    return std::nullopt;
}

Result<BuildFacts> parse_build_facts(std::string_view text) {
    // Other lines may precede it: a sanitizer's, a wrapper's.
    const auto begin = text.find('{');
    const auto document =
        nlohmann::json::parse(begin == std::string_view::npos ? "" : text.substr(begin), nullptr, false);
    BuildFacts facts;
    const auto read = [&](const char* key, std::string& target) {
        const auto found = document.is_object() ? document.find(key) : document.end();
        if (!document.is_object() || found == document.end() || !found->is_string()) {
            return false;
        }
        target = found->template get<std::string>();
        return true;
    };
    if (!read("version", facts.version) || !read("build", facts.build) || !read("slab_layout", facts.layout.slab)) {
        return error(Errc::bad_message, "its `version --json` does not say which build it is");
    }
    // Of builds that could do without, the slab's layout says enough.
    (void)read("memory_layout", facts.layout.memory);
    if (const auto format = document.find("snapshot_version");
        format != document.end() && format->is_number_unsigned()) {
        facts.layout.snapshot_version = format->get<std::uint32_t>();
    }
    return facts;
}

bool Upgrade::under_way() const {
    switch (record_.state) {
        case UpgradeState::idle:
        case UpgradeState::done:
        case UpgradeState::failed:
        case UpgradeState::returned:
            return false;
        case UpgradeState::checking:
        case UpgradeState::leaving:
        case UpgradeState::rolling:
        case UpgradeState::returning:
            return true;
    }
    ensure_failed("UpgradeState is known", __FILE__, __LINE__);
}

void Upgrade::fail(const std::string& why) {
    record_.state = UpgradeState::failed;
    record_.failure = why;
}

void Upgrade::resume(UpgradeRecord record) {
    record_ = std::move(record);
    if (record_.state == UpgradeState::leaving) {
        record_.state = UpgradeState::rolling;
        record_.to_build = own_build_;
    } else if (record_.state == UpgradeState::returning) {
        record_.state = UpgradeState::returned;
    }
}

Result<UpgradeAction> Upgrade::on_request(const std::string& folder, std::uint64_t number) {
    if (under_way()) {
        return error(Errc::refused, "an upgrade is already under way");
    }
    record_ = {UpgradeState::checking, number, folder, own_build_, "", ""};
    return UpgradeAction::check;
}

UpgradeAction Upgrade::on_checked(const Result<BuildFacts>& facts) {
    if (record_.state != UpgradeState::checking) {
        return UpgradeAction::none;
    }
    if (!facts) {
        fail(record_.folder + "/agentlocator cannot be used: " + facts.error().detail);
        return UpgradeAction::none;
    }
    record_.to_build = facts->build;
    if (const std::string why = layouts_differ(own_layout_, *facts); !why.empty()) {
        fail(why);
        return UpgradeAction::none;
    }
    record_.state = UpgradeState::leaving;
    return UpgradeAction::leave;
}

void Upgrade::on_leave_failed(const std::string& why) {
    if (record_.state == UpgradeState::leaving || record_.state == UpgradeState::returning) {
        fail(why);
    }
}

UpgradeAction Upgrade::on_rolled(const std::string& fault) {
    if (record_.state != UpgradeState::rolling) {
        return UpgradeAction::none;
    }
    if (fault.empty()) {
        record_.state = UpgradeState::done;
        return UpgradeAction::none;
    }
    record_.state = UpgradeState::returning;
    record_.failure = fault;
    return UpgradeAction::turn_back;
}

}  // namespace agentlocator
