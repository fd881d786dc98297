// WebSockets (RFC 6455) by hand, and the recognisers that speak over them: Deepgram, ElevenLabs Scribe, Azure.
import { say } from "./common.mjs";

export class Socket {
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
        if (!this.closing) this.frame(8, payload.subarray(0, 2));  // RFC 6455 5.5.1: answered by one.
        this.socket.end();
      } else if (opcode === 9) this.frame(10, payload);
      else if (opcode === 1) this.onText?.(payload.toString());
      else if (opcode === 2) this.onBinary?.(payload);
    }
  }
  frame(opcode, payload) {
    const long = payload.length > 65535;
    const head = Buffer.alloc(payload.length < 126 ? 2 : long ? 10 : 4);
    head[0] = 128 | opcode;
    if (payload.length < 126) head[1] = payload.length;
    else if (long) {
      head[1] = 127;
      head.writeBigUInt64BE(BigInt(payload.length), 2);
    } else {
      head[1] = 126;
      head.writeUInt16BE(payload.length, 2);
    }
    this.socket.write(Buffer.concat([head, payload]));
  }
  json(document) {
    this.frame(1, Buffer.from(JSON.stringify(document)));
  }
  close(code, reason) {
    this.closing = true;
    this.frame(8, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]));
  }
}

export function deepgram(scenario, query, ws) {
  let sound = 0;
  const metadata = { request_id: "req_0001", model_uuid: "uuid", model_info: { name: "general-nova-3", version: "2026-01-01.0", arch: "nova-3" } };
  const results = (transcript, is_final, from_finalize = false) =>
    ws.json({ type: "Results", channel_index: [0, 1], duration: sound / 8000, start: 0, is_final, speech_final: false, from_finalize, metadata,
      channel: { alternatives: [{ transcript, confidence: 0.9, words: [] }] } });
  const flush = (from_finalize) => {
    results(`שמעתי ${sound}`, true);
    results("", true, from_finalize);
  };
  ws.onBinary = (data) => {
    const before = sound;
    sound += data.length;
    if (scenario === "close") return ws.close(1011, "NET-0001");
    if (before < 1600 && sound >= 1600) ws.json({ type: "SpeechStarted", channel: [0], timestamp: 0 });
    if (before < 3200 && sound >= 3200) results("אני", false);
  };
  ws.onText = (text) => {
    const { type } = JSON.parse(text);
    if (type === "KeepAlive" || scenario === "mute") return;
    if (type === "Finalize") return flush(true);
    if (type !== "CloseStream") return ws.close(1008, "MESSAGE-0000");
    flush(false);
    ws.json({ type: "Metadata", transaction_key: "deprecated", request_id: "req_0001", sha256: "00", created: "2026-11-20T10:00:00.000Z",
      duration: sound / 8000, channels: 1 });
    ws.close(1000, "");
  };
}

export function scribe(scenario, query, ws) {
  let sound = 0;
  const fault = { "ws-quota": "quota_exceeded", "ws-auth": "auth_error", "ws-busy": "rate_limited" }[scenario];
  if (fault) {
    ws.json({ message_type: fault, error: "no credits" });
    return ws.close(1008, fault);
  }
  ws.json({ message_type: "session_started", session_id: "s1",
    config: { sample_rate: 8000, audio_format: query.get("audio_format"), language_code: query.get("language_code"), commit_strategy: query.get("commit_strategy") ?? "manual" } });
  ws.onText = (text) => {
    const message = JSON.parse(text);
    if (message.message_type !== "input_audio_chunk" || typeof message.audio_base_64 !== "string" || typeof message.commit !== "boolean") {
      return ws.json({ message_type: "input_error", error: "bad message" });
    }
    sound += Buffer.from(message.audio_base_64, "base64").length;
    if (message.commit) ws.json({ message_type: "committed_transcript", text: `שמעתי ${sound}` });
    else if (sound > 800) ws.json({ message_type: "partial_transcript", text: "שמעתי" });
  };
}

// Messages are header lines and a body; binary ones have the header's size in front. No case, perhaps no space.
function readAzure(text) {
  const gap = text.indexOf("\r\n\r\n");
  const head = {};
  for (const line of (gap < 0 ? text : text.slice(0, gap)).split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) head[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { head, body: gap < 0 ? "" : text.slice(gap + 4) };
}

export function azure(scenario, query, ws) {
  let sound = 0;
  let header = false;
  let over = false;
  let id = "";
  const reply = (path, body) =>
    ws.frame(1, Buffer.from(`X-RequestId:${id}\r\nContent-Type:application/json; charset=utf-8\r\nPath:${path}\r\n\r\n${JSON.stringify(body)}`));
  ws.onText = (text) => {
    const { head } = readAzure(text);
    if (head.path !== "speech.context") return;
    if (!/^[0-9a-f]{32}$/i.test(head["x-requestid"] ?? "")) return ws.close(1007, "X-RequestId is missing");
    id = head["x-requestid"];
    over = false;
  };
  ws.onBinary = (data) => {
    const size = data.readUInt16BE(0);
    const { head } = readAzure(data.subarray(2, 2 + size).toString("latin1"));
    const body = data.subarray(2 + size);
    if (head.path !== "audio" || head["x-requestid"]?.toLowerCase() !== id.toLowerCase()) return ws.close(1007, "not audio of this turn");
    if (over) return;
    if (!header) {
      header = true;
      if (body.subarray(0, 4).toString() !== "RIFF" || body.readUInt16LE(20) !== 7) return ws.close(1007, "no WAV header");
      reply("turn.start", { context: { serviceTag: "x" } });
    } else if (body.length === 0) {
      over = true;
      reply("speech.phrase", { Id: "2", RecognitionStatus: scenario === "silence" ? "NoMatch" : "Success", DisplayText: `שמעתי ${sound}`, Offset: 0, Duration: 1, Channel: 0 });
      reply("turn.end", {});
    } else {
      if (sound === 0) reply("speech.startDetected", { Offset: 0 });
      sound += body.length;
      reply("speech.hypothesis", { Id: "1", Text: "שמעתי", Offset: 0, Duration: 1 });
    }
  };
}
