// Painting lanes: every pixel column is the stacked shares of the states in it, with their patterns.
"use strict";
/** @typedef {{name: string, token: string, pattern: string, meaning: string, shown: boolean, tile: Uint32Array, width: number}} Look */
const Strips = (() => {
  const TILE = 8;
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

  /** Fill an image with the columns of one lane; what is hidden or not there stays clear.
   * @param {ImageData} image @param {Float64Array} columns @param {Look[]} looks @param {number} whole ticks per column */
  function paint(image, columns, looks, whole) {
    const { width, height } = image;
    const pixels = new Uint32Array(image.data.buffer);
    const states = looks.length;
    for (let x = 0; x < width; x++) {
      let sum = 0;
      let bottom = height;
      for (let state = 0; state < states; state++) {
        const ticks = columns[x * states + state];
        if (!ticks) continue;
        sum += ticks;
        const top = height - Math.round(Math.min(1, sum / whole) * height);
        const look = looks[state];
        if (look.shown) {
          const { tile, width: size } = look;
          const column = x % size;
          for (let y = top; y < bottom; y++) pixels[y * width + x] = tile[(y % size) * size + column];
        }
        bottom = top;
      }
    }
  }

  return { prepare, paint };
})();
