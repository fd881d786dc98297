// Microsoft's own client of its Speech service: continuous recognition of mu-law over its WebSocket protocol. (It speaks
// over another protocol than ours, which is plain HTTP and documented; there is nothing of it to compare.)
import { assert, check, farm, require, run, sound } from "./harness.mjs";

const sdk = require("microsoft-cognitiveservices-speech-sdk");

// All that is told until the session ends, as [event, text].
async function listen(scenario, key = "az-test-0123456789abcdef") {
  const config = sdk.SpeechConfig.fromEndpoint(new URL(farm(scenario, "/speech/recognition/conversation/cognitiveservices/v1", "wss")), key);
  config.speechRecognitionLanguage = "he-IL";
  const format = sdk.AudioStreamFormat.getWaveFormat(8000, 8, 1, sdk.AudioFormatTag.MuLaw);
  const stream = sdk.AudioInputStream.createPushStream(format);
  const recogniser = new sdk.SpeechRecognizer(config, sdk.AudioConfig.fromStreamInput(stream));
  const told = [];
  const over = new Promise((resolve) => {
    recogniser.recognizing = (_, { result }) => told.push(["recognizing", result.text]);
    recogniser.recognized = (_, { result }) => told.push([sdk.ResultReason[result.reason], result.text]);
    recogniser.canceled = (_, event) => {
      told.push(["canceled", sdk.CancellationReason[event.reason], sdk.CancellationErrorCode[event.errorCode], event.errorDetails]);
      resolve();
    };
    recogniser.sessionStopped = () => resolve();
  });
  recogniser.startContinuousRecognitionAsync(() => {}, (problem) => told.push(["refused", problem]));
  stream.write(sound.buffer.slice(sound.byteOffset, sound.byteOffset + sound.length));
  stream.close();
  await over;
  await new Promise((resolve) => recogniser.close(resolve, resolve));
  return told;
}

check("a stream is recognised", async () => {
  const told = await listen("fine");
  assert.ok(told.some(([event, text]) => event === "recognizing" && text === "שמעתי"), JSON.stringify(told));
  const said = told.filter(([event]) => event === "RecognizedSpeech");
  assert.deepEqual(said, [["RecognizedSpeech", "שמעתי 16000"]]);
  assert.deepEqual(told.at(-1).slice(0, 2), ["canceled", "EndOfStream"]);
});
check("silence is no match", async () => {
  assert.ok((await listen("silence")).some(([event]) => event === "NoMatch"));
});
check("a key that is refused", async () => {
  const [event, reason, code, details] = (await listen("auth")).at(-1);
  assert.deepEqual([event, reason, code], ["canceled", "Error", "ConnectionFailure"]);
  assert.match(details, /401/);
});

await run();
