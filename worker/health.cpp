#include "worker/health.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "worker/http_reply.hpp"
#include "worker/metrics_text.hpp"
#include "worker/stream_token.hpp"

namespace agentlocator {

namespace {

using Json = nlohmann::ordered_json;

HttpResponse json_reply(unsigned status, const Json& document) {
    // Settings may hold bytes that are not UTF-8; a health document is no place to fail over them.
    return reply(status, "application/json", document.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::vector<ReadyProblem> problems_of(const WebContext& context) {
    return context.problems ? context.problems() : std::vector<ReadyProblem>();
}

std::string or_dev(const std::string& text) {
    return text.empty() ? "dev" : text;
}

std::string_view secrets_state(const Settings& settings) {
    if (settings.twilio_auth_token.empty()) {
        return "missing";
    }
    return stream_token_required(settings) ? "ok" : "not checked";
}

}  // namespace

RouteResult front_page(const WebRequest& request) {
    return {.answer = text_reply(200, "AgentLocator " + request.context.build.version + " answers the phone here.")};
}

RouteResult healthz(const WebRequest&) {
    return {.answer = text_reply(200, "ok")};
}

RouteResult readyz(const WebRequest& request) {
    const WebContext& context = request.context;
    const std::vector<ReadyProblem> problems = problems_of(context);
    Json list = Json::array();
    for (const ReadyProblem& problem : problems) {
        list.push_back({{"code", problem.code}, {"cause", problem.cause}});
    }
    // The keys db, openai and tts are those of the original. An absent database does not make us unready: calls go on
    // without it (F-58), and facts wait in the spool.
    const Json document = {{"status", problems.empty() ? "ready" : "degraded"},
                           {"mode", to_string(context.mode)},
                           {"db", context.store.database},
                           {"openai", "disabled"},
                           {"tts", "disabled"},
                           {"twilio_secrets", secrets_state(context.settings)},
                           {"calls", context.live_calls},
                           {"problems", list}};
    return {.answer = json_reply(problems.empty() ? 200 : 503, document)};
}

RouteResult version(const WebRequest& request) {
    const WebContext& context = request.context;
    const BuildInfo& build = context.build;
    return {.answer = json_reply(200, {{"app", "agentlocator"},
                                       {"version", build.version},
                                       {"build", or_dev(build.build)},
                                       {"commit", or_dev(build.commit)},
                                       {"build_time", or_dev(build.build_time)},
                                       {"deploy_id", or_dev(build.deploy_id)},
                                       {"instance", context.instance},
                                       {"worker", context.worker},
                                       {"mode", to_string(context.mode)},
                                       {"started_at", context.started_at},
                                       {"ts", context.now}})};
}

RouteResult metrics(const WebRequest& request) {
    const WebContext& context = request.context;
    const auto workers = context.metrics ? context.metrics() : std::vector<WorkerMetrics>();
    return {.answer = reply(200, metrics_content_type, metrics_text(context, workers, problems_of(context).empty()))};
}

}  // namespace agentlocator
