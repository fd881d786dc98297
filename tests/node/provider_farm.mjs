// Every speech and language service we know, as one server over TLS (HTTP/2 and HTTP/1.1, WebSockets), each in its
// vendor's wire format. No packages. What it does is said by the address: /s/SCENARIO in front of the vendor's path, so
// that a client needs nothing but a base address. Prints one JSON line for each request and for each that was given up.
//
//   node provider_farm.mjs CERTIFICATE KEY        the first line says the port
import crypto from "node:crypto";
import fs from "node:fs";
import http2 from "node:http2";

const [certificate, key] = process.argv.slice(2);
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const forever = () => new Promise(() => {});

const tone = (bytes) => Buffer.alloc(bytes, 0x55);

function wav(sound, { format = 7, rate = 8000, bits = 8 } = {}) {
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + sound.length, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(format, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE((rate * bits) / 8, 28);
  head.writeUInt16LE(bits / 8, 32);
  head.writeUInt16LE(bits, 34);
  head.write("data", 36);
  head.writeUInt32LE(sound.length, 40);
  return Buffer.concat([head, sound]);
}

// The vendors' error documents.
const openaiError = (code, message, type = "invalid_request_error") => ({ error: { message, type, param: null, code } });
const faults = {
  auth: { status: 401, body: openaiError("invalid_api_key", "Incorrect API key provided: sk-test-0123456789abcdef.") },
  busy: { status: 429, headers: { "retry-after": "2" }, body: openaiError("rate_limit_exceeded", "slow down") },
  quota: { status: 429, body: openaiError("insufficient_quota", "no money", "insufficient_quota") },
  broken: { status: 500, body: openaiError(null, "The server had an error", "server_error") },
  page: { status: 200, headers: { "content-type": "text/html" }, body: "<html>login</html>" },
};

// One answer of one request. `scenario` first: faults are the same for every vendor.
async function answer(scenario, path, request, body, response) {
  const send = (status, document, headers = {}) => {
    response.writeHead(status, { "content-type": "application/json", "x-request-id": "req_0001", ...headers });
    response.end(typeof document === "string" || Buffer.isBuffer(document) ? document : JSON.stringify(document));
  };
  if (scenario === "hang") await forever();
  if (faults[scenario]) {
    const fault = faults[scenario];
    return send(fault.status, fault.body, fault.headers);
  }
  if (request.method === "GET") return send(200, { object: "list", data: [] });
  const stream = (events, { end = true } = {}) => streamEvents(scenario, response, events, end);
  if (path.endsWith("/chat/completions")) return chat(scenario, JSON.parse(body), stream, response);
  if (path.endsWith("/v1/messages")) return messages(scenario, request, JSON.parse(body), stream, send);
  if (path.includes(":streamGenerateContent")) return gemini(JSON.parse(body), stream);
  if (path.endsWith("/audio/transcriptions")) return transcription(scenario, request, body, send);
  if (path.endsWith("/speech:recognize")) return recognise(JSON.parse(body), send);
  if (path.endsWith("/text:synthesize")) return synthesise(scenario, JSON.parse(body), send);
  if (path.includes("/Calls/")) return callUpdate(scenario, request, body, send);
  return speech(scenario, path, request, body, response, send);
}

async function streamEvents(scenario, response, events, end) {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "x-request-id": "req_0001" });
  for (const event of events) {
    const bytes = Buffer.from(event);
    if (scenario === "split") {
      for (const byte of bytes) {
        response.write(Buffer.from([byte]));
        await pause(0);
      }
    } else {
      response.write(bytes);
      await pause(1);
    }
  }
  if (end) response.end();
}

// --- language models

const chunk = (delta, finish = null) =>
  "data: " + JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1795200000, model: "m",
    choices: [{ index: 0, delta, finish_reason: finish }] }) + "\n\n";

async function chat(scenario, request, stream, response) {
  const words = [": keep-alive\r\n\r\n", chunk({ role: "assistant", content: "" }), chunk({ content: "שלום" }),
    chunk({ content: ", באיזו שעה?" }), chunk({}, "stop"),
    'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}\n\n', "data: [DONE]\n\n"];
  const call = (id, name, text) => chunk({ tool_calls: [{ index: 0, id, type: "function", function: { name, arguments: text } }] });
  const more = (text) => chunk({ tool_calls: [{ index: 0, function: { arguments: text } }] });
  switch (scenario) {
    case "tool":
      return stream([call("call_1", request.tools[0].function.name, ""), more('{"da'), more('te":"x"}'),
        chunk({}, "tool_calls"), "data: [DONE]\n\n"]);
    case "unknown-tool":
      return stream([call("call_1", "no_such_tool", "{}"), chunk({}, "tool_calls"), "data: [DONE]\n\n"]);
    case "done-only":
      return stream(["data: [DONE]\n\n"]);
    case "nothing":
      return stream([]);
    case "garbage":
      return stream([chunk({ content: "של" }), "data: {not json\n\n"]);
    case "truncated":
      return stream([chunk({ content: "של" }), 'data: {"choices":[{"del']);
    case "late-error":
      return stream([chunk({ content: "של" }),
        'data: {"error":{"message":"overload","type":"server_error","param":null,"code":null}}\n\n', "data: [DONE]\n\n"]);
    case "hang-mid":
      await stream([chunk({ content: "של" })], { end: false });
      return forever();
    case "keep-alive":
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (;;) {
        response.write(": still here\n\n");
        await pause(20);
      }
    case "reset":
      await stream([chunk({ content: "של" })], { end: false });
      return response.stream ? response.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR) : response.destroy();
    case "endless":
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (;;) {
        response.write(chunk({ content: "עוד ועוד ".repeat(20) }));
        await pause(1);
      }
    default:
      return stream(words);
  }
}

async function messages(scenario, request, document, stream, send) {
  if (!request.headers["anthropic-version"] || !request.headers["x-api-key"]) {
    return send(401, { type: "error", error: { type: "authentication_error", message: "x-api-key header is required" } });
  }
  if ("temperature" in document || !document.max_tokens || document.messages[0].role !== "user") {
    return send(400, { type: "error", error: { type: "invalid_request_error", message: "bad request" } });
  }
  const event = (data) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
  return stream([
    event({ type: "message_start", message: { id: "msg_1", type: "message", role: "assistant", content: [], usage: {} } }),
    event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "", citations: null } }),
    event({ type: "ping" }),
    event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "רגע. " } }),
    event({ type: "content_block_stop", index: 0 }),
    event({ type: "content_block_start", index: 1, content_block: { type: "tool_use", id: "toolu_1", name: "find_slots", input: {} } }),
    event({ type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: '{"date":' } }),
    event({ type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: '"x"}' } }),
    event({ type: "content_block_stop", index: 1 }),
    event({ type: "message_delta", delta: { stop_reason: "tool_use", stop_sequence: null }, usage: { output_tokens: 3 } }),
    event({ type: "message_stop" })]);
}

async function gemini(document, stream) {
  if (!Array.isArray(document.contents)) throw new Error("contents is missing");
  const event = (data) => "data: " + JSON.stringify(data) + "\r\n\r\n";
  return stream([
    event({ candidates: [{ content: { parts: [{ text: "שלום" }], role: "model" }, index: 0 }], modelVersion: "g" }),
    event({ candidates: [{ content: { parts: [{ functionCall: { name: "find_slots", args: { date: "x" } } }], role: "model" },
      finishReason: "STOP", index: 0 }] })]);
}

// --- recognition in one request

function transcription(scenario, request, body, send) {
  const text = body.toString("latin1");
  const boundary = /boundary=(.+)$/.exec(request.headers["content-type"])[1];
  if (!text.includes(`--${boundary}--`) || !text.includes("RIFF") || !text.includes("audio/wav")) {
    return send(400, openaiError("invalid_value", "no audio file"));
  }
  if (scenario === "truncated") return send(200, '{"text":"של');
  if (scenario === "noise") {
    return send(200, { text: "תודה שצפיתם", segments: [{ text: "תודה שצפיתם", no_speech_prob: 0.9, avg_logprob: -1.5, compression_ratio: 1 }] });
  }
  return send(200, { text: " אני רוצה תור", usage: { type: "duration", seconds: 2 } });
}

function recognise(document, send) {
  const bytes = Buffer.from(document.audio.content, "base64").length;
  if (document.config.encoding !== "MULAW" || document.config.sampleRateHertz !== 8000) {
    return send(400, { error: { code: 400, message: "bad encoding", status: "INVALID_ARGUMENT" } });
  }
  return send(200, { results: [{ alternatives: [{ transcript: `שמעתי ${bytes}`, confidence: 0.9 }] }], totalBilledTime: "2s" });
}

// --- speech

function synthesise(scenario, document, send) {
  if (scenario === "zero") return send(200, { audioContent: wav(Buffer.alloc(0)).toString("base64") });
  if (scenario === "truncated") return send(200, '{"audioContent":"UklG');
  return send(200, { audioContent: wav(tone(document.input.text.length * 480)).toString("base64") });
}

async function speech(scenario, path, request, body, response, send) {
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
  const openai = path.endsWith("/audio/speech");
  if (scenario === "zero") return play(Buffer.alloc(0), "audio/pcm");
  if (scenario === "hang-mid") return play(tone(4800), "audio/pcm", { hang: true });
  if (scenario === "endless") {
    response.writeHead(200, { "content-type": "audio/pcm" });
    for (;;) {
      response.write(tone(64 * 1024));
      await pause(0);
    }
  }
  if (scenario === "wav") return play(wav(Buffer.alloc(24000), { format: 1, rate: 24000, bits: 16 }), "audio/wav");
  if (openai) return play(Buffer.alloc(48000), "audio/pcm");
  if (path.endsWith("/cognitiveservices/v1")) {
    if (!request.headers["user-agent"] || request.headers["x-microsoft-outputformat"] !== "raw-8khz-8bit-mono-mulaw" ||
        !/^<speak .*<voice name='[^']+'>[^<]*<\/voice><\/speak>$/.test(body.toString())) {
      return send(400, "");
    }
    return play(tone(8000), "audio/basic");
  }
  if (path.endsWith("/v1/speak") || path.includes("/v1/text-to-speech/")) {
    if (scenario === "elevenlabs-quota") return send(401, { detail: { status: "quota_exceeded", message: "no credits" } });
    return play(tone(8000), "audio/basic");
  }
  return send(404, { error: { message: "no such path", code: "not_found" } });
}

function callUpdate(scenario, request, body, send) {
  if (!/^Basic /.test(request.headers.authorization || "")) return send(401, { code: 20003, message: "Authenticate", status: 401 });
  if (scenario === "over") return send(400, { code: 21220, message: "Call is not in-progress.", status: 400 });
  return send(200, { sid: "CA1", status: body.toString().includes("Status=completed") ? "completed" : "in-progress" });
}

// --- gRPC: StreamingRecognize (google.cloud.speech.v1)

const varint = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]);
const field = (number, bytes) => Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), bytes]);
function grpcResult(text, final) {
  const alternative = field(1, field(1, Buffer.from(text)));
  const message = field(2, Buffer.concat([alternative, Buffer.from([0x10, final ? 1 : 0])]));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function streamingRecognise(scenario, request, response) {
  const head = { "content-type": "application/grpc" };
  if (scenario === "unauthenticated") {  // "Trailers only"
    response.writeHead(200, { ...head, "grpc-status": "16", "grpc-message": "no token" });
    return response.end();
  }
  response.writeHead(200, head);
  const finish = (status, message, bytes) => {
    response.addTrailers({ "grpc-status": status, "grpc-message": message });
    response.end(bytes);
  };
  let pending = Buffer.alloc(0);
  let sound = 0;
  let messages = 0;
  let over = false;
  request.on("data", (data) => {
    pending = Buffer.concat([pending, data]);
    while (pending.length >= 5 && pending.length >= 5 + pending.readUInt32BE(1)) {
      const message = pending.subarray(5, 5 + pending.readUInt32BE(1));
      pending = pending.subarray(5 + message.length);
      if (messages++ === 0) {
        say({ event: "grpc_config", hex: message.toString("hex") });
        continue;
      }
      sound += message.length - (message.length > 130 ? 3 : 2);
      if (messages === 5) response.write(grpcResult("אני", false));
      if (scenario === "unavailable" && messages === 6) {
        over = true;
        finish("14", "gone");
      }
    }
  });
  request.on("end", async () => {
    if (over) return;
    const bytes = grpcResult(`שמעתי ${sound}`, true);
    if (scenario !== "split") return finish("0", "", bytes);
    for (const byte of bytes) {
      response.write(Buffer.from([byte]));
      await pause(0);
    }
    finish("0", "");
  });
}

// --- WebSockets (RFC 6455), by hand: the farm needs no packages

class Socket {
  constructor(socket) {
    this.socket = socket;
    this.pending = Buffer.alloc(0);
    socket.on("data", (data) => this.take(data));
    socket.on("error", () => {});
  }
  take(data) {
    this.pending = Buffer.concat([this.pending, data]);
    for (;;) {
      if (this.pending.length < 2) return;
      let size = this.pending[1] & 127;
      let at = 2;
      if (size === 126) {
        if (this.pending.length < 4) return;
        size = this.pending.readUInt16BE(2);
        at = 4;
      } else if (size === 127) {
        if (this.pending.length < 10) return;
        size = Number(this.pending.readBigUInt64BE(2));
        at = 10;
      }
      if (!(this.pending[1] & 128)) return this.socket.destroy();  // A client must mask.
      if (this.pending.length < at + 4 + size) return;
      const mask = this.pending.subarray(at, at + 4);
      const payload = Buffer.from(this.pending.subarray(at + 4, at + 4 + size));
      for (let i = 0; i < size; ++i) payload[i] ^= mask[i % 4];
      const opcode = this.pending[0] & 15;
      this.pending = this.pending.subarray(at + 4 + size);
      if (opcode === 8) {
        say({ event: "ws_closed", code: size >= 2 ? payload.readUInt16BE(0) : 1005 });
        this.socket.end();
      } else if (opcode === 1) this.onText?.(payload.toString());
      else if (opcode === 2) this.onBinary?.(payload);
    }
  }
  frame(opcode, payload) {
    const head = payload.length < 126 ? Buffer.from([128 | opcode, payload.length]) : Buffer.alloc(4);
    if (payload.length >= 126) {
      head[0] = 128 | opcode;
      head[1] = 126;
      head.writeUInt16BE(payload.length, 2);
    }
    this.socket.write(Buffer.concat([head, payload]));
  }
  json(document) {
    this.frame(1, Buffer.from(JSON.stringify(document)));
  }
  close(code, reason) {
    this.frame(8, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]));
  }
}

function deepgram(scenario, query, ws) {
  let sound = 0;
  const results = (transcript, is_final, from_finalize = false) =>
    ws.json({ type: "Results", channel_index: [0, 1], is_final, speech_final: false, from_finalize,
      channel: { alternatives: [{ transcript, confidence: 0.9, words: [] }] } });
  ws.onBinary = (data) => {
    sound += data.length;
    if (scenario === "close") return ws.close(1011, "NET-0001");
    if (sound === 1600) ws.json({ type: "SpeechStarted", channel: [0], timestamp: 0 });
    if (sound === 3200) results("אני", false);
  };
  ws.onText = (text) => {
    if (JSON.parse(text).type === "Finalize" && scenario !== "mute") {
      results(`שמעתי ${sound}`, true);
      results("", true, true);
    }
  };
}

function scribe(scenario, query, ws) {
  let sound = 0;
  if (scenario === "ws-quota") return ws.json({ message_type: "quota_exceeded", error: "no credits" });
  ws.json({ message_type: "session_started", session_id: "s1", config: { audio_format: query.get("audio_format") } });
  ws.onText = (text) => {
    const message = JSON.parse(text);
    sound += Buffer.from(message.audio_base_64, "base64").length;
    if (message.commit) ws.json({ message_type: "committed_transcript", text: `שמעתי ${sound}` });
    else if (sound > 800) ws.json({ message_type: "partial_transcript", text: "שמעתי" });
  };
}

function azure(scenario, query, ws) {
  let sound = 0;
  let header = false;
  let id = "";
  const reply = (path, body) =>
    ws.frame(1, Buffer.from(`X-RequestId:${id}\r\nContent-Type:application/json; charset=utf-8\r\nPath:${path}\r\n\r\n${JSON.stringify(body)}`));
  ws.onText = (text) => {
    if (/^Path: speech.context/.test(text)) id = /X-RequestId: (\w{32})/.exec(text)[1];
  };
  ws.onBinary = (data) => {
    const size = data.readUInt16BE(0);
    const body = data.subarray(2 + size);
    if (!header) {
      header = true;
      if (body.subarray(0, 4).toString() !== "RIFF" || body.readUInt16LE(20) !== 7) return ws.close(1007, "no WAV header");
      reply("turn.start", { context: { serviceTag: "x" } });
    } else if (body.length === 0) {
      reply("speech.phrase", { Id: "2", RecognitionStatus: scenario === "silence" ? "NoMatch" : "Success", DisplayText: `שמעתי ${sound}`, Offset: 0, Duration: 1 });
      reply("turn.end", {});
    } else {
      sound += body.length;
      reply("speech.hypothesis", { Id: "1", Text: "שמעתי", Offset: 0, Duration: 1 });
    }
  };
}

function realtime(scenario, query, ws) {
  let configured = false;
  let sound = 0;
  let active = false;
  let item = 0;
  const fail = (code, message) => ws.json({ type: "error", event_id: "e", error: { type: "invalid_request_error", code, message, param: null, event_id: null } });
  const respond = (tool) => {
    active = true;
    const id = `item_${++item}`;
    ws.json({ type: "response.created", response: { id: "resp_1", status: "in_progress" } });
    if (tool) {
      ws.json({ type: "response.function_call_arguments.done", response_id: "resp_1", item_id: id, call_id: "call_1", name: "find_slots", arguments: '{"date":"x"}' });
    } else {
      for (let i = 0; i < 4; ++i) {
        ws.json({ type: "response.output_audio.delta", response_id: "resp_1", item_id: id, output_index: 0, content_index: 0, delta: tone(4000).toString("base64") });
      }
      if (scenario === "die") return ws.socket.destroy();
      ws.json({ type: "response.output_audio.done", response_id: "resp_1", item_id: id });
      ws.json({ type: "response.output_audio_transcript.done", item_id: id, transcript: "שלום" });
    }
    active = false;
    ws.json({ type: "response.done", response: { id: "resp_1", status: "completed", output: [], usage: {} } });
  };
  ws.json({ type: "session.created", session: { type: "realtime", id: "sess_1" } });
  ws.onText = (text) => {
    const event = JSON.parse(text);
    if (event.type === "session.update") {
      if (event.session.type !== "realtime" || event.session.audio.input.format.type !== "audio/pcmu") return fail("invalid_value", "bad session");
      configured = true;
      ws.json({ type: "session.updated", session: event.session });
    } else if (event.type === "input_audio_buffer.append") {
      if (!configured) fail("invalid_value", "audio before session.updated");
      sound += Buffer.from(event.audio, "base64").length;
    } else if (event.type === "input_audio_buffer.commit") {
      if (sound < 800) return fail("input_audio_buffer_commit_empty", "buffer too small");
      ws.json({ type: "conversation.item.input_audio_transcription.completed", item_id: "u", transcript: `שמעתי ${sound}` });
      sound = 0;
    } else if (event.type === "response.create") {
      if (active) return fail("conversation_already_has_active_response", "busy");
      respond(scenario === "tool" && item === 0);
    } else if (event.type === "conversation.item.truncate") {
      if (event.audio_end_ms > 2000) return fail("invalid_value", "Audio content is already shorter than that");
      say({ event: "truncated", item: event.item_id, ms: event.audio_end_ms });
      ws.json({ type: "conversation.item.truncated", item_id: event.item_id, audio_end_ms: event.audio_end_ms });
    } else if (event.type === "response.cancel") {
      if (!active) fail("response_cancel_not_active", "no active response");
    } else if (!["conversation.item.create", "input_audio_buffer.clear"].includes(event.type)) {
      fail("invalid_value", `unknown event ${event.type}`);
    }
  };
}

const sockets = [["/v1/listen", deepgram], ["/v1/speech-to-text/realtime", scribe],
  ["/speech/recognition/conversation/cognitiveservices/v1", azure], ["/v1/realtime", realtime]];

function split(url) {
  const address = new URL(url, "https://farm");
  const [, scenario, path] = /^\/s\/([^/]+)(\/.*)$/.exec(address.pathname) ?? [null, "fine", address.pathname];
  return { scenario, path, query: address.searchParams };
}

const server = http2.createSecureServer({ allowHTTP1: true, cert: fs.readFileSync(certificate), key: fs.readFileSync(key) });
server.on("request", (request, response) => {
  const { scenario, path } = split(request.url);
  if (path.endsWith("StreamingRecognize") && !faults[scenario]) return streamingRecognise(scenario, request, response);
  const parts = [];
  request.on("data", (data) => parts.push(data));
  // Node says "finish" of an aborted HTTP/2 answer, too.
  response.on("close", () => response.writableEnded || say({ event: "given_up", path }));
  request.on("end", () => {
    const body = Buffer.concat(parts);
    say({ event: "request", method: request.method, path, version: request.httpVersion, peer: request.socket.remotePort,
      headers: request.headers, body: body.toString("utf8", 0, 4000), bytes: body.length });
    answer(scenario, path, request, body, response).catch((problem) => {
      say({ event: "farm_fault", problem: String(problem) });
      if (!response.headersSent) response.writeHead(400, {});
      response.end();
    });
  });
});
server.on("upgrade", (request, socket) => {
  const { scenario, path, query } = split(request.url);
  say({ event: "upgrade", path, query: Object.fromEntries(query), headers: request.headers });
  const found = sockets.find(([name]) => name === path);
  if (faults[scenario] || !found) {
    const fault = faults[scenario] ?? { status: 404, body: {} };
    const text = JSON.stringify(fault.body);
    socket.end(`HTTP/1.1 ${fault.status} X\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    return;
  }
  if (scenario === "hang") return;
  const accept = crypto.createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.on("close", () => say({ event: "ws_gone", path }));
  found[1](scenario, query, new Socket(socket));
});
server.on("sessionError", () => {});
server.on("tlsClientError", () => {});
server.listen(0, "127.0.0.1", () => say({ event: "ready", port: server.address().port }));
