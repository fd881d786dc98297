// Recognition in one request, and speech: OpenAI's and Groq's, Google's, Azure's, ElevenLabs', Deepgram's.
import { forever, pause, say, tone, wav } from "./common.mjs";
import { googleError, openaiError } from "./faults.mjs";

// The parts of a multipart form, by name; each a list.
function readForm(request, body) {
  const boundary = /boundary="?([^";]+)"?/.exec(request.headers["content-type"] ?? "")?.[1];
  const text = body.toString("latin1");
  if (!boundary || !text.includes(`--${boundary}--`)) return null;
  const parts = {};
  for (const piece of text.split(`--${boundary}`).slice(1, -1)) {
    const gap = piece.indexOf("\r\n\r\n");
    const head = piece.slice(0, gap);
    const name = /name="([^"]+)"/.exec(head)?.[1];
    (parts[name] ??= []).push({ head, value: piece.slice(gap + 4, -2) });
  }
  return parts;
}

export function transcription(scenario, request, body, send) {
  const form = readForm(request, body);
  const file = form?.file?.[0];
  const named = (start, end) => file?.value.startsWith(start) && new RegExp(`filename="[^"]+\\.${end}"`).test(file.head);
  if (!named("RIFF", "wav") && !named("OggS", "ogg")) {
    return send(400, openaiError("invalid_value", "Invalid file format."));
  }
  say({ event: "transcribed", language: (form.language ?? form["languages[]"])?.[0].value,
    file: /filename="([^"]+)"/.exec(file.head)[1], bytes: file.value.length, key: request.headers.authorization });
  if (!form.model) return send(400, openaiError("missing_required_parameter", "you must provide a model parameter"));
  if (form.language && form["languages[]"]) return send(400, openaiError("invalid_value", "language and languages[] exclude each other"));
  if (scenario === "truncated") return send(200, '{"text":"של');
  const segment = { id: 0, seek: 0, start: 0, end: 2, tokens: [50364], temperature: 0 };
  const verbose = (text, evidence) => ({ task: "transcribe", language: "hebrew", duration: 2, text, segments: [{ ...segment, text, ...evidence }] });
  if (scenario === "noise") {
    return send(200, verbose("תודה שצפיתם", { no_speech_prob: 0.9, avg_logprob: -1.5, compression_ratio: 1 }));
  }
  if (form.response_format?.[0].value === "verbose_json") {
    return send(200, verbose(" אני רוצה תור", { no_speech_prob: 0.02, avg_logprob: -0.2, compression_ratio: 1.1 }));
  }
  return send(200, { text: " אני רוצה תור", usage: { type: "duration", seconds: 2 } });
}

const MULAW = { stt: ["MULAW", 3], stt2: ["MULAW", 2], tts: ["MULAW", 5] };  // Enums by name or by number (protobuf's JSON mapping).

export function recognise(document, send) {
  const bytes = Buffer.from(document.audio.content, "base64").length;
  if (!MULAW.stt.includes(document.config.encoding) || document.config.sampleRateHertz !== 8000) {
    return send(400, googleError(400, "INVALID_ARGUMENT", "bad encoding"));
  }
  return send(200, { results: [{ alternatives: [{ transcript: `שמעתי ${bytes}`, confidence: 0.9 }], resultEndTime: "2s", languageCode: "he-il" }],
    totalBilledTime: "2s", requestId: "123456789012345" });
}

export function recogniseV2(document, send) {
  const bytes = Buffer.from(document.content, "base64").length;
  const { encoding, sampleRateHertz } = document.config.explicitDecodingConfig ?? {};
  if (!MULAW.stt2.includes(encoding) || sampleRateHertz !== 8000 || !document.config.languageCodes?.length) {
    return send(400, googleError(400, "INVALID_ARGUMENT", "bad decoding config"));
  }
  return send(200, { results: [{ alternatives: [{ transcript: `שמעתי ${bytes}`, confidence: 0.9 }], resultEndOffset: "2s", languageCode: "iw-il" }],
    metadata: { totalBilledDuration: "2s", requestId: "req_0001" } });
}

export function synthesise(scenario, document, send) {
  if (!MULAW.tts.includes(document.audioConfig.audioEncoding) || !document.input.text) {
    return send(400, googleError(400, "INVALID_ARGUMENT", "bad encoding"));
  }
  if (scenario === "zero") return send(200, { audioContent: wav(Buffer.alloc(0)).toString("base64") });
  if (scenario === "truncated") return send(200, '{"audioContent":"UklG');
  return send(200, { audioContent: wav(tone(document.input.text.length * 480)).toString("base64") });
}

const ssml = /^<speak .*<voice name='[^']+'>[^<]*<\/voice><\/speak>$/;

export async function speech(scenario, path, request, body, response, send) {
  const sizes = scenario === "odd" ? [1, 2, 3, 5, 7, 11, 13] : [4096];
  const play = async (sound, type, { hang = false } = {}) => {
    response.writeHead(200, { "content-type": type });
    let at = 0;
    for (let i = 0; at < sound.length; ++i) {
      const size = sizes[i % sizes.length];
      response.write(sound.subarray(at, at + size));
      at += size;
      if (i % 50 === 0) await pause(1);
    }
    if (hang) return forever();
    response.end();
  };
  if (scenario === "zero") return play(Buffer.alloc(0), "audio/pcm");
  if (scenario === "hang-mid") return play(tone(4800), "audio/pcm", { hang: true });
  if (scenario === "endless") {
    response.writeHead(200, { "content-type": "audio/pcm" });
    for (;;) {
      response.write(tone(64 * 1024));
      await pause(0);
    }
  }
  if (scenario === "long") {  // Four times as fast as it is spoken, for a minute of speech at most.
    response.writeHead(200, { "content-type": "audio/pcm" });
    for (let second = 0; second < 60 && !response.destroyed; ++second) {
      response.write(Buffer.alloc(48000));
      await pause(250);
    }
    return response.end();
  }
  if (scenario === "long") {  // Four times as fast as it is spoken, for a minute of speech at most.
    response.writeHead(200, { "content-type": "audio/pcm" });
    for (let second = 0; second < 60 && !response.destroyed; ++second) {
      response.write(Buffer.alloc(48000));
      await pause(250);
    }
    return response.end();
  }
  if (scenario === "wav") return play(wav(Buffer.alloc(24000), { format: 1, rate: 24000, bits: 16 }), "audio/wav");
  if (path.endsWith("/audio/speech")) return play(Buffer.alloc(48000), "audio/pcm");
  if (path.endsWith("/cognitiveservices/v1")) {
    if (!request.headers["user-agent"] || request.headers["x-microsoft-outputformat"] !== "raw-8khz-8bit-mono-mulaw" ||
        !ssml.test(body.toString())) {
      return send(400, "");
    }
    return play(tone(8000), "audio/basic");
  }
  if (path.endsWith("/v1/speak") || path.includes("/v1/text-to-speech/")) return play(tone(8000), "audio/basic");
  return send(404, openaiError("not_found", "no such path"));
}
