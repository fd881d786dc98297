// Every speech and language service we know, and Twilio's REST API, as one server over TLS (HTTP/2 and HTTP/1.1,
// WebSockets), each in its vendor's wire format. No packages. What it does is said by the address: /s/SCENARIO in front
// of the vendor's path, so that a client needs nothing but a base address; one whose paths are fixed (Google's own
// clients) names it in the header x-farm-scenario. Prints one JSON line for each request and for each that was given up.
//
//   node provider_farm.mjs CERTIFICATE KEY        the first line says the port
import crypto from "node:crypto";
import fs from "node:fs";
import http2 from "node:http2";

import { forever, now_us, pause, say } from "./farm/common.mjs";
import { faultOf, isKeyed, openaiError, vendorOf } from "./farm/faults.mjs";
import { streamingRecognise } from "./farm/grpc.mjs";
import { chat, gemini, messages } from "./farm/models.mjs";
import { realtime } from "./farm/realtime.mjs";
import { Socket, azure, deepgram, scribe } from "./farm/sockets.mjs";
import { recognise, recogniseV2, speech, synthesise, transcription } from "./farm/speech.mjs";
import { isMedia, media, twilio } from "./farm/twilio.mjs";

const [certificate, key] = process.argv.slice(2);

// Where each vendor says which request this was.
const request_id_header = { anthropic: "request-id", deepgram: "dg-request-id", elevenlabs: "request-id",
  "azure-openai": "apim-request-id", twilio: "twilio-request-id" };

// The scenario's or the vendor's refusal; nothing: none.
function refusal({ scenario, path, query }, headers) {
  const vendor = vendorOf(path, headers);
  return faultOf(vendor, isKeyed(vendor, headers, query) ? scenario : "auth");
}

// hang-once: whoever asks a service for the first time waits for ever, and is answered when he asks again.
const asked = new Set();
function isFirst(path, headers) {
  const who = `${path} ${headers.authorization}`;
  return !asked.has(who) && asked.add(who);
}

// One answer of one request. Faults first: each vendor has the same ones.
async function answer(place, request, body, response) {
  const { scenario, path, query } = place;
  const vendor = vendorOf(path, request.headers);
  const send = (status, document, headers = {}) => {
    response.writeHead(status, { "content-type": "application/json", [request_id_header[vendor] ?? "x-request-id"]: "req_0001", ...headers });
    response.end(typeof document === "string" || Buffer.isBuffer(document) ? document : JSON.stringify(document));
  };
  if (scenario === "hang" || (scenario === "hang-once" && isFirst(path, request.headers))) await forever();
  if (isMedia(path)) return media(path, request, response, send);
  const fault = refusal(place, request.headers);
  if (fault) return send(fault.status, fault.body, fault.headers);
  if (vendor === "twilio") return twilio(path, request, body, send);
  if (request.method === "GET") return send(200, { object: "list", data: [] });
  const stream = (events, { end = true } = {}) => streamEvents(scenario, response, events, end);
  if (path.endsWith("/chat/completions")) return chat(scenario, vendor, JSON.parse(body), stream, response);
  if (path.endsWith("/v1/messages")) return messages(scenario, request, JSON.parse(body), stream, send);
  if (path.includes(":streamGenerateContent")) return gemini(scenario, query, JSON.parse(body), stream, send);
  if (path.endsWith("/audio/transcriptions")) return transcription(scenario, request, body, send);
  if (path.endsWith("/speech:recognize")) return recognise(JSON.parse(body), send);
  if (path.endsWith("/recognizers/_:recognize")) return recogniseV2(JSON.parse(body), send);
  if (path.endsWith("/text:synthesize")) return synthesise(scenario, JSON.parse(body), send);
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

const sockets = [["/v1/listen", deepgram], ["/v1/speech-to-text/realtime", scribe],
  ["/speech/recognition/conversation/cognitiveservices/v1", azure], ["/v1/realtime", realtime]];

function split(url, headers) {
  const address = new URL(url, "https://farm");
  const [, scenario, path] = /^\/s\/([^/]+)(\/.*)$/.exec(address.pathname) ?? [null, headers["x-farm-scenario"] ?? "fine", address.pathname];
  return { scenario, path, query: address.searchParams };
}

const server = http2.createSecureServer({ allowHTTP1: true, cert: fs.readFileSync(certificate), key: fs.readFileSync(key) });
server.on("request", (request, response) => {
  const place = split(request.url, request.headers);
  const { scenario, path } = place;
  // Node says "finish" of an aborted HTTP/2 answer, too.
  response.on("close", () => response.writableEnded || response.refused || say({ event: "given_up", path, at_us: now_us() }));
  if (path.endsWith("StreamingRecognize") && !["page", "proxy"].includes(scenario)) return streamingRecognise(scenario, request, response);
  const parts = [];
  request.on("data", (data) => parts.push(data));
  request.on("end", () => {
    const body = Buffer.concat(parts);
    say({ event: request.method === "HEAD" ? "head" : "request", method: request.method, path, version: request.httpVersion, peer: request.socket.remotePort,
      headers: request.headers, body: body.toString("utf8", 0, 16000), bytes: body.length });
    answer(place, request, body, response).catch((problem) => {
      say({ event: "farm_fault", problem: String(problem) });
      if (!response.headersSent) response.writeHead(400, {});
      response.end();
    });
  });
});
server.on("upgrade", (request, socket) => {
  const place = split(request.url, request.headers);
  const { scenario, path, query } = place;
  say({ event: "upgrade", path, query: Object.fromEntries(query), headers: request.headers });
  const found = sockets.find(([name]) => name === path);
  const fault = found ? refusal(place, request.headers) : { status: 404, body: openaiError("not_found", "no such path") };
  socket.on("error", () => {});
  if (fault) {
    const text = typeof fault.body === "string" ? fault.body : JSON.stringify(fault.body);
    const more = Object.entries(fault.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    socket.end(`HTTP/1.1 ${fault.status} X\r\nContent-Type: application/json\r\n${more}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    return;
  }
  if (scenario === "hang") return;
  const accept = crypto.createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
  // The first protocol offered is taken: clients that cannot set headers put their key there.
  const protocol = request.headers["sec-websocket-protocol"]?.split(",")[0].trim();
  socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    (protocol ? `Sec-WebSocket-Protocol: ${protocol}\r\n` : "") + `Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.on("close", () => say({ event: "ws_gone", path, at_us: now_us() }));
  found[1](scenario, query, new Socket(socket), request.headers);
});
server.on("sessionError", () => {});
server.on("tlsClientError", () => {});
server.listen(0, "127.0.0.1", () => say({ event: "ready", port: server.address().port }));
