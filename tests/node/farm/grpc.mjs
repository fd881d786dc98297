// Google's StreamingRecognize over gRPC (google/cloud/speech/v1 and v2, cloud_speech.proto), by hand: the few fields there
// are.
import http2 from "node:http2";

import { pause, say } from "./common.mjs";
import { grpcFaults } from "./faults.mjs";

const varint = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]);
const field = (number, bytes) => Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), bytes]);

// Numbers of the fields that differ.
const v1 = { audio: 2, results: 2, audio_bytes_max: 25_600 };
const v2 = { audio: 5, results: 6, audio_bytes_max: 15_360 };

function makeResult(version, text, final) {
  const alternative = field(1, field(1, Buffer.from(text)));
  const message = field(version.results, Buffer.concat([alternative, Buffer.from([0x10, final ? 1 : 0])]));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

// Bytes of sound in a request that has nothing else; -1: not one.
function soundOf(version, message) {
  if (message[0] !== ((version.audio << 3) | 2)) return -1;
  let at = 1;
  let size = 0;
  for (let shift = 0; ; shift += 7) {
    size |= (message[at] & 127) << shift;
    if (message[at++] < 128) break;
  }
  return message.length === at + size ? size : -1;
}

export function streamingRecognise(scenario, request, response) {
  const head = { "content-type": "application/grpc" };
  const refuse = (status, message) => {  // "Trailers only": one frame that ends the stream (gRPC over HTTP2).
    response.refused = true;
    response.stream.respond({ ":status": 200, ...head, "grpc-status": String(status), "grpc-message": encodeURI(message) }, { endStream: true });
  };
  if (grpcFaults[scenario]) return refuse(...grpcFaults[scenario]);
  if (!request.headers["x-goog-api-key"] && !/^Bearer .+/.test(request.headers.authorization ?? "")) return refuse(...grpcFaults.auth);
  const version = request.url.includes(".v2.") ? v2 : v1;
  const result = (text, final) => makeResult(version, text, final);
  say({ event: "grpc", path: request.url.replace(/^\/s\/[^/]+/, ""), version: request.httpVersion, peer: request.socket.remotePort, headers: request.headers });
  response.writeHead(200, head);
  const finish = (status, message, bytes) => {
    over = true;
    response.addTrailers({ "grpc-status": String(status), "grpc-message": encodeURI(message) });
    // A client that is still sending is told to stop, as gRPC's servers do (RFC 9113 8.1).
    response.stream.once("wantTrailers", () => setImmediate(() => request.complete || response.stream.close(http2.constants.NGHTTP2_NO_ERROR)));
    response.end(bytes);
  };
  let pending = Buffer.alloc(0);
  let sound = 0;
  let messages = 0;
  let over = false;
  const take = (message) => {
    if (messages++ === 0) return say({ event: "grpc_config", hex: message.toString("hex") });
    const bytes = soundOf(version, message);
    if (bytes < 0 || bytes > version.audio_bytes_max) return finish(3, "sound is expected, and not too much at once");
    sound += bytes;
    if (messages === 5) response.write(result("אני", false));
    if (scenario === "unavailable" && messages === 6) finish(14, "gone");
    if (scenario === "too-old" && messages === 6) finish(11, "Exceeded maximum allowed stream duration of 305 seconds.");
  };
  request.on("data", (data) => {
    pending = Buffer.concat([pending, data]);
    while (!over && pending.length >= 5 && pending.length >= 5 + pending.readUInt32BE(1)) {
      const message = pending.subarray(5, 5 + pending.readUInt32BE(1));
      pending = pending.subarray(5 + message.length);
      take(message);
    }
  });
  request.on("end", async () => {
    if (over || scenario === "hang") return;
    const bytes = result(`שמעתי ${sound}`, true);
    if (scenario !== "split") return finish(0, "", bytes);
    for (const byte of bytes) {
      response.write(Buffer.from([byte]));
      await pause(0);
    }
    finish(0, "");
  });
}
