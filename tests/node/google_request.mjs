// What our adapter sent, read by Google's own library: hex of StreamingRecognizeRequest in, one a line, as "v1 HEX"; the
// message as JSON out. Fails when bytes are left over, or a field is not in the proto.
import assert from "node:assert/strict";
import fs from "node:fs";

import { require } from "./sdk/harness.mjs";

const { protos } = require("@google-cloud/speech");

for (const line of fs.readFileSync(0, "utf8").trim().split("\n")) {
  const [version, hex] = line.split(" ");
  const type = protos.google.cloud.speech[version].StreamingRecognizeRequest;
  const message = type.decode(Buffer.from(hex, "hex"));
  // Unknown fields are not kept: what is written again would be shorter.
  assert.equal(Buffer.from(type.encode(message).finish()).toString("hex").length, hex.length, `${version}: a field is unknown`);
  console.log(JSON.stringify(type.toObject(message, { enums: String, bytes: String })));
}
