// Three services with the delays of real ones, light enough for hundreds of calls beside them on the same machine:
// Deepgram's streaming recogniser (WebSocket), OpenAI's streaming chat, ElevenLabs' streaming voice (mu-law). Over TLS,
// HTTP/2. The wire formats are those of tests/node/provider_farm.mjs, which are checked; nothing is checked here.
//
//   node services.mjs CERTIFICATE KEY PORT    says {"port"}; at SIGTERM, how late its own answers were
import crypto from "node:crypto";
import fs from "node:fs";
import http2 from "node:http2";

const [certificate, key, port] = process.argv.slice(2);

// Milliseconds: medians of what vendors publish and others measured (STT final, first token, first audio).
const delays = { transcript: 120, first_token: 300, token: 20, first_audio: 130, audio: 50 };
const sentences = ["Of course, I can help you with that.", "Which city are you looking in?"];
const sentence_seconds = 2;
// Half a second of a buzz each 50 ms: ten times real time.
const slice = Buffer.from(Array.from({ length: 4000 }, (_, i) => (i % 20 < 10 ? 0x2a : 0xaa)));

const late = [];  // Of our own timers, in ms: what a busy fake adds to the figures.
const after = (ms, what) => {
  const due = performance.now() + ms;
  setTimeout(() => {
    if (late.length < 1_000_000) late.push(performance.now() - due);
    what();
  }, ms);
};

const chunk = (delta, finish = null) => "data: " + JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk",
  created: 1795200000, model: "m", choices: [{ index: 0, delta, finish_reason: finish }] }) + "\n\n";

function chat(response) {
  const words = sentences.join(" ").split(/(?<= )/);
  const next = (i) => {
    if (response.destroyed) return;
    if (i === words.length) return response.end(chunk({}, "stop") + "data: [DONE]\n\n");
    response.write(chunk({ content: words[i] }));
    after(delays.token, () => next(i + 1));
  };
  response.writeHead(200, { "content-type": "text/event-stream" });
  after(delays.first_token, () => next(0));
}

function speech(response) {
  const next = (left) => {
    if (response.destroyed) return;
    if (left === 0) return response.end();
    response.write(slice);
    after(delays.audio, () => next(left - 1));
  };
  response.writeHead(200, { "content-type": "audio/basic" });
  after(delays.first_audio, () => next(2 * sentence_seconds));
}

// RFC 6455, as little as Deepgram's dialect needs: sound is passed over by its length alone.
function recognise(socket) {
  let pending = Buffer.alloc(0);
  const text = (document) => {
    const payload = Buffer.from(JSON.stringify(document));
    const head = payload.length < 126 ? Buffer.from([0x81, payload.length])
      : Buffer.from([0x81, 126, payload.length >> 8, payload.length & 255]);
    if (!socket.destroyed) socket.write(Buffer.concat([head, payload]));
  };
  const results = (transcript, from_finalize) => text({ type: "Results", channel_index: [0, 1], is_final: true,
    speech_final: false, from_finalize, channel: { alternatives: [{ transcript, confidence: 0.9, words: [] }] } });
  socket.on("error", () => {});
  socket.on("data", (data) => {
    pending = pending.length ? Buffer.concat([pending, data]) : data;
    for (;;) {
      if (pending.length < 8) return;
      const short = pending[1] & 127;
      const size = short < 126 ? short : short === 126 ? pending.readUInt16BE(2) : Number(pending.readBigUInt64BE(2));
      const at = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (pending.length < at + 4 + size) return;
      const opcode = pending[0] & 15;
      if (opcode === 8) return socket.end();
      if (opcode === 1) {
        const mask = pending.subarray(at, at + 4);
        const body = Buffer.from(pending.subarray(at + 4, at + 4 + size));
        for (let i = 0; i < size; ++i) body[i] ^= mask[i % 4];
        if (body.includes("Finalize")) {
          after(delays.transcript, () => {
            results("I am looking for a flat", false);
            results("", true);
          });
        }
      }
      pending = pending.subarray(at + 4 + size);
    }
  });
}

const server = http2.createSecureServer({ allowHTTP1: true, cert: fs.readFileSync(certificate), key: fs.readFileSync(key) });
server.on("request", (request, response) => {
  request.resume();
  request.on("end", () => {
    if (request.url.includes("/chat/completions")) return chat(response);
    if (request.url.includes("/text-to-speech/")) return speech(response);
    response.writeHead(200, { "content-type": "application/json" });
    response.end('{"object":"list","data":[]}');
  });
});
server.on("upgrade", (request, socket) => {
  const accept = crypto.createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  recognise(socket);
});
server.on("sessionError", () => {});
server.on("tlsClientError", () => {});
server.listen(Number(port ?? 0), "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
process.on("SIGTERM", () => {
  late.sort((a, b) => a - b);
  const share = (p) => late.length ? Number(late[Math.min(late.length - 1, Math.floor(p * late.length))].toFixed(2)) : 0;
  console.log(JSON.stringify({ timers: late.length, late_p50_ms: share(0.5), late_p99_ms: share(0.99) }));
  process.exit(0);
});
