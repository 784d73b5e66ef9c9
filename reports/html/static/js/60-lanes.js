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
  let zipped = new Uint8Array(0);
  let room = new Uint8Array(0);
  let places = new Uint32Array(0);
  const next = new Uint32Array(65537);

  /** Base64 off; holds until the next call. @param {string} text @returns {Uint8Array} */
  function decode(text) {
    const most = Math.ceil(text.length / 4) * 3;
    if (zipped.length < most) zipped = new Uint8Array(most);
    const coder = /** @type {any} */ (zipped);
    if (coder.setFromBase64) return zipped.subarray(0, coder.setFromBase64(text).written);
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  }

  /** The bytes of a block; they hold until the next call. @param {string} text @param {number} length */
  function unpack(text, length) {
    if (room.length < length) room = new Uint8Array(length);
    const bytes = room.subarray(0, length);
    Inflate.gunzip(decode(text), bytes);
    return bytes;
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
    next.fill(0);
    for (const kind of kinds) next[kind + 1]++;
    for (let kind = 1; kind < next.length; kind++) next[kind] += next[kind - 1];
    if (places.length < kinds.length) places = new Uint32Array(kinds.length);
    for (let index = 0; index < kinds.length; index++) places[index] = next[kinds[index]]++;
  }

  /** Fill lanes from one block. @param {Lane[]} lanes @param {[[number, number][], number[]]} shape @param {Uint8Array} bytes */
  function fill(lanes, [pieces, widths], bytes) {
    const count = pieces.reduce((sum, [, many]) => sum + many, 0);
    const kinds = widths[0] === 1 ? bytes.subarray(0, count) : new Uint16Array(count);
    if (widths[0] > 1) for (let index = 0; index < count; index++) kinds[index] = bytes[index] | (bytes[count + index] << 8);
    locate(kinds);
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

  /** What every state took in the columns `from` to `to` of a grid with `count` equal columns between `t0` and `t1`, in
   * ticks: exact at every zoom, and the same for a column whichever others are asked for. The grid goes on beyond its ends.
   * `out` is written to if it is given, and may be longer than needed.
   * @param {Lane} lane @param {number[]} stateOf @param {number} states @param {number} t0 @param {number} t1 @param {number} count
   * @param {number} [from] @param {number} [to] @param {Float64Array} [out] @returns {Float64Array} */
  function columns(lane, stateOf, states, t0, t1, count, from = 0, to = count, out = new Float64Array((to - from) * states)) {
    out.fill(0, 0, (to - from) * states);
    if (!lane.count) return out;
    const { starts, kinds } = lane;
    const [first, last] = [starts[0], starts[lane.count]];
    const edge = (/** @type {number} */ x) => Math.min(last, Math.max(first, t0 + ((t1 - t0) * x) / count));
    let left = new Float64Array(states);
    let right = new Float64Array(states);
    let summed = false;
    let tick = edge(from);
    let number = tick >= last ? lane.count : find(lane, tick);
    for (let x = from, at = 0; x < to; x++, at += states) {
      const next = edge(x + 1);
      if (next === tick) continue;
      const end = next >= last ? lane.count : find(lane, next, number);
      if (end - number < STEP) {
        // So few are added up faster than looked up.
        for (; number < end; number++) {
          out[at + stateOf[kinds[number]]] += starts[number + 1] - tick;
          tick = starts[number + 1];
        }
        if (number < lane.count) out[at + stateOf[kinds[number]]] += next - tick;
        summed = false;
      } else {
        if (!summed) before(lane, stateOf, tick, number, left);
        before(lane, stateOf, next, end, right);
        for (let state = 0; state < states; state++) out[at + state] = right[state] - left[state];
        [left, right] = [right, left];
        summed = true;
        number = end;
      }
      tick = next;
    }
    return out;
  }

  return { unpack, sizeOf, empty, fill, index, find, columns };
})();
