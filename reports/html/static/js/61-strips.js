// Painting lanes: every pixel column is the stacked shares of the states in it, with their patterns.
"use strict";
/** @typedef {{name: string, token: string, pattern: string, meaning: string, shown: boolean, tile: Uint32Array, width: number}} Look */
const Strips = (() => {
  const TILE = 8;
  /** The part of a column by which a range may be off and still lies on the columns that were painted. */
  const NEAR = 1e-3;
  /** Pictures kept for lanes that come into view. */
  const SPARE = 32;
  /** Whether a pattern has a mark at a point of its tile. @type {Record<string, (x: number, y: number) => boolean>} */
  const MARKS = {
    solid: () => false,
    slash: (x, y) => (x + y) % 8 < 2,
    backslash: (x, y) => (x - y + 8) % 8 < 3,
    cross: (x, y) => (x + y) % 8 < 1 || (x - y + 8) % 8 < 1,
    bars: (x) => x % 4 === 0,
    lines: (_x, y) => y % 4 === 1,
    dots: (x, y) => x % 4 === 1 && y % 4 === 1,
  };

  /** A colour as one number, in the order of an ImageData's bytes. @param {string} token */
  function colour(token) {
    const parts = (CT.colour(token).match(/[\d.]+/g) ?? ["0", "0", "0"]).map(Number);
    const bytes = new Uint8ClampedArray([parts[0], parts[1], parts[2], 255]);
    return new Uint32Array(bytes.buffer)[0];
  }

  /** Prepare the tiles of all states for the current theme and resolution. @param {Look[]} looks @param {number} ratio */
  function prepare(looks, ratio) {
    for (const look of looks) {
      const width = Math.round(TILE * ratio);
      const [fill, ink] = [colour(`st-${look.token}`), colour(look.pattern === "solid" ? `st-${look.token}` : `st-${look.token}-marks`)];
      const marked = MARKS[look.pattern];
      look.width = width;
      look.tile = new Uint32Array(width * width);
      for (let y = 0; y < width; y++) {
        for (let x = 0; x < width; x++) {
          look.tile[y * width + x] = marked(Math.floor(x / ratio) % TILE, Math.floor(y / ratio) % TILE) ? ink : fill;
        }
      }
    }
  }

  /** Fill columns of an image, from `first` on, with what the states took in them; what is hidden or not there stays clear.
   * Patterns begin `phase` columns before the image does.
   * @param {ImageData} image @param {Float64Array} sums @param {Look[]} looks @param {number} whole ticks per column
   * @param {number} [first] @param {number} [last] @param {number} [phase] */
  function paint(image, sums, looks, whole, first = 0, last = image.width, phase = 0) {
    const { width, height } = image;
    const pixels = new Uint32Array(image.data.buffer);
    const states = looks.length;
    for (let x = first; x < last; x++) {
      let sum = 0;
      let bottom = height;
      for (let state = 0; state < states; state++) {
        const ticks = sums[(x - first) * states + state];
        if (!ticks) continue;
        sum += ticks;
        const top = height - Math.round(Math.min(1, sum / whole) * height);
        const look = looks[state];
        if (look.shown) {
          const { tile, width: size } = look;
          const column = (((x + phase) % size) + size) % size;
          for (let y = top; y < bottom; y++) pixels[y * width + x] = tile[(y % size) * size + column];
        }
        bottom = top;
      }
    }
  }

  /** Lanes as they were painted last. While the range moves by whole columns, the picture of a lane moves along and only the
   * columns that are new in it are summed up and painted: as they would be in a picture painted anew. */
  class Kept {
    /** @param {number[]} stateOf @param {Look[]} looks */
    constructor(stateOf, looks) {
      this.stateOf = stateOf;
      this.looks = looks;
      this.grid = { t0: 0, t1: 0, width: 0, height: 0 };
      /** The column of the grid at which the range begins. */
      this.at = 0;
      this.pictures = /** @type {Map<Lane, {image: ImageData, at: number}>} */ (new Map());
      this.unused = /** @type {ImageData[]} */ ([]);
      this.sums = new Float64Array(0);
    }

    /** Show another range, in pictures of so many pixels. @param {number} t0 @param {number} t1 @param {number} width @param {number} height */
    aim(t0, t1, width, height) {
      const { grid } = this;
      const step = (grid.t1 - grid.t0) / grid.width;
      const at = Math.round((t0 - grid.t0) / step);
      const off = Math.max(Math.abs(t0 - grid.t0 - at * step), Math.abs(t1 - grid.t1 - at * step));
      const fits = width === grid.width && height === grid.height;
      if (fits && off < step * NEAR) {
        this.at = at;
        return;
      }
      this.forget();
      if (!fits) this.unused = [];
      this.grid = { t0, t1, width, height };
      this.at = 0;
    }

    /** Paint all anew, after colours or what is hidden have changed. */
    forget() {
      this.keep(new Set());
    }

    /** Let go of the pictures of all other lanes. @param {Set<Lane | null>} lanes */
    keep(lanes) {
      for (const [lane, { image }] of this.pictures) {
        if (lanes.has(lane)) continue;
        this.pictures.delete(lane);
        if (this.unused.length < SPARE) this.unused.push(image);
      }
    }

    /** The picture of a lane. @param {Lane} lane @returns {ImageData} */
    picture(lane) {
      const { width, height } = this.grid;
      const kept = this.pictures.get(lane) ?? { image: this.unused.pop() ?? new ImageData(width, height), at: NaN };
      this.pictures.set(lane, kept);
      const far = this.at - kept.at;
      kept.at = this.at;
      if (!(Math.abs(far) < width)) {
        this.fresh(lane, kept.image, 0, width);
      } else if (far) {
        // Rows run into each other at their ends, which are painted anew.
        const pixels = new Uint32Array(kept.image.data.buffer);
        pixels.copyWithin(Math.max(0, -far), Math.max(0, far));
        this.fresh(lane, kept.image, far > 0 ? width - far : 0, far > 0 ? width : -far);
      }
      return kept.image;
    }

    /** Sum up and paint some columns. @param {Lane} lane @param {ImageData} image @param {number} first @param {number} last */
    fresh(lane, image, first, last) {
      const { grid: { t0, t1, width }, at, looks } = this;
      const pixels = new Uint32Array(image.data.buffer);
      for (let row = 0; row < pixels.length; row += width) pixels.fill(0, row + first, row + last);
      if (this.sums.length < width * looks.length) this.sums = new Float64Array(width * looks.length);
      Lanes.columns(lane, this.stateOf, looks.length, t0, t1, width, at + first, at + last, this.sums);
      paint(image, this.sums, looks, (t1 - t0) / width, first, last, at);
    }
  }

  return { prepare, paint, Kept };
})();
