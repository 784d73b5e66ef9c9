// Lanes of the timeline: unpacking, and exact sums of states between any two times.
"use strict";
/**
 * @typedef {Uint8Array | Uint16Array | Uint32Array} Column
 * `starts` has the first tick of every interval and the end of the last one; `sums` has, for every STEP-th interval,
 * the ticks that each state took before it.
 * @typedef {{group: string, name: string, kind: string, first: number, count: number, filled: number,
 *   starts: Uint32Array, kinds: Column, what: Column, who: Column, on: Column, sums: Uint32Array}} Lane
 */
const Lanes = (() => {
  const STEP = 32;

  /** Memory that one block after the other is unpacked in: many short-lived arrays would add up before they are freed. */
  let room = new Uint8Array(0);
  let places = new Uint32Array(0);

  /** Base64 and gzip off; holds until the next call. @param {string} text @param {number} length @returns {Promise<Uint8Array>} */
  async function inflate(text, length) {
    const coder = /** @type {any} */ (Uint8Array);
    const bytes = coder.fromBase64 ? coder.fromBase64(text) : Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    const stream = new DecompressionStream("gzip");
    const writer = stream.writable.getWriter();
    // What goes wrong in writing is told by reading.
    writer.write(bytes).catch(() => {});
    writer.close().catch(() => {});
    if (room.length < length) room = new Uint8Array(length);
    const reader = stream.readable.getReader();
    let at = 0;
    for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
      if (at + value.length > length) throw new Error("a block of the timeline is damaged");
      room.set(value, at);
      at += value.length;
    }
    if (at !== length) throw new Error("a block of the timeline is damaged");
    return room.subarray(0, length);
  }

  /** How many bytes a block has. @param {[[number, number][], number[]]} shape */
  const sizeOf = ([pieces, widths]) => pieces.reduce((sum, [, many]) => sum + many, 0) * widths.reduce((sum, width) => sum + width, 0);

  /** An array of numbers of so many bytes. @param {number} width @param {number} count */
  const numbers = (width, count) => (width === 1 ? new Uint8Array(count) : width === 2 ? new Uint16Array(count) : new Uint32Array(count));

  /** Make empty lanes, to be filled block by block; columns are as narrow as their numbers. @param {any} data @returns {Lane[]} */
  function empty(data) {
    const [kinds, , what, who, on] = data.widths;
    return data.lanes.map((/** @type {[string, string, string, number, number]} */ [group, name, kind, first, count]) => {
      const starts = new Uint32Array(count + 1);
      starts[0] = first;
      return {
        group, name, kind, first, count, filled: 0, starts, kinds: numbers(kinds, count),
        what: numbers(what, count), who: numbers(who, count), on: numbers(on, count), sums: new Uint32Array(0),
      };
    });
  }

  /** Find where each interval's entries are in the columns that are in order of kind. @param {Uint8Array | Uint16Array} kinds */
  function locate(kinds) {
    const next = new Uint32Array(65537);
    for (const kind of kinds) next[kind + 1]++;
    for (let kind = 1; kind < next.length; kind++) next[kind] += next[kind - 1];
    if (places.length < kinds.length) places = new Uint32Array(kinds.length);
    for (let index = 0; index < kinds.length; index++) places[index] = next[kinds[index]]++;
  }

  /** Fill lanes from one block. @param {Lane[]} lanes @param {[[number, number][], number[]]} shape @param {Uint8Array} bytes */
  function fill(lanes, [pieces, widths], bytes) {
    const count = pieces.reduce((sum, [, many]) => sum + many, 0);
    const kinds = numbers(widths[0], count);
    for (let plane = 0; plane < widths[0]; plane++) {
      for (let index = 0; index < count; index++) kinds[index] |= bytes[plane * count + index] << (8 * plane);
    }
    locate(/** @type {Uint8Array} */ (kinds));
    let from = 0;
    for (const [number, many] of pieces) {
      const lane = lanes[number];
      const there = lane.filled;
      lane.kinds.set(kinds.subarray(from, from + many), there);
      let at = widths[0] * count;
      const targets = /** @type {[Uint8Array | Uint16Array | Uint32Array, number][]} */ ([[lane.starts, there + 1], [lane.what, there], [lane.who, there], [lane.on, there]]);
      for (const [column, [target, first]] of targets.entries()) {
        for (let plane = 0; plane < widths[column + 1]; plane++, at += count) {
          for (let index = 0; index < many; index++) target[first + index] |= bytes[at + places[from + index]] << (8 * plane);
        }
      }
      // What was read into the starts are lengths: each interval begins where the one before ends.
      for (let index = there; index < there + many; index++) lane.starts[index + 1] += lane.starts[index];
      lane.filled += many;
      from += many;
    }
  }

  /** Sum states up to every STEP-th interval. @param {Lane} lane @param {number[]} stateOf @param {number} states */
  function index(lane, stateOf, states) {
    const running = new Uint32Array(states);
    lane.sums = new Uint32Array((Math.floor(lane.count / STEP) + 1) * states);
    for (let number = 0; number < lane.count; number++) {
      if (number % STEP === 0) lane.sums.set(running, (number / STEP) * states);
      running[stateOf[lane.kinds[number]]] += lane.starts[number + 1] - lane.starts[number];
    }
    if (lane.count % STEP === 0) lane.sums.set(running, (lane.count / STEP) * states);
  }

  /** The interval at a time, or -1 where the lane has none; `hint` is one at or before it.
   * @param {Lane} lane @param {number} tick @param {number} [hint] */
  function find(lane, tick, hint = 0) {
    const { starts, count } = lane;
    if (!count || tick < starts[0] || tick >= starts[count]) return -1;
    let low = hint;
    let step = 1;
    while (low + step < count && starts[low + step] <= tick) { low += step; step *= 2; }
    let high = Math.min(count, low + step);
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= tick) low = middle; else high = middle;
    }
    return low;
  }

  /** Add to `out` what every state took before a time inside interval `number`.
   * @param {Lane} lane @param {number[]} stateOf @param {number} tick @param {number} number @param {Float64Array} out */
  function before(lane, stateOf, tick, number, out) {
    const states = out.length;
    const block = Math.floor(number / STEP);
    for (let state = 0; state < states; state++) out[state] = lane.sums[block * states + state];
    for (let index = block * STEP; index < number; index++) out[stateOf[lane.kinds[index]]] += lane.starts[index + 1] - lane.starts[index];
    if (number < lane.count) out[stateOf[lane.kinds[number]]] += tick - lane.starts[number];
  }

  /** What every state took in each of `count` equal columns from `t0` to `t1`, in ticks: exact at every zoom.
   * @param {Lane} lane @param {number[]} stateOf @param {number} states @param {number} t0 @param {number} t1 @param {number} count
   * @returns {Float64Array} */
  function columns(lane, stateOf, states, t0, t1, count) {
    const out = new Float64Array(count * states);
    if (!lane.count) return out;
    const [first, last] = [lane.starts[0], lane.starts[lane.count]];
    const cut = (/** @type {number} */ tick) => Math.min(last, Math.max(first, tick));
    let left = new Float64Array(states);
    let right = new Float64Array(states);
    let tick = cut(t0);
    let number = tick >= last ? lane.count : find(lane, tick);
    before(lane, stateOf, tick, number, left);
    for (let x = 0; x < count; x++) {
      const next = cut(t0 + ((t1 - t0) * (x + 1)) / count);
      if (next === tick) continue;
      if (number < lane.count && next <= lane.starts[number + 1]) {
        // One interval covers the column: nothing has to be summed up.
        const state = stateOf[lane.kinds[number]];
        out[x * states + state] = next - tick;
        left[state] += next - tick;
        if (next === lane.starts[number + 1]) number = next >= last ? lane.count : find(lane, next, number);
      } else {
        number = next >= last ? lane.count : find(lane, next, number);
        before(lane, stateOf, next, number, right);
        for (let state = 0; state < states; state++) out[x * states + state] = right[state] - left[state];
        [left, right] = [right, left];
      }
      tick = next;
    }
    return out;
  }

  return { inflate, sizeOf, empty, fill, index, find, columns };
})();
