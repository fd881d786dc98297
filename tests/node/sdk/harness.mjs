// What the scripts beside this one share: each drives one vendor's own client library against the farm and prints one
// JSON line a check. FARM is the farm's address, ORACLE_MODULES the folder of the libraries, NODE_EXTRA_CA_CERTS the
// farm's authority. All waiting is for something to happen; only a check that never ends is cut.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

export const require = createRequire(path.join(process.env.ORACLE_MODULES, "x.js"));
export const address = new URL(process.env.FARM);
export const farm = (scenario, rest = "", scheme = "https") => `${scheme}://${address.host}/s/${scenario}${rest}`;

// As long as the slowest machine we know may need; the libraries' own patience is set below it.
export const patience_ms = 60_000;
// What a client waits for a service that hangs. The service never answers: a slow machine changes nothing.
export const short_ms = 300;

const checks = [];
export const check = (name, body) => checks.push({ name, body });

const late = (ms) => new Promise((_, reject) => setTimeout(() => reject(new Error("nothing happened")), ms).unref());

// Runs the checks one after the other and ends the process: some libraries leave timers and sockets behind.
export async function run() {
  let failed = 0;
  for (const { name, body } of checks) {
    try {
      await Promise.race([body(), late(patience_ms)]);
      console.log(JSON.stringify({ check: name, ok: true }));
    } catch (problem) {
      failed += 1;
      console.log(JSON.stringify({ check: name, ok: false, problem: String(problem?.stack ?? problem).slice(0, 2000) }));
    }
  }
  console.log(JSON.stringify({ event: "end", checks: checks.length }));
  process.exit(failed === 0 ? 0 : 1);
}

// The call must fail: with that class of the library, and with these members.
export async function raises(type, members, call) {
  let raised = null;
  try {
    await call();
  } catch (problem) {
    raised = problem;
  }
  assert.notEqual(raised, null, "no error was raised");
  if (type) assert.equal(raised.constructor.name, type.name, `${raised.constructor.name}: ${raised.message}`);
  for (const [name, wanted] of Object.entries(members)) {
    if (wanted instanceof RegExp) assert.match(String(raised[name]), wanted);
    else assert.deepEqual(raised[name], wanted, `${name} of ${raised.constructor.name}: ${raised.message}`);
  }
  return raised;
}

// All of a stream.
export async function collect(stream) {
  const all = [];
  for await (const item of stream) all.push(item);
  return all;
}

// Messages of a socket, kept until somebody asks for them.
export class Inbox {
  constructor() {
    this.items = [];
    this.waiting = [];
  }
  push(item) {
    this.items.push(item);
    for (const wake of this.waiting.splice(0)) wake();
  }
  // The first that fits; it and all before it are gone then.
  async until(fits) {
    for (;;) {
      const at = this.items.findIndex(fits);
      if (at >= 0) return this.items.splice(0, at + 1).at(-1);
      await new Promise((wake) => this.waiting.push(wake));
    }
  }
}

export const sound = Buffer.from(Array.from({ length: 16000 }, (_, i) => i % 251));

// The same as a file: PCM, 16 bits.
export function wavFile() {
  const pcm = Buffer.alloc(16000);
  const head = Buffer.from("52494646000000005741564566" + "6d74201000000001000100401f0000803e0000020010006461746100000000", "hex");
  head.writeUInt32LE(36 + pcm.length, 4);
  head.writeUInt32LE(pcm.length, 40);
  return Buffer.concat([head, pcm]);
}
export { assert };
