// What every fake service needs: one line of JSON for each thing worth knowing, pauses, sound.
export const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const forever = () => new Promise(() => {});

// The machine's monotonic clock in microseconds: the same that our programs read.
export const now_us = () => Number(process.hrtime.bigint() / 1000n);

export const tone = (bytes) => Buffer.alloc(bytes, 0x55);

export function wav(sound, { format = 7, rate = 8000, bits = 8 } = {}) {
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + sound.length, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(format, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE((rate * bits) / 8, 28);
  head.writeUInt16LE(bits / 8, 32);
  head.writeUInt16LE(bits, 34);
  head.write("data", 36);
  head.writeUInt32LE(sound.length, 40);
  return Buffer.concat([head, sound]);
}
