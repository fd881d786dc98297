// OpenAI's own client: chat, transcription, speech, models, Realtime; and its errors.
import { Inbox, assert, check, collect, farm, raises, require, run, short_ms, sound, wavFile } from "./harness.mjs";

const sdk = require("openai");
const { OpenAIRealtimeWS } = require("openai/realtime/ws");
const OpenAI = sdk.OpenAI;

const client = (scenario, more = {}) =>
  new OpenAI({ apiKey: "sk-test-0123456789abcdef", baseURL: farm(scenario, "/v1"), maxRetries: 0, ...more });
const question = { model: "m", messages: [{ role: "user", content: "שלום" }], stream: true };
const tools = [{ type: "function", function: { name: "find_slots", parameters: { type: "object", properties: {} } } }];
const text_of = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");

for (const scenario of ["fine", "split"]) {
  check(`chat streams (${scenario})`, async () => {
    const chunks = await collect(await client(scenario).chat.completions.create({ ...question, stream_options: { include_usage: true } }));
    assert.equal(text_of(chunks), "שלום, באיזו שעה?");
    assert.equal(chunks.at(-1).usage.total_tokens, 2);
    assert.equal(chunks.at(-2).choices[0].finish_reason, "stop");
  });
}
for (const [scenario, calls] of [["tool", 1], ["two-tools", 2]]) {
  check(`tool calls are put together (${scenario})`, async () => {
    // The library's own assembly of fragments.
    const runner = client(scenario).chat.completions.stream({ ...question, stream: undefined, tools });
    const completion = await runner.finalChatCompletion();
    assert.equal(completion.choices[0].finish_reason, "tool_calls");
    assert.equal(completion.choices[0].message.tool_calls.length, calls);
    for (const call of completion.choices[0].message.tool_calls) {
      assert.equal(call.function.name, "find_slots");
      assert.equal(typeof JSON.parse(call.function.arguments).date, "string");
    }
  });
}
check("an answer cut by a filter says so", async () => {
  const chunks = await collect(await client("cut-by-filter").chat.completions.create(question));
  assert.equal(chunks.at(-1).choices[0].finish_reason, "content_filter");
});
check("models are listed", async () => {
  await collect(await client("fine").models.list());
});
check("transcription", async () => {
  const file = await sdk.toFile(wavFile(), "audio.wav", { type: "audio/wav" });
  const answer = await client("fine").audio.transcriptions.create({ file, model: "gpt-transcribe", languages: ["he"] });
  assert.equal(answer.text.trim(), "אני רוצה תור");
  assert.equal(answer.usage.seconds, 2);
});
check("transcription with evidence", async () => {
  const file = await sdk.toFile(wavFile(), "audio.wav", { type: "audio/wav" });
  const answer = await client("noise").audio.transcriptions.create({ file, model: "whisper-1", language: "he", response_format: "verbose_json" });
  assert.equal(answer.segments[0].no_speech_prob, 0.9);
});
for (const scenario of ["fine", "odd"]) {
  check(`speech (${scenario})`, async () => {
    const answer = await client(scenario).audio.speech.create({ model: "tts-1", voice: "marin", input: "שלום", response_format: "pcm" });
    assert.equal((await answer.arrayBuffer()).byteLength, 48000);
  });
}

const chat = (scenario, more) => async () => collect(await client(scenario, more).chat.completions.create(question));
check("errors before the stream", async () => {
  await raises(sdk.AuthenticationError, { status: 401, code: "invalid_api_key", requestID: "req_0001" }, chat("auth"));
  const busy = await raises(sdk.RateLimitError, { status: 429, code: "rate_limit_exceeded" }, chat("busy"));
  assert.equal(busy.headers.get("retry-after"), "2");
  await raises(sdk.RateLimitError, { status: 429, code: "insufficient_quota" }, chat("quota"));
  await raises(sdk.NotFoundError, { status: 404, code: "model_not_found", param: "model" }, chat("bad"));
  await raises(sdk.InternalServerError, { status: 500, type: "server_error" }, chat("broken"));
  await raises(sdk.InternalServerError, { status: 502 }, chat("proxy"));
  await raises(sdk.BadRequestError, { status: 400, code: "invalid_value" }, async () =>
    client("fine").audio.transcriptions.create({ file: await sdk.toFile(Buffer.from("no sound"), "x.wav"), model: "m" }));
});
check("no key is a wrong key", async () => {
  await raises(sdk.AuthenticationError, { status: 401 }, chat("fine", { defaultHeaders: { Authorization: null } }));
});
check("errors within the stream", async () => {
  await raises(sdk.APIError, { type: "server_error", message: /overload/ }, chat("late-error"));
  await raises(SyntaxError, {}, chat("garbage"));
  await raises(null, {}, chat("reset"));
});
check("a service that hangs", async () => {
  await raises(sdk.APIConnectionTimeoutError, {}, chat("hang", { timeout: short_ms }));
});
check("a stream that hangs can be given up", async () => {
  const stream = await client("hang-mid").chat.completions.create(question);
  for await (const chunk of stream) {
    assert.equal(chunk.choices[0].delta.content, "של");
    stream.controller.abort();
  }
});

// --- Realtime

function converse(scenario) {
  const url = new URL(farm(scenario, "/v1"));
  const socket = new OpenAIRealtimeWS({ model: "gpt-realtime-2.1", options: { rejectUnauthorized: true } }, client(scenario, { baseURL: String(url) }));
  const inbox = new Inbox();
  // Every event is told to "event"; those with a name of their own again under it.
  socket.on("event", (event) => inbox.push(event));
  socket.on("error", (problem) => inbox.push({ type: "sdk_error", problem }));
  socket.socket.on("close", (code) => inbox.push({ type: "closed", code }));
  return { socket, inbox, until: (type) => inbox.until((event) => event.type === type) };
}
const format = { type: "audio/pcmu" };
const session = { type: "realtime", output_modalities: ["audio"], instructions: "בעברית",
  audio: { input: { format, turn_detection: null, transcription: { model: "gpt-transcribe", languages: ["he"] } }, output: { format, voice: "marin" } },
  tools: [{ type: "function", name: "find_slots", parameters: { type: "object" } }] };
async function ready(scenario) {
  const talk = converse(scenario);
  const made = await talk.until("session.created");
  assert.equal(made.session.model, "gpt-realtime-2.1");
  talk.socket.send({ type: "session.update", session });
  await talk.until("session.updated");
  return talk;
}

check("a spoken turn over Realtime", async () => {
  const { socket, inbox, until } = await ready("fine");
  for (let at = 0; at < sound.length; at += 320) {
    socket.send({ type: "input_audio_buffer.append", audio: sound.subarray(at, at + 320).toString("base64") });
  }
  socket.send({ type: "input_audio_buffer.commit" });
  socket.send({ type: "response.create" });
  assert.equal((await until("conversation.item.input_audio_transcription.completed")).transcript, "שמעתי 16000");
  const order = [];
  let bytes = 0;
  for (let event = {}; event.type !== "response.done"; ) {
    event = await inbox.until(() => true);
    order.push(event.type);
    if (event.type === "response.output_audio.delta") bytes += Buffer.from(event.delta, "base64").length;
  }
  assert.equal(bytes, 16000);
  assert.deepEqual([...new Set(order)], ["response.created", "response.output_item.added", "conversation.item.added",
    "response.content_part.added", "response.output_audio_transcript.delta", "response.output_audio.delta",
    "response.output_audio.done", "response.output_audio_transcript.done", "response.content_part.done",
    "response.output_item.done", "conversation.item.done", "response.done"]);
  socket.close();
  await until("closed");
});
check("a tool call over Realtime", async () => {
  const { socket, until } = await ready("tool");
  socket.send({ type: "response.create" });
  const call = await until("response.function_call_arguments.done");
  assert.equal(call.name, "find_slots");
  await until("response.done");
  socket.send({ type: "conversation.item.create", item: { type: "function_call_output", call_id: call.call_id, output: "{}" } });
  socket.send({ type: "response.create" });
  assert.equal((await until("response.done")).response.output[0].content[0].transcript, "שלום");
  socket.send({ type: "conversation.item.create", item: { type: "function_call_output", call_id: "call_x", output: "{}" } });
  assert.equal((await until("error")).error.code, "invalid_tool_call_id");
  socket.close();
});
check("an interruption over Realtime", async () => {
  const { socket, until } = await ready("long");
  socket.send({ type: "response.create" });
  const first = await until("response.output_audio.delta");
  socket.send({ type: "response.create" });
  assert.equal((await until("error")).error.code, "conversation_already_has_active_response");
  socket.send({ type: "response.cancel" });
  const done = await until("response.done");
  assert.equal(done.response.status, "cancelled");
  assert.equal(done.response.status_details.reason, "client_cancelled");
  socket.send({ type: "conversation.item.truncate", item_id: first.item_id, content_index: 0, audio_end_ms: 100 });
  assert.equal((await until("conversation.item.truncated")).audio_end_ms, 100);
  socket.send({ type: "conversation.item.truncate", item_id: first.item_id, content_index: 0, audio_end_ms: 3_600_000 });
  assert.match((await until("error")).error.message, /already shorter/);
  socket.close();
});
check("errors of Realtime", async () => {
  const { socket, until } = await ready("fine");
  const refused = async (event, code) => {
    socket.send({ ...event, event_id: "mine" });
    const { error } = await until("error");
    assert.equal(error.code, code);
    assert.equal(error.event_id, "mine");
    const told = await until("sdk_error");  // And as the library's own error.
    assert.equal(told.problem.error.code, code);
  };
  await refused({ type: "input_audio_buffer.commit" }, "input_audio_buffer_commit_empty");
  await refused({ type: "response.cancel" }, "response_cancel_not_active");
  await refused({ type: "no.such.event" }, "invalid_value");
  await refused({ type: "session.update", session: { ...session, model: "x" } }, "unknown_parameter");
  await refused({ type: "session.update", session: { ...session, type: undefined } }, "missing_required_parameter");
  socket.close();
  for (const [scenario, code] of [["rt-quota", "insufficient_quota"], ["expired", "session_expired"], ["rt-broken", "server_error"]]) {
    const talk = await ready(scenario);
    talk.socket.send({ type: "response.create" });
    assert.equal((await talk.until("error")).error.code, code);
    talk.socket.close();
  }
  const talk = await ready("failed");
  talk.socket.send({ type: "response.create" });
  const { response } = await talk.until("response.done");
  assert.equal(response.status, "failed");
  assert.equal(response.status_details.error.code, "server_error");
  talk.socket.close();
});
check("Realtime that breaks, closes or refuses", async () => {
  const dying = await ready("die");
  dying.socket.send({ type: "response.create" });
  assert.equal((await dying.until("closed")).code, 1006);
  const closing = await ready("close");
  closing.socket.send({ type: "response.create" });
  assert.equal((await closing.until("closed")).code, 1011);
  for (const [scenario, status] of [["auth", 401], ["busy", 429]]) {
    const refused = converse(scenario);
    assert.match((await refused.until("sdk_error")).problem.message, new RegExp(`Unexpected server response: ${status}`));
  }
});

await run();
