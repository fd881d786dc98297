// OpenAI's Realtime service (OpenAI API reference: Realtime), turns committed by the client, mu-law both ways. Every
// client event is judged as the service does; the answer to "response.create" is two seconds of sound unless the
// scenario says otherwise. With the header OpenAI-Beta it speaks the beta's names, as speaches and old clones do.
import { pause, say, tone } from "./common.mjs";

const fields = {
  "session.update": ["session"],
  "input_audio_buffer.append": ["audio"],
  "input_audio_buffer.commit": [],
  "input_audio_buffer.clear": [],
  "conversation.item.create": ["item", "previous_item_id"],
  "conversation.item.truncate": ["item_id", "content_index", "audio_end_ms"],
  "conversation.item.delete": ["item_id"],
  "response.create": ["response"],
  "response.cancel": ["response_id"],
};
const session_fields = ["type", "output_modalities", "instructions", "audio", "tools", "tool_choice", "max_output_tokens",
  "truncation", "include", "prompt", "tracing", "reasoning", "parallel_tool_calls"];
const input_fields = ["format", "transcription", "noise_reduction", "turn_detection"];
const transcription_fields = ["model", "language", "languages", "keywords", "prompt", "delay"];

const stray = (object, known) => Object.keys(object ?? {}).find((name) => !known.includes(name));

// What is wrong with a session of the present protocol: code, message, parameter.
function judgeSession(session) {
  if (session.type !== "realtime") return ["missing_required_parameter", "Missing required parameter: 'session.type'.", "session.type"];
  const input = session.audio?.input ?? {};
  const unknown = stray(session, session_fields) ?? stray(input, input_fields) ?? stray(input.transcription, transcription_fields);
  if (unknown) return ["unknown_parameter", `Unknown parameter: 'session.${unknown}'.`, `session.${unknown}`];
  if (input.format?.type !== "audio/pcmu" || session.audio.output?.format?.type !== "audio/pcmu") {
    return ["invalid_value", "this farm has mu-law only", "session.audio"];
  }
  if (input.turn_detection !== null) return ["invalid_value", "this farm does not detect turns", "session.audio.input.turn_detection"];
  return null;
}

const judgeBetaSession = (session) =>
  session.type ? ["unknown_parameter", "Unknown parameter: 'session.type'.", "session.type"]
    : session.input_audio_format !== "g711_ulaw" || session.output_audio_format !== "g711_ulaw" || session.turn_detection !== null
      ? ["invalid_value", "bad session", "session"] : null;

const beta_names = [["response.output_audio", "response.audio"], ["response.output_text", "response.text"],
  ["conversation.item.added", "conversation.item.created"]];

class Session {
  constructor(scenario, query, ws, headers) {
    this.scenario = scenario;
    this.ws = ws;
    this.beta = Boolean(headers["openai-beta"]);
    this.configured = false;
    this.sound = 0;      // Bytes in the input buffer.
    this.active = null;  // The response being made.
    this.items = new Map();  // By id; `bytes` of sound that were sent.
    this.calls = new Set();
    this.counts = { event: 0, item: 0, response: 0, call: 0 };
    this.session = { type: "realtime", object: "realtime.session", id: "sess_1", model: query.get("model"), 
      expires_at: Math.floor(Date.now() / 1000) + (scenario === "short" ? 6 : 3600) };
    ws.onText = (text) => this.take(JSON.parse(text));
    if (!query.get("model") && !query.get("call_id")) {
      this.fail("missing_model", "You must provide a model parameter.");
      return ws.close(4000, "invalid_request_error.missing_model");
    }
    this.send("session.created", { session: this.session });
  }

  id(kind) {
    this.counts[kind] += 1;
    return `${kind === "response" ? "resp" : kind}_${String(this.counts[kind]).padStart(3, "0")}`;
  }

  send(type, body) {
    let name = type;
    if (this.beta) {
      for (const [ours, theirs] of beta_names) name = name.replace(ours, theirs);
    }
    this.ws.json({ type: name, event_id: this.id("event"), ...body });
  }

  fail(code, message, { param = null, event = null, type = "invalid_request_error" } = {}) {
    say({ event: "realtime_error", code, message });
    this.send("error", { error: { type, code, message, param, event_id: event?.event_id ?? null } });
  }

  take(event) {
    const known = fields[event.type];
    if (!known) return this.fail("invalid_value", `Invalid value: '${event.type}'.`, { param: "type", event });
    const unknown = stray(event, [...known, "type", "event_id"]);
    if (unknown) return this.fail("unknown_parameter", `Unknown parameter: '${unknown}'.`, { param: unknown, event });
    return this[event.type](event);
  }

  "session.update"(event) {
    if (this.scenario === "no-update") return;
    const wrong = this.beta ? judgeBetaSession(event.session) : judgeSession(event.session);
    if (wrong) return this.fail(wrong[0], wrong[1], { param: wrong[2], event });
    this.configured = true;
    Object.assign(this.session, event.session);
    say({ event: "realtime_session", session: event.session });
    this.send("session.updated", { session: this.session });
  }

  "input_audio_buffer.append"(event) {
    if (!this.configured) return this.fail("invalid_value", "audio before session.updated is taken for PCM", { event });
    if (this.sound === 0) say({ event: "realtime_audio" });
    this.sound += Buffer.from(event.audio, "base64").length;
  }

  "input_audio_buffer.clear"() {
    this.sound = 0;
    this.send("input_audio_buffer.cleared", {});
  }

  "input_audio_buffer.commit"(event) {
    if (this.sound < 800) {
      return this.fail("input_audio_buffer_commit_empty", `Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has ${this.sound / 8}ms.`, { event });
    }
    const item_id = this.id("item");
    const previous_item_id = [...this.items.keys()].at(-1) ?? null;
    const transcript = `שמעתי ${this.sound}`;
    const seconds = Math.ceil(this.sound / 8000);
    this.items.set(item_id, {});
    this.sound = 0;
    this.send("input_audio_buffer.committed", { previous_item_id, item_id });
    this.send("conversation.item.added", { previous_item_id, item: { id: item_id, object: "realtime.item", type: "message", status: "completed", role: "user", content: [{ type: "input_audio", transcript: null }] } });
    const write = () => this.send("conversation.item.input_audio_transcription.completed",
      { item_id, content_index: 0, transcript, usage: { type: "duration", seconds } });
    if (this.scenario === "late-text") this.later = write;
    else write();
  }

  "conversation.item.create"(event) {
    const item = event.item ?? {};
    if (!["message", "function_call_output", "function_call"].includes(item.type)) return this.fail("invalid_value", "bad item", { param: "item.type", event });
    if (item.type === "function_call_output" && !this.calls.delete(item.call_id)) {
      return this.fail("invalid_tool_call_id", `Tool call ID '${item.call_id}' not found in conversation.`, { param: "item.call_id", event });
    }
    const assistant = this.beta ? "text" : "output_text";
    for (const part of item.content ?? []) {
      const wanted = item.role === "assistant" ? assistant : "input_text";
      if (part.type !== wanted) return this.fail("invalid_value", `Invalid value: '${part.type}'. Supported values are: '${wanted}'.`, { param: "item.content[0].type", event });
    }
    const id = item.id ?? this.id("item");
    const previous_item_id = [...this.items.keys()].at(-1) ?? null;
    this.items.set(id, {});
    say({ event: "realtime_item", item });
    this.send("conversation.item.added", { previous_item_id, item: { ...item, id, object: "realtime.item", status: "completed" } });
    if (!this.beta) this.send("conversation.item.done", { previous_item_id, item: { ...item, id, object: "realtime.item", status: "completed" } });
  }

  "conversation.item.truncate"(event) {
    const item = this.items.get(event.item_id);
    if (!item?.bytes) return this.fail("item_truncate_invalid_item_id", `Item with item_id '${event.item_id}' not found.`, { param: "item_id", event });
    if (event.content_index !== 0) return this.fail("invalid_value", "content_index must be 0", { param: "content_index", event });
    if (event.audio_end_ms > item.bytes / 8) {
      return this.fail("invalid_value", `Audio content of ${item.bytes / 8}ms is already shorter than ${event.audio_end_ms}ms`, { param: "audio_end_ms", event });
    }
    say({ event: "truncated", item: event.item_id, ms: event.audio_end_ms });
    this.send("conversation.item.truncated", { item_id: event.item_id, content_index: 0, audio_end_ms: event.audio_end_ms });
  }

  "conversation.item.delete"(event) {
    if (!this.items.delete(event.item_id)) return this.fail("item_delete_invalid_item_id", "no such item", { param: "item_id", event });
    this.send("conversation.item.deleted", { item_id: event.item_id });
  }

  "response.cancel"(event) {
    if (!this.active) return this.fail("response_cancel_not_active", "Cancellation failed: no active response found", { event });
    say({ event: "realtime_cancelled" });
    this.finish("cancelled", { type: "cancelled", reason: "client_cancelled" });
  }

  "response.create"(event) {
    if (this.active) {
      return this.fail("conversation_already_has_active_response", `Conversation already has an active response in progress: ${this.active.id}.`, { event });
    }
    say({ event: "realtime_response", instructions: event.response?.instructions ?? null });
    const faults = {
      "rt-quota": ["insufficient_quota", "You exceeded your current quota", "insufficient_quota"],
      expired: ["session_expired", "Your session hit the maximum duration of 60 minutes.", "invalid_request_error"],
      "rt-broken": ["server_error", "The server had an error while processing your request.", "server_error"],
    };
    if (faults[this.scenario]) {
      const [code, message, type] = faults[this.scenario];
      return this.fail(code, message, { type, event });
    }
    if (this.scenario === "close") return this.ws.close(1011, "keepalive ping timeout");
    if (this.scenario === "silent") return;
    return this.respond(this.scenario === "tool" && this.counts.response === 0);
  }

  async respond(tool) {
    const response = { id: this.id("response"), object: "realtime.response", status: "in_progress", status_details: null, output: [], usage: null };
    this.active = response;
    this.send("response.created", { response });
    if (this.scenario === "failed") {
      return this.finish("failed", { type: "failed", error: { type: "server_error", code: "server_error", message: "the model failed" } });
    }
    if (tool) this.ask(response);
    else if (!(await this.speak(response))) return;
    this.finish(this.scenario === "filtered" ? "incomplete" : "completed",
      this.scenario === "filtered" ? { type: "incomplete", reason: "content_filter" } : null);
  }

  begin(response, item) {
    this.items.set(item.id, { bytes: 0 });
    this.send("response.output_item.added", { response_id: response.id, output_index: 0, item });
    this.send("conversation.item.added", { previous_item_id: null, item });
  }

  end(response, item) {
    response.output.push(item);
    this.send("response.output_item.done", { response_id: response.id, output_index: 0, item });
    if (!this.beta) this.send("conversation.item.done", { previous_item_id: null, item });
  }

  ask(response) {
    const call_id = this.id("call");
    const text = '{"date":"x"}';
    const item = { id: this.id("item"), object: "realtime.item", type: "function_call", status: "in_progress", name: this.session.tools?.[0]?.name ?? "find_slots", call_id, arguments: "" };
    const place = { response_id: response.id, item_id: item.id, output_index: 0, call_id };
    this.calls.add(call_id);
    this.begin(response, item);
    this.send("response.function_call_arguments.delta", { ...place, delta: text });
    this.send("response.function_call_arguments.done", { ...place, name: item.name, arguments: text });
    this.end(response, { ...item, status: "completed", arguments: text });
  }

  // False: it did not come to an end of its own.
  async speak(response) {
    const item = { id: this.id("item"), object: "realtime.item", type: "message", status: "in_progress", role: "assistant", content: [] };
    const place = { response_id: response.id, item_id: item.id, output_index: 0, content_index: 0 };
    this.begin(response, item);
    this.send("response.content_part.added", { ...place, part: { type: "audio", transcript: "" } });
    this.send("response.output_audio_transcript.delta", { ...place, delta: "של" });
    for (let i = 0; i < 4 || this.scenario === "long"; ++i) {
      this.items.get(item.id).bytes += 4000;
      this.send("response.output_audio.delta", { ...place, delta: tone(4000).toString("base64") });
      if (this.scenario === "long") await pause(20);
      if (this.active !== response || this.ws.socket.destroyed) return false;
    }
    if (this.scenario === "die") {
      this.ws.socket.end();  // Without a close frame.
      return false;
    }
    this.send("response.output_audio.done", place);
    this.send("response.output_audio_transcript.done", { ...place, transcript: "שלום" });
    this.send("response.content_part.done", { ...place, part: { type: "audio", transcript: "שלום" } });
    this.end(response, { ...item, status: "completed", content: [{ type: "output_audio", transcript: "שלום" }] });
    return true;
  }

  finish(status, status_details) {
    const usage = { total_tokens: 3, input_tokens: 1, output_tokens: 2 };
    const response = { ...this.active, status, status_details, usage };
    this.active = null;
    this.send("response.done", { response });
    this.send("rate_limits.updated", { rate_limits: [{ name: "tokens", limit: 40000, remaining: 39000, reset_seconds: 1 }] });
    this.later?.();
    this.later = null;
  }
}

export const realtime = (scenario, query, ws, headers) => new Session(scenario, query, ws, headers);
