// Who is asked, how that vendor is keyed, and how it refuses: status, headers and document, in its own form.

export const openaiError = (code, message, type = "invalid_request_error", param = null) =>
  ({ error: { message, type, param, code } });
export const googleError = (code, status, message, details = []) => ({ error: { code, message, status, details } });
export const anthropicError = (type, message) => ({ type: "error", error: { type, message }, request_id: "req_0001" });
export const twilioError = (status, code, message) =>
  ({ code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status });
const deepgramError = (err_code, err_msg) => ({ err_code, err_msg, request_id: "req_0001" });
const elevenlabsError = (status, message) => ({ detail: { status, message } });

// Azure OpenAI, Groq and OpenAI share their paths' ends.
export function vendorOf(path, headers) {
  if (path.startsWith("/2010-04-01/")) return "twilio";
  if (path.startsWith("/v1/messages") || headers["anthropic-version"]) return "anthropic";
  if (path.includes(":streamGenerateContent") || path.includes("google.") || /^\/v[12]\/(speech:|text:|voices|operations|projects\/.*recognizers)/.test(path)) return "google";
  if (path.startsWith("/v1beta")) return "google";
  if (path.includes("cognitiveservices")) return "azure-speech";
  if (headers["api-key"] || path.startsWith("/openai/deployments/")) return "azure-openai";
  if (path.startsWith("/openai/")) return "groq";
  if (path === "/v1/listen" || path === "/v1/speak" || path === "/v1/projects") return "deepgram";
  if (path.startsWith("/v1/text-to-speech") || path.startsWith("/v1/speech-to-text") || headers["xi-api-key"]) return "elevenlabs";
  return "openai";
}

const bearer = (headers) => /^Bearer .+/.test(headers.authorization ?? "");
const keyed = {
  openai: (headers) => bearer(headers),
  groq: (headers) => bearer(headers),
  "azure-openai": (headers) => Boolean(headers["api-key"]) || bearer(headers),
  anthropic: (headers) => Boolean(headers["x-api-key"]) || bearer(headers),
  google: (headers, query) => Boolean(headers["x-goog-api-key"]) || bearer(headers) || query.has("key"),
  deepgram: (headers) => /^(Token|Bearer) .+/i.test(headers.authorization ?? ""),
  elevenlabs: (headers) => Boolean(headers["xi-api-key"]),
  "azure-speech": (headers, query) => Boolean(headers["ocp-apim-subscription-key"]) || query.has("Ocp-Apim-Subscription-Key") || bearer(headers),
  twilio: (headers) => /^Basic .+/.test(headers.authorization ?? ""),
};
// A request without a key is refused as one with a wrong key.
export const isKeyed = (vendor, headers, query) => keyed[vendor](headers, query);

const openai = {
  auth: { status: 401, body: openaiError("invalid_api_key", "Incorrect API key provided: sk-test-0123456789abcdef.") },
  busy: { status: 429, headers: { "retry-after": "2" }, body: openaiError("rate_limit_exceeded", "slow down", "requests") },
  quota: { status: 429, body: openaiError("insufficient_quota", "no money", "insufficient_quota") },
  broken: { status: 500, body: openaiError(null, "The server had an error", "server_error") },
  bad: { status: 404, body: openaiError("model_not_found", "The model `m` does not exist", "invalid_request_error", "model") },
};
const documents = {
  openai,
  groq: {
    ...openai,
    busy: { status: 429, headers: { "retry-after": "2", "x-ratelimit-limit-requests": "14400", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "2s" },
      body: openaiError("rate_limit_exceeded", "Rate limit reached for model `m` on tokens per minute (TPM)", "tokens") },
  },
  "azure-openai": {
    ...openai,
    auth: { status: 401, body: { error: { code: "401", message: "Access denied due to invalid subscription key or wrong API endpoint." } } },
    busy: { status: 429, headers: { "retry-after": "2" }, body: { error: { code: "429", message: "Requests to the ChatCompletions_Create Operation have exceeded the call rate limit." } } },
    bad: { status: 404, body: { error: { code: "DeploymentNotFound", message: "The API deployment for this resource does not exist." } } },
    filtered: { status: 400, body: { error: { message: "The response was filtered due to the prompt triggering content management policy.", type: null, param: "prompt", code: "content_filter", status: 400,
      innererror: { code: "ResponsibleAIPolicyViolation", content_filter_result: { violence: { filtered: true, severity: "high" } } } } } },
  },
  anthropic: {
    auth: { status: 401, body: anthropicError("authentication_error", "invalid x-api-key") },
    busy: { status: 429, headers: { "retry-after": "2" }, body: anthropicError("rate_limit_error", "too many requests") },
    quota: { status: 402, body: anthropicError("billing_error", "credit balance is too low") },
    broken: { status: 500, body: anthropicError("api_error", "Internal server error") },
    overloaded: { status: 529, body: anthropicError("overloaded_error", "Overloaded") },
    bad: { status: 404, body: anthropicError("not_found_error", "model: m") },
  },
  google: {
    auth: { status: 401, body: googleError(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.") },
    busy: { status: 429, body: googleError(429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Requests'",
      [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "2s" }]) },
    broken: { status: 500, body: googleError(500, "INTERNAL", "Internal error encountered.") },
    bad: { status: 400, body: googleError(400, "INVALID_ARGUMENT", "Invalid recognition 'config'") },
  },
  deepgram: {
    auth: { status: 401, body: deepgramError("INVALID_AUTH", "Invalid credentials.") },
    busy: { status: 429, body: deepgramError("TOO_MANY_REQUESTS", "Too many requests. Please try again later") },
    quota: { status: 402, body: deepgramError("ASR_PAYMENT_REQUIRED", "Project does not have enough credits") },
    broken: { status: 500, body: deepgramError("INTERNAL_SERVER_ERROR", "Internal server error") },
    bad: { status: 400, body: deepgramError("Bad Request", "No such model/language/tier combination found.") },
  },
  elevenlabs: {
    auth: { status: 401, body: elevenlabsError("invalid_api_key", "Invalid API key") },
    busy: { status: 429, body: elevenlabsError("too_many_concurrent_requests", "Too many concurrent requests") },
    quota: { status: 401, body: elevenlabsError("quota_exceeded", "This request exceeds your quota") },
    broken: { status: 500, body: elevenlabsError("internal_error", "Internal error") },
    bad: { status: 400, body: elevenlabsError("voice_not_found", "A voice with that id was not found") },
  },
  "azure-speech": {  // Often without a word.
    auth: { status: 401, body: "" },
    busy: { status: 429, body: "" },
    broken: { status: 500, body: "Internal Server Error" },
    bad: { status: 400, body: "" },
  },
  twilio: {
    auth: { status: 401, body: twilioError(401, 20003, "Authenticate") },
    busy: { status: 429, body: twilioError(429, 20429, "Too Many Requests") },
    broken: { status: 500, body: twilioError(500, 20500, "Internal Server Error") },
    over: { status: 400, body: twilioError(400, 21220, "Call is not in-progress. Cannot redirect.") },
    gone: { status: 404, body: twilioError(404, 20404, "The requested resource was not found") },
  },
};

// What a proxy says in anybody's place: a login page, and a balancer without a server behind it.
const anybody = {
  page: { status: 200, headers: { "content-type": "text/html" }, body: "<html>login</html>" },
  proxy: { status: 502, headers: { "content-type": "text/html" }, body: "<html><h1>502 Bad Gateway</h1></html>" },
};

export const faultOf = (vendor, scenario) => documents[vendor][scenario] ?? anybody[scenario];

// Google's services say the same over gRPC by status (google/rpc/code.proto), with HTTP 200 and trailers only.
export const grpcFaults = {
  auth: [16, "Request had invalid authentication credentials."],
  busy: [8, "Quota exceeded for quota metric 'Requests'"],
  broken: [13, "Internal error encountered."],
  bad: [3, "Invalid recognition 'config'"],
};
