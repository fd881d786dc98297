// Google's own clients: Gemini, Speech over gRPC and REST, Text-to-Speech over REST. Their paths are fixed, so that the
// scenario goes in a header; Speech is used with a key and with a service account.
import crypto from "node:crypto";

import { address, assert, check, collect, farm, raises, require, run, sound } from "./harness.mjs";

const genai = require("@google/genai");
const { SpeechClient, v2 } = require("@google-cloud/speech");
const { TextToSpeechClient } = require("@google-cloud/text-to-speech");

// --- Gemini

const gemini = (scenario, more = {}) => new genai.GoogleGenAI({ apiKey: "gk-test-0123456789abcdef", vertexai: false,
  httpOptions: { baseUrl: farm(scenario), apiVersion: "v1beta", retryOptions: { attempts: 1 }, ...more } });
const question = { model: "gemini-x", contents: "שלום", config: { maxOutputTokens: 160, thinkingConfig: { thinkingBudget: 0 } } };
const tools = [{ functionDeclarations: [{ name: "find_slots", parametersJsonSchema: { type: "object", properties: {} } }] }];
const ask = (scenario, more) => async () => collect(await gemini(scenario, more).models.generateContentStream(question));

for (const scenario of ["fine", "split"]) {
  check(`Gemini streams (${scenario})`, async () => {
    const chunks = await ask(scenario)();
    assert.equal(chunks.map((chunk) => chunk.text).join(""), "שלום!");
    assert.equal(chunks.at(-1).candidates[0].finishReason, "STOP");
    assert.equal(chunks.at(-1).usageMetadata.totalTokenCount, 14);
  });
}
check("Gemini calls a tool", async () => {
  const stream = await gemini("fine").models.generateContentStream({ ...question, config: { ...question.config, tools } });
  const calls = (await collect(stream)).flatMap((chunk) => chunk.functionCalls ?? []);
  assert.deepEqual(calls.map(({ name, args }) => ({ name, args })), [{ name: "find_slots", args: { date: "x" } }]);
});
check("Gemini's errors", async () => {
  await raises(genai.ApiError, { status: 401, message: /UNAUTHENTICATED/ }, ask("auth"));
  await raises(genai.ApiError, { status: 429, message: /RESOURCE_EXHAUSTED/ }, ask("busy"));
  await raises(genai.ApiError, { status: 400, message: /INVALID_ARGUMENT/ }, ask("bad"));
  await raises(genai.ApiError, { status: 500 }, ask("broken"));
  const blocked = await ask("blocked")();
  assert.equal(blocked[0].promptFeedback.blockReason, "SAFETY");
});

// --- Speech

const { privateKey } = crypto.generateKeyPairSync("rsa", { modulusLength: 2048, privateKeyEncoding: { type: "pkcs8", format: "pem" }, publicKeyEncoding: { type: "spki", format: "pem" } });
const account = { client_email: "agent@example-project.iam.gserviceaccount.com", private_key: privateKey };
const place = { apiEndpoint: address.hostname, port: Number(address.port), projectId: "example-project" };
const config = { encoding: "MULAW", sampleRateHertz: 8000, languageCode: "he-IL", model: "latest_long", enableAutomaticPunctuation: true };
const headers = (scenario) => ({ otherArgs: { headers: { "x-farm-scenario": scenario } }, maxRetries: 0, retry: { retryCodes: [] } });

// The texts of a stream fed with 20 ms a message, final ones marked.
const stream_once = (client, scenario) => new Promise((resolve, reject) => {
  const texts = [];
  const stream = client.streamingRecognize({ config, interimResults: true }, headers(scenario));
  stream.on("error", reject);
  stream.on("data", ({ results }) => texts.push(...results.map((one) => [one.alternatives[0].transcript, one.isFinal])));
  stream.on("end", () => resolve(texts));
  for (let at = 0; at < sound.length; at += 160) stream.write(sound.subarray(at, at + 160));
  stream.end();
});

for (const [name, credentials] of [["a key", { apiKey: "gk-test-0123456789abcdef" }], ["a service account", { credentials: account }]]) {
  check(`Speech streams over gRPC with ${name}`, async () => {
    const client = new SpeechClient({ ...place, ...credentials });
    for (const scenario of ["fine", "split"]) {
      assert.deepEqual(await stream_once(client, scenario), [["אני", false], ["שמעתי 16000", true]]);
    }
    await client.close();
  });
}
check("Speech's errors over gRPC", async () => {
  const client = new SpeechClient({ ...place, apiKey: "gk-test-0123456789abcdef" });
  for (const [scenario, code] of [["auth", 16], ["busy", 8], ["broken", 13], ["bad", 3], ["unavailable", 14], ["too-old", 11]]) {
    await raises(null, { code }, () => stream_once(client, scenario));
  }
  await raises(null, { code: 14 }, () => stream_once(client, "proxy"));  // By HTTP's status (gRPC over HTTP2: 502).
  await client.close();
});
check("Speech over REST", async () => {
  const client = new SpeechClient({ ...place, apiKey: "gk-test-0123456789abcdef", fallback: true });
  const request = { config, audio: { content: sound.toString("base64") } };
  const [answer] = await client.recognize(request, headers("fine"));
  assert.equal(answer.results[0].alternatives[0].transcript, "שמעתי 16000");
  await raises(null, { status: 401, message: /UNAUTHENTICATED/ }, () => client.recognize(request, headers("auth")));
  await raises(null, { status: 429, message: /RESOURCE_EXHAUSTED/ }, () => client.recognize(request, headers("busy")));
  await raises(null, { status: 400, message: /INVALID_ARGUMENT/ }, () => client.recognize({ ...request, config: { ...config, sampleRateHertz: 16000 } }, headers("fine")));
  await client.close();
});
const recognizer = "projects/example-project/locations/global/recognizers/_";
const config_v2 = { explicitDecodingConfig: { encoding: "MULAW", sampleRateHertz: 8000, audioChannelCount: 1 }, model: "chirp_3", languageCodes: ["iw-IL"] };
check("Speech v2 over gRPC", async () => {
  const client = new v2.SpeechClient({ ...place, apiKey: "gk-test-0123456789abcdef" });
  const texts = await new Promise((resolve, reject) => {
    const all = [];
    const stream = client._streamingRecognize(headers("fine"));
    stream.on("error", reject);
    stream.on("data", ({ results }) => all.push(...results.map((one) => [one.alternatives[0].transcript, one.isFinal])));
    stream.on("end", () => resolve(all));
    stream.write({ recognizer, streamingConfig: { config: config_v2, streamingFeatures: { interimResults: true } } });
    for (let at = 0; at < sound.length; at += 160) stream.write({ audio: sound.subarray(at, at + 160) });
    stream.end();
  });
  assert.deepEqual(texts, [["אני", false], ["שמעתי 16000", true]]);
  await client.close();
});
check("Speech v2 over REST", async () => {
  const client = new v2.SpeechClient({ ...place, apiKey: "gk-test-0123456789abcdef", fallback: true });
  const [answer] = await client.recognize({ recognizer, config: config_v2, content: sound }, headers("fine"));
  assert.equal(answer.results[0].alternatives[0].transcript, "שמעתי 16000");
  await raises(null, { status: 401, message: /UNAUTHENTICATED/ }, () => client.recognize({ recognizer, config: config_v2, content: sound }, headers("auth")));
  await client.close();
});
check("Text-to-Speech over REST", async () => {
  const client = new TextToSpeechClient({ ...place, apiKey: "gk-test-0123456789abcdef", fallback: true });
  const request = { input: { text: "שלום" }, voice: { languageCode: "he-IL", name: "he-IL-Wavenet-A" }, audioConfig: { audioEncoding: "MULAW", sampleRateHertz: 8000 } };
  const [answer] = await client.synthesizeSpeech(request, headers("fine"));
  assert.equal(Buffer.from(answer.audioContent).subarray(0, 4).toString(), "RIFF");
  assert.equal(answer.audioContent.length, 44 + 4 * 480);
  await raises(null, { status: 401, message: /UNAUTHENTICATED/ }, () => client.synthesizeSpeech(request, headers("auth")));
  await raises(null, { status: 500, message: /INTERNAL/ }, () => client.synthesizeSpeech(request, headers("broken")));
  await client.close();
});

await run();
