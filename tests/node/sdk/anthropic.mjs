// Anthropic's own client: messages streamed, tools, errors before and within the stream.
import { assert, check, collect, farm, raises, require, run, short_ms } from "./harness.mjs";

const sdk = require("@anthropic-ai/sdk");
const Anthropic = sdk.Anthropic;
const client = (scenario, more = {}) => new Anthropic({ apiKey: "ak-test-0123456789abcdef", baseURL: farm(scenario), maxRetries: 0, ...more });
const question = { model: "claude-haiku-5-5", max_tokens: 200, messages: [{ role: "user", content: "שלום" }] };
const tools = [{ name: "find_slots", input_schema: { type: "object", properties: {} } }];

for (const scenario of ["fine", "split"]) {
  check(`a message streams (${scenario})`, async () => {
    const message = await client(scenario).messages.stream(question).finalMessage();  // The library's own assembly.
    assert.equal(message.stop_reason, "end_turn");
    assert.deepEqual(message.content.map((block) => block.text), ["רגע. "]);
    assert.equal(message.usage.output_tokens, 31);
  });
}
check("a tool is called", async () => {
  const message = await client("fine").messages.stream({ ...question, tools }).finalMessage();
  assert.equal(message.stop_reason, "tool_use");
  assert.equal(message.content[1].name, "find_slots");
  assert.deepEqual(message.content[1].input, { date: "x" });
});
check("models are listed", async () => {
  await collect(await client("fine").models.list());
});

const ask = (scenario, more) => async () => collect(await client(scenario, more).messages.create({ ...question, stream: true }));
check("errors before the stream", async () => {
  await raises(sdk.AuthenticationError, { status: 401, type: "authentication_error" }, ask("auth"));
  const busy = await raises(sdk.RateLimitError, { status: 429, requestID: "req_0001" }, ask("busy"));
  assert.equal(busy.headers.get("retry-after"), "2");
  await raises(null, { status: 402, type: "billing_error" }, ask("quota"));
  await raises(sdk.NotFoundError, { status: 404 }, ask("bad"));
  await raises(sdk.InternalServerError, { status: 500 }, ask("broken"));
  await raises(null, { status: 529, type: "overloaded_error" }, ask("overloaded"));
  await raises(sdk.APIConnectionTimeoutError, {}, ask("hang", { timeout: short_ms }));
  await raises(sdk.BadRequestError, { status: 400, message: /temperature/ }, async () =>
    client("fine").messages.create({ ...question, stream: true, temperature: 0.3 }));
});
check("an error within the stream", async () => {
  await raises(sdk.APIError, { type: "overloaded_error", message: /Overloaded/ }, ask("late-error"));
});

await run();
