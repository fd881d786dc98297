#include "supervisor/inheritance.hpp"

#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "common/call_slab.hpp"

namespace agentlocator {
namespace {

using Json = nlohmann::json;

constexpr int format_version = 1;

// Reads members, and remembers whether one was missing or odd.
class Reader {
public:
    explicit Reader(const Json& object) : object_(object), ok_(object.is_object()) {}

    void text(const char* key, std::string& target) {
        if (const Json* value = find(key, &Json::is_string)) {
            target = value->get<std::string>();
        }
    }
    template <class T>
    void number(const char* key, T& target) {
        const Json* value = find(key, &Json::is_number_integer);
        if (value == nullptr) {
            return;
        }
        const bool fits = std::is_signed_v<T>
                              ? value->get<std::int64_t>() >= std::numeric_limits<int>::min() &&
                                    value->get<std::int64_t>() <= std::numeric_limits<int>::max()
                              : value->is_number_unsigned() &&
                                    value->get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<T>::max()};
        ok_ = ok_ && fits;
        target = fits ? value->get<T>() : target;
    }
    void flag(const char* key, bool& target) {
        if (const Json* value = find(key, &Json::is_boolean)) {
            target = value->get<bool>();
        }
    }
    [[nodiscard]] const Json* find(const char* key, bool (Json::*is)() const noexcept) {
        const auto found = ok_ ? object_.find(key) : object_.end();
        ok_ = ok_ && found != object_.end() && ((*found).*is)();
        return ok_ ? &*found : nullptr;
    }
    [[nodiscard]] bool ok() const { return ok_; }

private:
    const Json& object_;
    bool ok_;
};

bool read_upgrade(const Json& object, UpgradeRecord& record) {
    Reader read(object);
    std::string state;
    read.text("state", state);
    read.number("number", record.number);
    read.text("folder", record.folder);
    read.text("from_build", record.from_build);
    read.text("to_build", record.to_build);
    read.text("failure", record.failure);
    const auto known = parse_upgrade_state(state);
    record.state = known.value_or(UpgradeState::idle);
    return read.ok() && known;
}

}  // namespace

std::string encode_inheritance(const Inheritance& document) {
    Json sockets = Json::array();
    for (const KeptSocket& socket : document.sockets) {
        sockets.push_back({{"slot", socket.slot}, {"call", socket.call}, {"fd", socket.fd}});
    }
    const UpgradeRecord& upgrade = document.upgrade;
    Json json{{"format", format_version},
              {"instance", document.instance},
              {"upgrade",
               {{"state", to_string(upgrade.state)},
                {"number", upgrade.number},
                {"folder", upgrade.folder},
                {"from_build", upgrade.from_build},
                {"to_build", upgrade.to_build},
                {"failure", upgrade.failure}}},
              {"lock", document.lock},
              {"listener", document.listener},
              {"activated", document.activated},
              {"slab", document.slab},
              {"old_program", document.old_program},
              {"old_worker", document.old_worker},
              {"generation", document.generation},
              {"sockets", std::move(sockets)},
              {"workers", document.workers},
              {"workers_configured", document.workers_configured},
              {"mode", document.mode}};
    if (document.mode_until_ns) {
        json["mode_until_ns"] = *document.mode_until_ns;
    }
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Inheritance> parse_inheritance(std::string_view text) {
    const auto bad = error(Errc::bad_message, "what the supervisor before the exec left cannot be read");
    const Json json = Json::parse(text, nullptr, false);
    Reader read(json);
    int format = 0;
    Inheritance document;
    read.number("format", format);
    read.text("instance", document.instance);
    read.number("lock", document.lock);
    read.number("listener", document.listener);
    read.flag("activated", document.activated);
    read.number("slab", document.slab);
    read.number("old_program", document.old_program);
    read.number("old_worker", document.old_worker);
    read.number("generation", document.generation);
    read.number("workers", document.workers);
    read.number("workers_configured", document.workers_configured);
    read.text("mode", document.mode);
    const Json* upgrade = read.find("upgrade", &Json::is_object);
    const Json* sockets = read.find("sockets", &Json::is_array);
    if (!read.ok() || format != format_version || !read_upgrade(*upgrade, document.upgrade)) {
        return bad;
    }
    if (const auto until = json.find("mode_until_ns"); until != json.end() && until->is_number_integer()) {
        document.mode_until_ns = until->get<std::int64_t>();
    }
    for (const Json& entry : *sockets) {
        Reader member(entry);
        KeptSocket socket;
        member.number("slot", socket.slot);
        member.number("call", socket.call);
        member.number("fd", socket.fd);
        if (!member.ok() || socket.slot >= call_slots_max) {
            return bad;
        }
        document.sockets.push_back(socket);
    }
    return document;
}

}  // namespace agentlocator
