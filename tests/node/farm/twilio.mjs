// Twilio's REST API as far as we use it (Twilio docs: Call resource, update; Message resource, create).
import { say } from "./common.mjs";
import { twilioError } from "./faults.mjs";

const twiml_max = 4000;

export function twilio(path, request, body, send) {
  const [, account, rest] = /^\/2010-04-01\/Accounts\/(AC[0-9a-f]{32})\/(.+)\.json$/.exec(path) ?? [];
  const [user] = Buffer.from(request.headers.authorization.slice(6), "base64").toString().split(":");
  if (!account || user !== account) return send(401, twilioError(401, 20003, "Authenticate"));
  const form = new URLSearchParams(body.toString());
  say({ event: "twilio", resource: rest, form: Object.fromEntries(form) });
  const call = /^Calls\/(CA[0-9a-f]{32})$/.exec(rest);
  if (call) return updateCall(account, call[1], form, send);
  if (rest === "Messages") return createMessage(account, form, send);
  return send(404, twilioError(404, 20404, `The requested resource /${rest}.json was not found`));
}

// Files of messages lie elsewhere: whoever asks is sent there, where no password is wanted (Twilio docs: Media resource).
// ME1...: a voice note; every other one is gone.
export const voiceNote = Buffer.concat([Buffer.from("OggS"), Buffer.alloc(2000, 1)]);
export function isMedia(path) {
  return path.startsWith("/mms/") || /^\/2010-04-01\/Accounts\/AC[0-9a-f]{32}\/Messages\/MM[0-9a-f]{32}\/Media\/ME[0-9a-f]{32}$/.test(path);
}
export function media(path, request, response, send) {
  if (path.startsWith("/mms/")) {
    if (request.headers.authorization) return send(400, "the password goes to Twilio alone");
    response.writeHead(200, { "content-type": "audio/ogg; codecs=opus" });
    return response.end(voiceNote);
  }
  if (!/^Basic .+/.test(request.headers.authorization ?? "")) return send(401, twilioError(401, 20003, "Authenticate"));
  const sid = path.split("/").at(-1);
  if (!sid.startsWith("ME1")) return send(404, twilioError(404, 20404, "The requested resource was not found"));
  const host = request.headers[":authority"] ?? request.headers.host;
  return send(307, "", { location: `https://${host}${request.url.split("/2010-04-01")[0]}/mms/${sid}` });
}

function updateCall(account, sid, form, send) {
  const twiml = form.get("Twiml");
  if (twiml !== null && twiml.length > twiml_max) return send(400, twilioError(400, 21240, "Twiml is too long"));
  if (form.has("Status") && !["canceled", "completed"].includes(form.get("Status"))) {
    return send(400, twilioError(400, 20001, "Invalid Status"));
  }
  if (twiml === null && !form.has("Status") && !form.has("Url")) return send(400, twilioError(400, 20001, "nothing to update"));
  return send(200, { account_sid: account, api_version: "2010-04-01", sid, direction: "inbound", from: "+972501234567",
    to: "+97233760000", status: form.get("Status") ?? "in-progress", date_created: "Sat, 21 Nov 2026 10:00:00 +0000",
    date_updated: "Sat, 21 Nov 2026 10:01:00 +0000", start_time: "Sat, 21 Nov 2026 10:00:00 +0000", end_time: null,
    duration: null, price: null, price_unit: "USD", uri: `/2010-04-01/Accounts/${account}/Calls/${sid}.json`,
    subresource_uris: {} });
}

function createMessage(account, form, send) {
  if (!form.get("To")) return send(400, twilioError(400, 21604, "A 'To' phone number is required."));
  if (!form.get("From") && !form.get("MessagingServiceSid")) return send(400, twilioError(400, 21603, "A 'From' phone number is required."));
  if (!form.get("Body") && !form.get("MediaUrl") && !form.get("ContentSid")) return send(400, twilioError(400, 21602, "Message body is required."));
  const sid = "SM" + "0".repeat(32);
  return send(201, { account_sid: account, api_version: "2010-04-01", sid, body: form.get("Body"), from: form.get("From"),
    to: form.get("To"), status: "queued", direction: "outbound-api", num_segments: "1", num_media: "0", error_code: null,
    error_message: null, messaging_service_sid: form.get("MessagingServiceSid"), price: null, price_unit: null,
    date_created: "Sat, 21 Nov 2026 10:00:00 +0000", date_updated: "Sat, 21 Nov 2026 10:00:00 +0000", date_sent: null,
    uri: `/2010-04-01/Accounts/${account}/Messages/${sid}.json`, subresource_uris: {} });
}
