// Gzip off, into memory that is used again: what the browser's own stream leaves behind, piece by piece, is as large as the
// timeline itself, and stays until it is collected; nor is that stream faster.
"use strict";
const Inflate = (() => {
  const DAMAGED = "a block of the timeline is damaged";
  const [HEADER, TRAILER] = [10, 8];
  const LONGEST = 15;
  /** In which order the lengths of the codes for lengths stand. RFC 1951, 3.2.7. */
  const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
  /** Symbols: those below are literals, this ends a block, those above are lengths; the last one is not in use. */
  const END = 256;
  const NONE = 286;
  const LENGTHS = ranges(29, 4, 3);
  const DISTANCES = ranges(30, 2, 1);
  // The greatest length has a symbol of its own.
  LENGTHS.base[28] = 258;
  LENGTHS.extra[28] = 0;

  /** Symbols that stand for ranges, of which so many have the same width: where each begins, and the bits that tell the rest.
   * RFC 1951, 3.2.5. @param {number} count @param {number} alike @param {number} first */
  function ranges(count, alike, first) {
    const [base, extra] = [new Uint16Array(count), new Uint8Array(count)];
    for (let symbol = 0, next = first; symbol < count; symbol++) {
      base[symbol] = next;
      extra[symbol] = Math.max(0, Math.floor(symbol / alike) - 1);
      next += 1 << extra[symbol];
    }
    return { base, extra };
  }

  /** Bits of bytes, from the lowest on. */
  class Bits {
    /** @param {Uint8Array} bytes */
    constructor(bytes) {
      this.bytes = bytes;
      this.at = HEADER;
      this.bits = 0;
      this.have = 0;
    }

    /** @param {number} count */
    take(count) {
      while (this.have < count) {
        this.bits |= this.bytes[this.at++] << this.have;
        this.have += 8;
      }
      const found = this.bits & ((1 << count) - 1);
      this.bits >>>= count;
      this.have -= count;
      return found;
    }

    /** Go on at the next whole byte; where that is. */
    align() {
      this.at -= this.have >> 3;
      this.bits = this.have = 0;
      return this.at;
    }
  }

  /** What any bits begin with: the symbol, and in the lowest four bits how long its code is. */
  class Codes {
    constructor() {
      this.table = new Uint16Array(1 << LONGEST);
      this.mask = 0;
    }

    /** Give every symbol its code, by the lengths of all. RFC 1951, 3.2.2. @param {Uint8Array} lengths */
    make(lengths) {
      const next = new Uint16Array(LONGEST + 2);
      let longest = 1;
      for (const length of lengths) {
        next[length + 1] += length ? 1 : 0;
        longest = Math.max(longest, length);
      }
      for (let length = 1; length <= LONGEST; length++) next[length + 1] = (next[length + 1] + next[length]) * 2;
      const size = 1 << longest;
      this.mask = size - 1;
      this.table.fill((NONE << 4) | 1, 0, size);
      for (let symbol = 0; symbol < lengths.length; symbol++) {
        const length = lengths[symbol];
        if (!length) continue;
        let turned = 0;
        for (let bit = 0, code = next[length]++; bit < length; bit++) turned |= ((code >> bit) & 1) << (length - 1 - bit);
        for (let at = turned; at < size; at += 1 << length) this.table[at] = (symbol << 4) | length;
      }
    }

    /** @param {Bits} from */
    read(from) {
      while (from.have < LONGEST) {
        from.bits |= from.bytes[from.at++] << from.have;
        from.have += 8;
      }
      const entry = this.table[from.bits & this.mask];
      from.take(entry & 15);
      return entry >> 4;
    }
  }

  const [literals, distances, lengths] = [new Codes(), new Codes(), new Codes()];
  const found = new Uint8Array(320);

  /** Read the codes of a block, or take those that need none. @param {Bits} from @param {number} kind */
  function codes(from, kind) {
    if (kind === 1) {
      literals.make(found.fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280, 288).subarray(0, 288));
      distances.make(found.fill(5, 0, 30).subarray(0, 30));
      return;
    }
    const [first, second, third] = [from.take(5) + 257, from.take(5) + 1, from.take(4) + 4];
    found.fill(0);
    for (let at = 0; at < third; at++) found[ORDER[at]] = from.take(3);
    lengths.make(found.subarray(0, 19));
    found.fill(0);
    for (let at = 0; at < first + second;) {
      const symbol = lengths.read(from);
      if (symbol < 16) {
        found[at++] = symbol;
      } else {
        const value = symbol === 16 ? found[at - 1] : 0;
        const many = symbol === 16 ? 3 + from.take(2) : symbol === 17 ? 3 + from.take(3) : 11 + from.take(7);
        if (symbol === NONE || at + many > first + second) throw new Error(DAMAGED);
        found.fill(value, at, at + many);
        at += many;
      }
    }
    literals.make(found.subarray(0, first));
    distances.make(found.subarray(first, first + second));
  }

  /** Write out what a block of codes stands for, from `at` on; where it ends. Nearly all of the time is spent here, so bits are
   * taken in place, two bytes at a time. @param {Bits} from @param {Uint8Array} out @param {number} at */
  function symbols(from, out, at) {
    const { bytes } = from;
    const { table, mask } = literals;
    const { table: farther, mask: fartherMask } = distances;
    const room = out.length;
    let { at: next, bits, have } = from;
    for (;;) {
      if (have < LONGEST) {
        bits |= (bytes[next] | (bytes[next + 1] << 8)) << have;
        next += 2;
        have += 16;
      }
      let entry = table[bits & mask];
      bits >>>= entry & 15;
      have -= entry & 15;
      let symbol = entry >> 4;
      if (symbol < END) {
        if (at === room) throw new Error(DAMAGED);
        out[at++] = symbol;
        continue;
      }
      if (symbol === END) break;
      symbol -= END + 1;
      if (symbol > 28) throw new Error(DAMAGED);
      if (have < LONGEST) {
        bits |= (bytes[next] | (bytes[next + 1] << 8)) << have;
        next += 2;
        have += 16;
      }
      const more = LENGTHS.extra[symbol];
      const end = at + LENGTHS.base[symbol] + (bits & ((1 << more) - 1));
      bits >>>= more;
      have -= more;
      if (have < LONGEST) {
        bits |= (bytes[next] | (bytes[next + 1] << 8)) << have;
        next += 2;
        have += 16;
      }
      entry = farther[bits & fartherMask];
      bits >>>= entry & 15;
      have -= entry & 15;
      symbol = entry >> 4;
      if (symbol > 29) throw new Error(DAMAGED);
      if (have < LONGEST) {
        bits |= (bytes[next] | (bytes[next + 1] << 8)) << have;
        next += 2;
        have += 16;
      }
      const back = DISTANCES.extra[symbol];
      let copy = at - DISTANCES.base[symbol] - (bits & ((1 << back) - 1));
      bits >>>= back;
      have -= back;
      if (copy < 0 || end > room) throw new Error(DAMAGED);
      while (at < end) out[at++] = out[copy++];
    }
    Object.assign(from, { at: next, bits, have });
    return at;
  }

  const CRC = new Uint32Array(4 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
    CRC[byte] = rest;
  }
  for (let at = 256; at < CRC.length; at++) CRC[at] = (CRC[at - 256] >>> 8) ^ CRC[CRC[at - 256] & 255];

  /** The check sum of RFC 1952, four bytes at a time. @param {Uint8Array} bytes */
  function sum(bytes) {
    let rest = -1;
    let at = 0;
    for (const whole = bytes.length - 3; at < whole; at += 4) {
      rest ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
      rest = CRC[768 + (rest & 255)] ^ CRC[512 + ((rest >>> 8) & 255)] ^ CRC[256 + ((rest >>> 16) & 255)] ^ CRC[rest >>> 24];
    }
    for (; at < bytes.length; at++) rest = (rest >>> 8) ^ CRC[(rest ^ bytes[at]) & 255];
    return ~rest;
  }

  /** Fill `out`, or fail where the bytes are not what was written. @param {Uint8Array} bytes @param {Uint8Array} out */
  function gunzip(bytes, out) {
    const from = new Bits(bytes);
    let at = 0;
    for (let last = 0; !last;) {
      last = from.take(1);
      const kind = from.take(2);
      if (kind === 0) {
        const start = from.align() + 4;
        const many = bytes[start - 4] | (bytes[start - 3] << 8);
        if (start + many > bytes.length || at + many > out.length) throw new Error(DAMAGED);
        out.set(bytes.subarray(start, start + many), at);
        at += many;
        from.at = start + many;
      } else {
        if (kind === 3) throw new Error(DAMAGED);
        codes(from, kind);
        at = symbols(from, out, at);
      }
    }
    const end = from.align();
    const whole = at === out.length && end + TRAILER === bytes.length;
    const told = bytes[end] | (bytes[end + 1] << 8) | (bytes[end + 2] << 16) | (bytes[end + 3] << 24);
    if (!whole || told !== sum(out)) throw new Error(DAMAGED);
  }

  return { gunzip };
})();
