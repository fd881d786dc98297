// Language models: OpenAI's chat completions (and Azure's and Groq's), Anthropic's messages, Gemini.
import http2 from "node:http2";

import { forever, pause } from "./common.mjs";
import { anthropicError, googleError } from "./faults.mjs";

const chunk = (delta, finish = null, more = {}) =>
  "data: " + JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1795200000, model: "m",
    choices: [{ index: 0, delta, finish_reason: finish }], ...more }) + "\n\n";

// What each vendor puts around the words.
const opening = {
  "azure-openai": () => ['data: {"id":"","object":"","created":0,"model":"","choices":[],"prompt_filter_results":' +
    '[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}\n\n'],
  groq: () => [chunk({ role: "assistant", content: "" }, null, { x_groq: { id: "req_0001" } })],
};

export async function chat(scenario, vendor, request, stream, response) {
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  const closing = vendor === "groq" ? [chunk({}, "stop", { x_groq: { id: "req_0001", usage } })]
    : [chunk({}, "stop"), `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1795200000, model: "m", choices: [], usage })}\n\n`];
  const words = [": keep-alive\r\n\r\n", ...(opening[vendor]?.() ?? []), chunk({ role: "assistant", content: "" }),
    chunk({ content: "שלום" }), chunk({ content: ", באיזו שעה?" }), ...closing, "data: [DONE]\n\n"];
  const call = (id, name, text, index = 0) => chunk({ tool_calls: [{ index, id, type: "function", function: { name, arguments: text } }] });
  const more = (text, index = 0) => chunk({ tool_calls: [{ index, function: { arguments: text } }] });
  const role = chunk({ role: "assistant", content: null });
  switch (scenario) {
    case "tool":
      return stream([role, call("call_1", request.tools[0].function.name, ""), more('{"da'), more('te":"x"}'),
        chunk({}, "tool_calls"), "data: [DONE]\n\n"]);
    case "two-tools":
      return stream([role, call("call_1", request.tools[0].function.name, ""), call("call_2", request.tools[0].function.name, "", 1),
        more('{"date":"x"}'), more('{"date":"y"}', 1), chunk({}, "tool_calls"), "data: [DONE]\n\n"]);
    case "unknown-tool":
      return stream([role, call("call_1", "no_such_tool", "{}"), chunk({}, "tool_calls"), "data: [DONE]\n\n"]);
    case "cut-by-filter":
      return stream([chunk({ content: "של" }), chunk({}, "content_filter"), "data: [DONE]\n\n"]);
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
    case "long":  // One sentence of sixty words.
      return stream([chunk({ role: "assistant", content: Array.from({ length: 60 }, (_, i) => `מילה${i}`).join(" ") + "." }), chunk({}, "stop"),
        "data: [DONE]\n\n"]);
    case "long":  // One sentence of sixty words.
      return stream([chunk({ content: Array.from({ length: 60 }, (_, i) => `מילה${i}`).join(" ") + "." }), chunk({}, "stop"),
        "data: [DONE]\n\n"]);
    default:
      return stream(words);
  }
}

export async function messages(scenario, request, document, stream, send) {
  const refuse = (message) => send(400, anthropicError("invalid_request_error", message));
  if (!request.headers["anthropic-version"]) return refuse("anthropic-version: header is required");
  // Since version 2026-10-21 no sampling parameters are taken.
  const sampling = ["temperature", "top_p", "top_k"].find((name) => name in document);
  if (sampling) return refuse(`${sampling}: Extra inputs are not permitted`);
  if (!document.max_tokens) return refuse("max_tokens: Field required");
  if (document.messages?.[0]?.role !== "user") return refuse("messages: first message must use the \"user\" role");
  const event = (data) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
  const counts = { input_tokens: 25, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
  const start = event({ type: "message_start", message: { id: "msg_1", type: "message", role: "assistant", model: document.model,
    content: [], container: null, stop_reason: null, stop_sequence: null, usage: { ...counts, output_tokens: 1 } } });
  const words = [
    event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "", citations: null } }),
    event({ type: "ping" }),
    event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "רגע. " } })];
  if (scenario === "late-error") {
    return stream([start, ...words, event({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } })]);
  }
  const end = (reason) => [
    event({ type: "message_delta", delta: { stop_reason: reason, stop_sequence: null, container: null }, usage: { ...counts, output_tokens: 31 } }),
    event({ type: "message_stop" })];
  if (!document.tools) return stream([start, ...words, event({ type: "content_block_stop", index: 0 }), ...end("end_turn")]);
  return stream([start, ...words,
    event({ type: "content_block_stop", index: 0 }),
    event({ type: "content_block_start", index: 1, content_block: { type: "tool_use", id: "toolu_1", name: "find_slots", input: {} } }),
    event({ type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: '{"date":' } }),
    event({ type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: '"x"}' } }),
    event({ type: "content_block_stop", index: 1 }), ...end("tool_use")]);
}

export async function gemini(scenario, query, document, stream, send) {
  if (!Array.isArray(document.contents) || document.contents.length === 0) {
    return send(400, googleError(400, "INVALID_ARGUMENT", "* GenerateContentRequest.contents: contents is not specified"));
  }
  // Without alt=sse the answer is one growing array, which nobody here reads.
  if (query.get("alt") !== "sse") return send(400, googleError(400, "INVALID_ARGUMENT", "the farm speaks events only"));
  const event = (data) => "data: " + JSON.stringify({ ...data, modelVersion: "g" }) + "\r\n\r\n";
  if (scenario === "blocked") {
    return stream([event({ promptFeedback: { blockReason: "SAFETY" }, usageMetadata: { promptTokenCount: 5, totalTokenCount: 5 } })]);
  }
  const part = document.tools ? { functionCall: { name: "find_slots", args: { date: "x" } } } : { text: "!" };
  return stream([
    event({ candidates: [{ content: { parts: [{ text: "שלום" }], role: "model" }, index: 0 }], usageMetadata: { promptTokenCount: 5 } }),
    event({ candidates: [{ content: { parts: [part], role: "model" }, finishReason: "STOP", index: 0 }],
      usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 9, totalTokenCount: 14 } })]);
}
