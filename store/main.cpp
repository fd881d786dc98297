// agentlocator-records: `agentlocator calls`, `leads`, `payments`, `business` and `retention`. A program of its own, so
// that the supervisor carries no database. Data goes to stdout, everything else to stderr.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "common/exit_code.hpp"
#include "common/io/settings_source.hpp"
#include "common/io/wall_clock.hpp"
#include "store/business_settings.hpp"
#include "store/io/janitor.hpp"
#include "store/io/open_database.hpp"
#include "store/migrations.hpp"
#include "store/payments.hpp"
#include "store/queries.hpp"

namespace agentlocator {
namespace {

using Json = nlohmann::ordered_json;

struct RecordsOptions {
    std::string command;
    std::optional<std::string> env_file;
    bool json = false;
    bool csv = false;
    std::string call_sid;
    std::int64_t days = 0;  // 0: all.
    Page page;
    NewBusiness business;
    std::string payment_id;
    // `business set`, `unset`, `settings`, `payments`
    std::string part;
    BusinessChange change;
    std::optional<std::string> value_file;
    bool history = false;
    BusinessPayments allowed;
};

int fail(ExitCode code, const std::string& text) {
    std::cerr << "agentlocator: " << text << "\n";
    return to_int(code);
}

int fail(const Error& fault) {
    return fail(fault.code == Errc::bad_config ? ExitCode::bad_config : ExitCode::failed, fault.detail);
}

std::string dump(const Json& document) {
    return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

int show(const Result<Table>& table, const RecordsOptions& options) {
    if (!table) {
        return fail(table.error());
    }
    std::cout << (options.json ? dump(to_json(*table)) : options.csv ? to_csv(*table) : to_columns(*table));
    return to_int(std::cout.flush() ? ExitCode::ok : ExitCode::failed);
}

int show_one_call(Database& database, const RecordsOptions& options) {
    const auto record = show_call(database, options.call_sid);
    if (!record) {
        return fail(record.error());
    }
    if (record->call.rows.empty()) {
        return fail(ExitCode::failed, "no call " + options.call_sid + "; `agentlocator calls` lists them");
    }
    if (options.json) {
        Json document = to_json(record->call, 0);
        document["turns"] = to_json(record->turns);
        document["recordings"] = to_json(record->recordings);
        document["appointments"] = to_json(record->appointments);
        std::cout << dump(document);
    } else {
        std::cout << to_columns(record->call);
        for (const Table* part : {&record->turns, &record->recordings, &record->appointments}) {
            std::cout << (part->rows.empty() ? "" : "\n" + to_columns(*part));
        }
    }
    return to_int(std::cout.flush() ? ExitCode::ok : ExitCode::failed);
}

int show_one_payment(Database& database, const RecordsOptions& options) {
    const auto payment = find_payment(database, options.payment_id);
    const auto events = list_payment_events(database, options.payment_id);
    if (!payment || !events) {
        return fail(payment ? events.error() : payment.error());
    }
    if (!*payment) {
        return fail(ExitCode::failed, "no payment " + options.payment_id + "; `agentlocator payments` lists them");
    }
    const PaymentRow& row = **payment;
    const Table one{{"id", "business_id", "provider", "amount", "currency", "status", "provider_id", "note", "url"},
                    {{row.id, row.business, row.provider, row.amount, row.currency, row.status, row.provider_id,
                      row.note, row.url}}};
    if (options.json) {
        Json document = to_json(one, 0);
        document["events"] = to_json(*events);
        std::cout << dump(document);
    } else {
        std::cout << to_columns(one) << (events->rows.empty() ? "" : "\n" + to_columns(*events));
    }
    return to_int(std::cout.flush() ? ExitCode::ok : ExitCode::failed);
}

// The value from a file, or from standard input for "-": a prompt of many lines, or a secret that no process list and
// shell history should show.
Result<std::string> read_value(const std::string& path) {
    std::ifstream file;
    if (path != "-") {
        file.open(path, std::ios::binary);
        if (!file) {
            return error(Errc::bad_message, path + " cannot be read");
        }
    }
    std::istream& from = path == "-" ? std::cin : file;
    std::string text{std::istreambuf_iterator<char>(from), {}};
    while (text.ends_with('\n') || text.ends_with('\r')) {
        text.pop_back();
    }
    return text;
}

int change_one_business(Database& database, const RecordsOptions& options, std::int64_t now) {
    BusinessChange change = options.change;
    if (options.part == "payments") {
        const auto allowed = allow_payments(database, change.business, options.allowed);
        return allowed ? show(list_businesses(database), options) : fail(allowed.error());
    }
    if (options.part == "set") {
        if (options.value_file) {
            auto text = read_value(*options.value_file);
            if (!text) {
                return fail(text.error());
            }
            change.value = std::move(*text);
        }
        if (change.value.empty()) {
            return fail(ExitCode::usage, "give a value, or --file FILE; `business unset` takes one away");
        }
    }
    if (options.part != "settings") {
        change.by = "command line";
        if (const auto changed = change_business(database, change, now); !changed) {
            return fail(changed.error());
        }
    }
    return show(list_business_values(database, change.business, options.history), options);
}

int perform(Database& database, RecordsOptions options) {
    const std::int64_t now = wall_ms();
    options.page.since = options.days == 0 ? 0 : now - options.days * 86'400'000;
    if (options.command == "calls") {
        return options.call_sid.empty() ? show(list_calls(database, options.page), options)
                                        : show_one_call(database, options);
    }
    if (options.command == "leads") {
        return show(list_leads(database, options.page), options);
    }
    if (options.command == "payments") {
        return options.payment_id.empty() ? show(list_payments(database, options.page), options)
                                          : show_one_payment(database, options);
    }
    if (!options.part.empty()) {
        return change_one_business(database, options, now);
    }
    if (!options.business.name.empty()) {
        if (const auto added = add_business(database, options.business, now); !added) {
            return fail(added.error());
        }
    }
    return show(list_businesses(database), options);
}

int delete_what_is_old(const Settings& settings, const DatabaseAddress& address) {
    const auto report = run_retention_now(settings, address, wall_ms());
    if (!report) {
        return fail(report.error());
    }
    std::cout << "deleted " << report->turns << " turns and " << report->recordings << " recordings older than "
              << settings.retention_days << " days\n";
    return report->failed == 0 ? to_int(ExitCode::ok)
                               : fail(ExitCode::failed, std::to_string(report->failed) +
                                                            " recordings could not be "
                                                            "deleted: " +
                                                            report->first_fault);
}

int run(const RecordsOptions& options) {
    const auto loaded = load_settings({.file = options.env_file, .flags = {}}, setting_facts());
    if (!loaded.parsed.faults.empty()) {
        for (const SettingFault& fault : loaded.parsed.faults) {
            std::cerr << "agentlocator: " << fault.detail << "\n";
        }
        return to_int(ExitCode::bad_config);
    }
    const Settings& settings = loaded.parsed.settings;
    const auto address = parse_database_url(settings.database_url, settings.data_dir);
    if (!address) {
        return fail(address.error());
    }
    if (options.command == "retention") {
        return delete_what_is_old(settings, *address);
    }
    std::error_code ignored;  // A folder that is missing is said by whoever opens the file.
    std::filesystem::create_directories(settings.data_dir,
                                        ignored);  // Businesses may be set up before the first start.
    auto database = open_database(*address);
    if (!database) {
        return fail(database.error());
    }
    if (auto migrated = migrate(**database, wall_ms()); !migrated) {
        return fail(migrated.error());
    }
    return perform(**database, options);
}

CLI::App* add_command(CLI::App& app, RecordsOptions& options, const std::string& name, const std::string& help) {
    CLI::App* command = app.add_subcommand(name, help);
    command->add_option_function<std::string>(
        "--env-file", [&](const std::string& file) { options.env_file = file; },
        "Settings file instead of .env of the installation");
    return command;
}

void add_listing(CLI::App& command, RecordsOptions& options) {
    auto* json = command.add_flag("--json", options.json, "As JSON");
    command.add_flag("--csv", options.csv, "As CSV, for a spreadsheet")->excludes(json);
    command.add_option("--limit", options.page.limit, "Most rows, newest first")
        ->check(CLI::Range(std::int64_t{1}, page_rows_max))
        ->capture_default_str();
    command.add_option("--offset", options.page.offset, "Rows to leave out")
        ->check(CLI::Range(std::int64_t{0}, INT64_MAX));
    command.add_option("--days", options.days, "Only of the last so many days")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{36'500}));
    command
        .add_option_function<std::int64_t>(
            "--business", [&](const std::int64_t& id) { options.page.business = id; }, "Only of this business")
        ->check(CLI::NonNegativeNumber);
}

void add_business(CLI::App& app, RecordsOptions& options) {
    CLI::App* business = add_command(app, options, "business", "List businesses and their numbers, or change one");
    business->add_flag("--json", options.json, "As JSON");
    CLI::App* add = business->add_subcommand("add", "Add a business");
    add->add_option("name", options.business.name, "Its name")->required();
    add->add_option("--language", options.business.language, "he, en");
    add->add_option("--voice", options.business.voice_numbers, "Telephone number that is called; may be repeated");
    add->add_option("--whatsapp", options.business.whatsapp_numbers, "WhatsApp number; may be repeated");
    const auto part = [&](const std::string& name, const std::string& help) {
        CLI::App* command = business->add_subcommand(name, help);
        command->callback([&options, name] { options.part = name; });
        command->add_option("id", options.change.business, "The business's number")->required();
        command->add_flag("--json", options.json, "As JSON");
        return command;
    };
    std::string names = "What to set:";
    for (const BusinessSettingName& one : business_setting_names()) {
        names += " " + std::string(one.name);
    }
    const std::string channels = "voice, whatsapp or payments; without it voice and whatsapp";
    CLI::App* settings = part("settings", "What a business has set for itself");
    settings->add_flag("--history", options.history, "Every version, not the newest alone");
    CLI::App* set = part("set", "Set a prompt, a text or an account of a business; the versions before are kept");
    set->add_option("name", options.change.name, names)->required();
    set->add_option("value", options.change.value, "The value");
    set->add_option_function<std::string>(
        "--file", [&](const std::string& file) { options.value_file = file; },
        "Read the value from a file; -: from standard input");
    set->add_option("--channel", options.change.channel, channels);
    CLI::App* unset = part("unset", "Take one away");
    unset->add_option("name", options.change.name, names)->required();
    unset->add_option("--channel", options.change.channel, channels);
    CLI::App* payments = part("payments", "Allow a business to take payments, or forbid it");
    payments
        ->add_option_function<std::string>(
            "allowed", [&](const std::string& word) { options.allowed.enabled = word == "on"; }, "on or off")
        ->check(CLI::IsMember({"on", "off"}))
        ->required();
    payments->add_option("--provider", options.allowed.provider, "Who takes them unless a request says")
        ->check(CLI::IsMember({"paypal", "tranzila"}));
}

}  // namespace
}  // namespace agentlocator

int main(int argc, char** argv) {
    using namespace agentlocator;
    RecordsOptions options;
    CLI::App app("What the agent did: calls, leads, payments, businesses.", "agentlocator");
    app.require_subcommand(1);
    CLI::App* calls = add_command(app, options, "calls", "List calls, or show one: calls show SID");
    add_listing(*calls, options);
    CLI::App* one = calls->add_subcommand("show", "One call with its turns, recordings and appointments");
    one->add_option("sid", options.call_sid, "The call's id, CA...")->required();
    one->add_flag("--json", options.json, "As JSON");
    add_listing(*add_command(app, options, "leads", "List the people who called or wrote"), options);
    CLI::App* payments = add_command(app, options, "payments", "List payments, or show one: payments show ID");
    add_listing(*payments, options);
    CLI::App* payment = payments->add_subcommand("show", "One payment and what its provider told of it");
    payment->add_option("id", options.payment_id, "Its id")->required();
    payment->add_flag("--json", options.json, "As JSON");
    add_business(app, options);
    add_command(app, options, "retention", "Delete transcripts and recordings older than RETENTION_DAYS, now");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return app.exit(problem) == 0 ? 0 : to_int(ExitCode::usage);
    }
    options.command = app.get_subcommands().front()->get_name();
    try {
        return run(options);
    } catch (const std::exception& problem) {
        return fail(ExitCode::internal, problem.what());
    }
}
