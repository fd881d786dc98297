// ElevenLabs' own client: speech streamed over HTTP, Scribe over a WebSocket.
import { Inbox, assert, check, farm, raises, require, run, sound } from "./harness.mjs";

const sdk = require("@elevenlabs/elevenlabs-js");
const client = (scenario) => new sdk.ElevenLabsClient({ apiKey: "xi-test-0123456789abcdef", baseUrl: farm(scenario), environment: farm(scenario), maxRetries: 0 });

const say = (scenario) => async () => {
  let bytes = 0;
  const stream = await client(scenario).textToSpeech.stream("VOICE123", { text: "שלום", modelId: "eleven_v3", languageCode: "he", outputFormat: "ulaw_8000" }, { maxRetries: 0 });
  for await (const piece of stream) bytes += piece.length;
  return bytes;
};
check("speech", async () => {
  assert.equal(await say("fine")(), 8000);
  assert.equal(await say("odd")(), 8000);
});
check("speech's errors", async () => {
  for (const [scenario, status, word] of [["auth", 401, "invalid_api_key"], ["quota", 401, "quota_exceeded"],
    ["busy", 429, "too_many_concurrent_requests"], ["bad", 400, "voice_not_found"], ["broken", 500, "internal_error"]]) {
    const problem = await raises(sdk.ElevenLabsError, { statusCode: status }, say(scenario));
    assert.equal(problem.body.detail.status, word);
  }
});

async function listen(scenario) {
  const inbox = new Inbox();
  const connection = await client(scenario).speechToText.realtime.connect({ modelId: "scribe_v2_realtime", audioFormat: "ulaw_8000",
    sampleRate: 8000, languageCode: "he", commitStrategy: "manual" });
  for (const [name, type] of Object.entries(sdk.RealtimeEvents)) connection.on(type, (data) => inbox.push({ name, data }));
  return { connection, until: (name) => inbox.until((event) => event.name === name) };
}
check("a stream is recognised and committed", async () => {
  const { connection, until } = await listen("fine");
  const { data } = await until("SESSION_STARTED");
  assert.equal(data.config.audio_format, "ulaw_8000");
  for (let at = 0; at < sound.length; at += 800) connection.send({ audioBase64: sound.subarray(at, at + 800).toString("base64"), sampleRate: 8000 });
  assert.equal((await until("PARTIAL_TRANSCRIPT")).data.text, "שמעתי");
  connection.commit();
  assert.equal((await until("COMMITTED_TRANSCRIPT")).data.text, "שמעתי 16000");
  connection.close();
});
check("a stream's errors", async () => {
  for (const [scenario, name] of [["ws-quota", "QUOTA_EXCEEDED"], ["ws-auth", "AUTH_ERROR"], ["ws-busy", "RATE_LIMITED"]]) {
    const { connection, until } = await listen(scenario);
    await until(name);
    connection.close();
  }
});

await run();
