// A QR code for a text, to be drawn in a terminal: ISO/IEC 18004, byte mode, error correction L. Pure.
// WhatsApp's text has about 250 characters (version 10 or 11); more than version 20 would not fit on a screen.

// Table 9, level L, versions 1-20: error correction codewords of a block, and blocks.
const EC_CODEWORDS = [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28];
const BLOCKS = [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8];
const LEVEL_L = 1; // Its two bits in the format information.

// Modules for data and error correction: all but the function patterns.
function rawModules(version) {
  let count = (16 * version + 128) * version + 64;
  if (version >= 2) {
    const alignments = Math.floor(version / 7) + 2;
    count -= (25 * alignments - 10) * alignments - 55;
    if (version >= 7) {
      count -= 36;
    }
  }
  return count;
}

const dataCodewords = (version) => Math.floor(rawModules(version) / 8) - EC_CODEWORDS[version - 1] * BLOCKS[version - 1];

function alignmentPositions(version) {
  if (version === 1) {
    return [];
  }
  const count = Math.floor(version / 7) + 2;
  const step = Math.ceil((version * 4 + 4) / (count * 2 - 2)) * 2;
  const positions = [6];
  for (let position = version * 4 + 10; positions.length < count; position -= step) {
    positions.splice(1, 0, position);
  }
  return positions;
}

// Multiplication in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1.
function multiply(x, y) {
  let product = 0;
  for (let bit = 7; bit >= 0; --bit) {
    product = (product << 1) ^ ((product >>> 7) * 0x11d);
    product ^= ((y >>> bit) & 1) * x;
  }
  return product;
}

function generator(degree) {
  const polynomial = Array(degree - 1).fill(0).concat(1);
  let root = 1;
  for (let n = 0; n < degree; ++n) {
    for (let i = 0; i < degree; ++i) {
      polynomial[i] = multiply(polynomial[i], root) ^ (polynomial[i + 1] ?? 0);
    }
    root = multiply(root, 2);
  }
  return polynomial;
}

function remainder(data, divisor) {
  const result = divisor.map(() => 0);
  for (const byte of data) {
    const factor = byte ^ result.shift();
    result.push(0);
    divisor.forEach((coefficient, i) => (result[i] ^= multiply(coefficient, factor)));
  }
  return result;
}

function encodeData(bytes, version) {
  const capacity = dataCodewords(version) * 8;
  const bits = [];
  const append = (value, length) => {
    for (let i = length - 1; i >= 0; --i) {
      bits.push((value >>> i) & 1);
    }
  };
  append(4, 4); // Byte mode.
  append(bytes.length, version < 10 ? 8 : 16);
  bytes.forEach((byte) => append(byte, 8));
  append(0, Math.min(4, capacity - bits.length));
  append(0, (8 - (bits.length % 8)) % 8);
  for (let pad = 0xec; bits.length < capacity; pad ^= 0xec ^ 0x11) {
    append(pad, 8);
  }
  const codewords = [];
  for (let i = 0; i < bits.length; i += 8) {
    codewords.push(parseInt(bits.slice(i, i + 8).join(''), 2));
  }
  return codewords;
}

// Blocks with their error correction, codeword by codeword in turn.
function interleave(codewords, version) {
  const blocks = BLOCKS[version - 1];
  const ecLength = EC_CODEWORDS[version - 1];
  const total = Math.floor(rawModules(version) / 8);
  const shortBlocks = blocks - (total % blocks);
  const shortLength = Math.floor(total / blocks) - ecLength;
  const divisor = generator(ecLength);
  const parts = [];
  for (let n = 0, at = 0; n < blocks; ++n) {
    const length = shortLength + (n < shortBlocks ? 0 : 1);
    const data = codewords.slice(at, at + length);
    parts.push({ data, ec: remainder(data, divisor) });
    at += length;
  }
  const result = [];
  for (let i = 0; i <= shortLength; ++i) {
    parts.forEach(({ data }) => i < data.length && result.push(data[i]));
  }
  for (let i = 0; i < ecLength; ++i) {
    parts.forEach(({ ec }) => result.push(ec[i]));
  }
  return result;
}

const MASKS = [
  (x, y) => (x + y) % 2 === 0,
  (x, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

class Matrix {
  constructor(version) {
    this.version = version;
    this.size = version * 4 + 17;
    this.dark = Array.from({ length: this.size }, () => Array(this.size).fill(false));
    this.fixed = Array.from({ length: this.size }, () => Array(this.size).fill(false));
    this.#patterns();
  }

  #set(x, y, dark) {
    if (x >= 0 && y >= 0 && x < this.size && y < this.size) {
      this.dark[y][x] = dark;
      this.fixed[y][x] = true;
    }
  }

  #patterns() {
    for (let i = 0; i < this.size; ++i) {
      this.#set(6, i, i % 2 === 0);
      this.#set(i, 6, i % 2 === 0);
    }
    for (const [x, y] of [[3, 3], [this.size - 4, 3], [3, this.size - 4]]) {
      this.#rings(x, y, 4, [2, 4]);
    }
    const positions = alignmentPositions(this.version);
    const last = positions.length - 1;
    positions.forEach((x, i) =>
      positions.forEach((y, j) => {
        if (!((i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0))) {
          this.#rings(x, y, 2, [1]);
        }
      }),
    );
    this.format(0); // Reserves the place.
    this.#versionInformation();
  }

  #rings(x, y, radius, light) {
    for (let dy = -radius; dy <= radius; ++dy) {
      for (let dx = -radius; dx <= radius; ++dx) {
        this.#set(x + dx, y + dy, !light.includes(Math.max(Math.abs(dx), Math.abs(dy))));
      }
    }
  }

  format(mask) {
    const data = (LEVEL_L << 3) | mask;
    let rest = data;
    for (let i = 0; i < 10; ++i) {
      rest = (rest << 1) ^ ((rest >>> 9) * 0x537);
    }
    const bits = ((data << 10) | rest) ^ 0x5412;
    const bit = (i) => ((bits >>> i) & 1) !== 0;
    for (let i = 0; i <= 5; ++i) {
      this.#set(8, i, bit(i));
    }
    this.#set(8, 7, bit(6));
    this.#set(8, 8, bit(7));
    this.#set(7, 8, bit(8));
    for (let i = 9; i < 15; ++i) {
      this.#set(14 - i, 8, bit(i));
    }
    for (let i = 0; i < 8; ++i) {
      this.#set(this.size - 1 - i, 8, bit(i));
    }
    for (let i = 8; i < 15; ++i) {
      this.#set(8, this.size - 15 + i, bit(i));
    }
    this.#set(8, this.size - 8, true);
  }

  #versionInformation() {
    if (this.version < 7) {
      return;
    }
    let rest = this.version;
    for (let i = 0; i < 12; ++i) {
      rest = (rest << 1) ^ ((rest >>> 11) * 0x1f25);
    }
    const bits = (this.version << 12) | rest;
    for (let i = 0; i < 18; ++i) {
      const dark = ((bits >>> i) & 1) !== 0;
      const a = this.size - 11 + (i % 3);
      const b = Math.floor(i / 3);
      this.#set(a, b, dark);
      this.#set(b, a, dark);
    }
  }

  // In pairs of columns from the right, up and down in turn, around what is fixed.
  place(codewords) {
    let at = 0;
    for (let right = this.size - 1; right >= 1; right -= 2) {
      if (right === 6) {
        right = 5;
      }
      for (let step = 0; step < this.size; ++step) {
        for (const x of [right, right - 1]) {
          const y = ((right + 1) & 2) === 0 ? this.size - 1 - step : step;
          if (!this.fixed[y][x] && at < codewords.length * 8) {
            this.dark[y][x] = ((codewords[at >>> 3] >>> (7 - (at & 7))) & 1) !== 0;
            at += 1;
          }
        }
      }
    }
  }

  mask(number) {
    for (let y = 0; y < this.size; ++y) {
      for (let x = 0; x < this.size; ++x) {
        if (!this.fixed[y][x] && MASKS[number](x, y)) {
          this.dark[y][x] = !this.dark[y][x];
        }
      }
    }
  }

  // Section 7.8.3: what makes a code hard to read.
  penalty() {
    const { size, dark } = this;
    const columns = dark[0].map((_, x) => dark.map((row) => row[x]));
    let penalty = 0;
    let count = 0;
    for (const line of [...dark, ...columns]) {
      let run = 0;
      line.forEach((module, i) => {
        run = i > 0 && module === line[i - 1] ? run + 1 : 1;
        penalty += run === 5 ? 3 : run > 5 ? 1 : 0;
      });
      const text = line.map(Number).join('');
      for (let i = 0; i + 11 <= size; ++i) {
        const part = text.slice(i, i + 11);
        penalty += part === '10111010000' || part === '00001011101' ? 40 : 0;
      }
    }
    for (let y = 0; y < size; ++y) {
      for (let x = 0; x < size; ++x) {
        count += dark[y][x] ? 1 : 0;
        if (x > 0 && y > 0 && dark[y][x] === dark[y - 1][x] && dark[y][x] === dark[y][x - 1] && dark[y][x] === dark[y - 1][x - 1]) {
          penalty += 3;
        }
      }
    }
    return penalty + 10 * Math.floor(Math.abs(count * 20 - size * size * 10) / (size * size));
  }
}

// Rows of booleans, true is dark; undefined: the text is too long.
export function qrModules(text) {
  const bytes = [...Buffer.from(text)];
  let version = 1;
  while (version <= EC_CODEWORDS.length && bytes.length * 8 + 4 + (version < 10 ? 8 : 16) > dataCodewords(version) * 8) {
    version += 1;
  }
  if (version > EC_CODEWORDS.length) {
    return undefined;
  }
  const matrix = new Matrix(version);
  matrix.place(interleave(encodeData(bytes, version), version));
  let best = { penalty: Infinity };
  for (let number = 0; number < MASKS.length; ++number) {
    matrix.mask(number);
    matrix.format(number);
    const penalty = matrix.penalty();
    if (penalty < best.penalty) {
      best = { number, penalty };
    }
    matrix.mask(number); // Twice is not at all.
  }
  matrix.mask(best.number);
  matrix.format(best.number);
  return matrix.dark;
}

// For a page. One path: a square of the code is one unit.
export function qrSvg(modules) {
  const size = modules.length + 8; // Four modules of quiet on each side, as the standard asks for.
  const squares = modules.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + 4} ${y + 4}h1v1h-1z` : '')));
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges">` +
    `<path fill="#fff" d="M0 0h${size}v${size}H0z"/><path d="${squares.join('')}"/></svg>`
  );
}

const QUIET = 2; // Four modules are asked for; two do on a screen, and keep it small.

// For a terminal: two rows of modules in a line of text. Colours are set on purpose, so that it is dark on light on
// terminals of either kind.
export function qrText(modules, { colour = true } = {}) {
  const size = modules.length;
  const isDark = (x, y) => modules[y]?.[x] ?? false;
  const lines = [];
  for (let y = -QUIET; y < size + QUIET; y += 2) {
    let line = '';
    for (let x = -QUIET; x < size + QUIET; ++x) {
      line += { '00': '█', '01': '▀', '10': '▄', '11': ' ' }[`${Number(isDark(x, y))}${Number(isDark(x, y + 1))}`];
    }
    lines.push(colour ? `\x1b[97;40m${line}\x1b[0m` : line);
  }
  return `${lines.join('\n')}\n`;
}
