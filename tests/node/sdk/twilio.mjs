// Twilio's own client: a call's update, a message, and its errors.
import { assert, check, farm, raises, require, run } from "./harness.mjs";

const twilio = require("twilio");
const RestException = require("twilio/lib/base/RestException.js").default;
const account = "AC" + "0".repeat(32);
const call = "CA" + "0".repeat(32);
const client = (scenario, sid = account) => {
  const made = twilio(sid, "twilio-token-0123456789", { autoRetry: false });
  made.api.baseUrl = farm(scenario);
  return made;
};

check("a call is hung up and redirected", async () => {
  assert.equal((await client("fine").calls(call).update({ status: "completed" })).status, "completed");
  const redirected = await client("fine").calls(call).update({ twiml: "<Response><Dial>+97233760000</Dial></Response>" });
  assert.deepEqual([redirected.sid, redirected.status], [call, "in-progress"]);
});
check("a message is sent", async () => {
  const message = await client("fine").messages.create({ from: "whatsapp:+97233760000", to: "whatsapp:+972501234567", body: "שלום" });
  assert.deepEqual([message.status, message.body, message.errorCode], ["queued", "שלום", null]);
});
check("errors", async () => {
  const hang_up = (scenario, sid) => () => client(scenario, sid).calls(call).update({ status: "completed" });
  await raises(RestException, { status: 401, code: 20003 }, hang_up("auth"));
  await raises(RestException, { status: 429, code: 20429 }, hang_up("busy"));
  await raises(RestException, { status: 500, code: 20500 }, hang_up("broken"));
  await raises(RestException, { status: 400, code: 21220, moreInfo: /21220/ }, hang_up("over"));
  await raises(RestException, { status: 404, code: 20404 }, hang_up("gone"));
  await raises(RestException, { status: 400, code: 21602 }, () => client("fine").messages.create({ from: "+1", to: "+2" }));
  await raises(RestException, { status: 400, code: 20001 }, () => client("fine").calls(call).update({ status: "ringing" }));
});

await run();
