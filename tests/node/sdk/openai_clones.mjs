// Azure OpenAI by OpenAI's client for it, and Groq by Groq's own.
import { assert, check, collect, farm, raises, require, run, short_ms, wavFile } from "./harness.mjs";

const openai = require("openai");
const groq_sdk = require("groq-sdk");
const question = { model: "m", messages: [{ role: "user", content: "שלום" }], stream: true };
const text_of = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");

const azure = (scenario, more = {}) => new openai.AzureOpenAI({ endpoint: farm(scenario), apiKey: "az-test-0123456789abcdef",
  apiVersion: "2024-10-21", deployment: "chat", maxRetries: 0, ...more });
const azure_chat = (scenario, more) => async () => collect(await azure(scenario, more).chat.completions.create(question));

check("Azure OpenAI streams", async () => {
  const chunks = await collect(await azure("fine").chat.completions.create(question));
  assert.equal(text_of(chunks), "שלום, באיזו שעה?");
  assert.deepEqual(chunks[0].choices, []);  // The filter's verdict on the prompt comes first.
  assert.equal(chunks[0].prompt_filter_results[0].prompt_index, 0);
});
check("Azure OpenAI's errors", async () => {
  await raises(openai.AuthenticationError, { status: 401 }, azure_chat("auth"));
  await raises(openai.RateLimitError, { status: 429 }, azure_chat("busy"));
  await raises(openai.NotFoundError, { status: 404, code: "DeploymentNotFound" }, azure_chat("bad"));
  await raises(openai.InternalServerError, { status: 500 }, azure_chat("broken"));
  const filtered = await raises(openai.BadRequestError, { status: 400, code: "content_filter" }, azure_chat("filtered"));
  assert.equal(filtered.error.innererror.code, "ResponsibleAIPolicyViolation");
  await raises(openai.APIError, { message: /overload/ }, azure_chat("late-error"));
  await raises(openai.APIConnectionTimeoutError, {}, azure_chat("hang", { timeout: short_ms }));
});

const groq = (scenario, more = {}) => new groq_sdk.Groq({ apiKey: "gsk_test0123456789abcdef", baseURL: farm(scenario), maxRetries: 0, ...more });
const groq_chat = (scenario, more) => async () => collect(await groq(scenario, more).chat.completions.create(question));

check("Groq streams", async () => {
  const chunks = await collect(await groq("fine").chat.completions.create(question));
  assert.equal(text_of(chunks), "שלום, באיזו שעה?");
  assert.equal(chunks[0].x_groq.id, "req_0001");
  assert.equal(chunks.at(-1).x_groq.usage.total_tokens, 2);
});
check("Groq calls tools", async () => {
  const tools = [{ type: "function", function: { name: "find_slots", parameters: { type: "object" } } }];
  const chunks = await collect(await groq("tool").chat.completions.create({ ...question, tools }));
  const pieces = chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? []);
  assert.equal(pieces[0].function.name, "find_slots");
  assert.deepEqual(JSON.parse(pieces.map((piece) => piece.function.arguments).join("")), { date: "x" });
});
check("Groq transcribes", async () => {
  const file = await groq_sdk.toFile(wavFile(), "audio.wav", { type: "audio/wav" });
  const answer = await groq("fine").audio.transcriptions.create({ file, model: "whisper-large-v3-turbo", language: "he", response_format: "verbose_json" });
  assert.equal(answer.text.trim(), "אני רוצה תור");
  assert.equal(answer.segments[0].no_speech_prob, 0.02);
});
check("Groq's errors", async () => {
  await raises(groq_sdk.AuthenticationError, { status: 401 }, groq_chat("auth"));
  const busy = await raises(groq_sdk.RateLimitError, { status: 429 }, groq_chat("busy"));
  assert.equal(busy.headers.get("x-ratelimit-remaining-tokens"), "0");
  await raises(groq_sdk.NotFoundError, { status: 404 }, groq_chat("bad"));
  await raises(groq_sdk.InternalServerError, { status: 500 }, groq_chat("broken"));
  await raises(groq_sdk.APIError, {}, groq_chat("late-error"));
  await raises(groq_sdk.APIConnectionTimeoutError, {}, groq_chat("hang", { timeout: short_ms }));
});

await run();
