// Deepgram's own client: listening over a WebSocket, speaking over HTTP.
import { Inbox, assert, check, farm, raises, require, run, sound } from "./harness.mjs";

const sdk = require("@deepgram/sdk");
const client = (scenario, more = {}) => new sdk.DeepgramClient({ apiKey: "dg-test-0123456789abcdef", maxRetries: 0, ...more,
  environment: { base: farm(scenario), production: farm(scenario, "", "wss"), agent: farm(scenario, "", "wss"), agentRest: farm(scenario) } });
const wanted = { model: "nova-3", language: "he", encoding: "mulaw", sample_rate: 8000, channels: 1, interim_results: "true",
  smart_format: "true", endpointing: 300, reconnectAttempts: 0 };

async function listen(scenario) {
  const socket = await client(scenario).listen.v1.connect(wanted);
  const inbox = new Inbox();
  socket.on("message", (message) => inbox.push(message));
  socket.on("close", ({ code }) => inbox.push({ type: "closed", code }));
  socket.on("error", (problem) => inbox.push({ type: "failed", problem }));
  socket.connect();
  return { socket, until: (type) => inbox.until((message) => message.type === type) };
}
async function speak_into(socket) {
  await socket.waitForOpen();
  for (let at = 0; at < sound.length; at += 160) socket.sendMedia(sound.subarray(at, at + 160));
}

check("a stream is recognised and finalised", async () => {
  const { socket, until } = await listen("fine");
  await speak_into(socket);
  await until("SpeechStarted");
  const interim = await until("Results");
  assert.deepEqual([interim.is_final, interim.channel.alternatives[0].transcript], [false, "אני"]);
  socket.sendKeepAlive({ type: "KeepAlive" });
  socket.sendFinalize({ type: "Finalize" });
  const final = await until("Results");
  assert.deepEqual([final.is_final, final.channel.alternatives[0].transcript], [true, "שמעתי 16000"]);
  assert.equal((await until("Results")).from_finalize, true);
  socket.sendCloseStream({ type: "CloseStream" });
  assert.equal((await until("Metadata")).duration, 2);
  assert.equal((await until("closed")).code, 1000);
  socket.close();
});
check("a stream the service closes", async () => {
  const { socket, until } = await listen("close");
  await speak_into(socket);
  assert.equal((await until("closed")).code, 1011);
  socket.close();
});
check("a stream that is refused", async () => {
  for (const [scenario, status] of [["auth", 401], ["busy", 429], ["quota", 402]]) {
    const { socket, until } = await listen(scenario);
    assert.match((await until("failed")).problem.message, new RegExp(String(status)));
    socket.close();
  }
});

const say = (scenario) => async () => client(scenario).speak.v1.audio.generate({ text: "Hello", model: "aura-2-thalia-en",
  encoding: "mulaw", sample_rate: 8000, container: "none" });
check("speech", async () => {
  assert.equal((await (await say("fine")()).arrayBuffer()).byteLength, 8000);
});
check("speech's errors", async () => {
  for (const [scenario, status, code] of [["auth", 401, "INVALID_AUTH"], ["busy", 429, "TOO_MANY_REQUESTS"],
    ["quota", 402, "ASR_PAYMENT_REQUIRED"], ["broken", 500, "INTERNAL_SERVER_ERROR"]]) {
    const problem = await raises(null, { statusCode: status }, say(scenario));
    assert.equal(problem.body.err_code, code);
  }
  assert.equal((await raises(sdk.Deepgram.BadRequestError, { statusCode: 400 }, say("bad"))).body.err_code, "Bad Request");
});

await run();
