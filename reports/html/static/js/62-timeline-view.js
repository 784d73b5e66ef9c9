// The timeline's picture: which range is shown, where every lane is, and drawing it.
"use strict";
/** @typedef {{lane: Lane, number: number}} Place an interval of a lane */
const TimelineView = (() => {
  const ROW = 22;
  const HEIGHT = 18;
  const HEAD = 22;
  const AXIS = 24;
  const TALLEST = 520;
  const NAMED = 46;
  /** From how many pixels on a wait needs no mark to be seen. */
  const SEEN = 4;
  const OF_THE_RUN = new Set(["path", "core"]);
  /** Lanes whose intervals belong to a thread that is told. */
  const NAMING = new Set(["gil", "path", "core"]);

  class View {
    /** @param {any} data */
    constructor(data) {
      this.data = data;
      this.lanes = Lanes.empty(data);
      this.looks = /** @type {Look[]} */ (data.states.map((/** @type {string[]} */ [name, token, pattern, meaning]) => (
        { name, token, pattern, meaning, shown: true, tile: new Uint32Array(1), width: 1 })));
      this.stateOf = /** @type {number[]} */ (data.kinds.map((/** @type {[number, string]} */ [state]) => state));
      this.kept = new Strips.Kept(this.stateOf, this.looks);
      /** How often all had to be painted anew. */
      this.version = 0;
      this.t0 = 0;
      this.t1 = /** @type {number} */ (data.length);
      this.selected = /** @type {Place | null} */ (null);
      /** A range that was chosen to be added up. */
      this.chosen = /** @type {[number, number] | null} */ (null);
      this.wanted = "";
      this.ready = false;
      this.rows = /** @type {{y: number, lane: Lane | null, text: string}[]} */ ([]);
      this.rowOf = /** @type {Map<Lane | null, {y: number}>} */ (new Map());
      this.tall = AXIS;
      this.colours = /** @type {Record<string, string>} */ ({});
      this.font = "12px sans-serif";
      this.canvas = /** @type {HTMLCanvasElement} */ (CT.find("timeline-canvas"));
      this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
      this.scroll = /** @type {HTMLElement} */ (CT.find("timeline-scroll"));
      this.space = /** @type {HTMLElement} */ (CT.find("timeline-space"));
      this.marks = /** @type {Map<Lane, [number, number, number][]>} */ (new Map());
      for (const [lane, start, end, state] of data.marks) {
        const mine = this.marks.get(this.lanes[lane]) ?? [];
        mine.push([start, end, state]);
        this.marks.set(this.lanes[lane], mine);
      }
      // Pixels of the page: all, those beside the names, and of those how many the screen has.
      this.width = this.left = this.pixels = this.columns = this.ratio = 1;
      this.place();
      this.measure();
    }

    /** See how wide it is; asking the page for it at every use would take longer than drawing. */
    measure() {
      const ratio = Math.min(3, devicePixelRatio || 1);
      this.width = this.scroll.clientWidth;
      this.left = Math.min(190, Math.round(this.width * 0.28));
      this.pixels = Math.max(1, this.width - this.left - 8);
      this.columns = Math.max(1, Math.round(this.pixels * ratio));
      if (ratio === this.ratio && this.version) return;
      this.ratio = ratio;
      this.prepare();
    }

    /** Give every lane its row, below the name of its process; those that do not match a search have none. */
    place() {
      const matching = this.lanes.filter((lane) => `${lane.name} ${lane.group}`.toLowerCase().includes(this.wanted));
      matching.sort((a, b) => Number(b.kind === "path") - Number(a.kind === "path"));
      const heads = new Set(this.lanes.filter((lane) => !OF_THE_RUN.has(lane.kind)).map((lane) => lane.group)).size > 1;
      this.rows = [];
      let y = AXIS;
      let group = "";
      for (const lane of matching) {
        if (heads && lane.group !== group) {
          this.rows.push({ y, lane: null, text: lane.group });
          y += HEAD;
        }
        group = lane.group;
        this.rows.push({ y, lane, text: lane.name });
        y += ROW;
      }
      this.tall = y + 4;
      this.rowOf = new Map(this.rows.map((row) => [row.lane, row]));
    }

    /** @param {number} tick */
    x(tick) { return this.left + ((tick - this.t0) / (this.t1 - this.t0)) * this.pixels; }
    /** @param {number} x */
    tick(x) { return this.t0 + ((x - this.left) / this.pixels) * (this.t1 - this.t0); }
    /** @param {number} ticks */
    time(ticks) { return CT.time(ticks * this.data.tick); }
    /** A time on the axis. @param {number} tick */
    since(tick) { return tick < 0.5 ? "0" : this.time(tick); }
    /** @param {Place} at */
    state({ lane, number }) { return this.looks[this.stateOf[lane.kinds[number]]]; }
    /** @param {Place} at */
    reason({ lane, number }) { return this.data.kinds[lane.kinds[number]][1]; }
    /** @param {Lane} lane */
    label(lane) { return !OF_THE_RUN.has(lane.kind) && this.rows.some((row) => !row.lane) ? `${lane.name} in ${lane.group}` : lane.name; }

    /** Show a range, kept inside the run and wide enough to mean something. @param {number} t0 @param {number} t1 */
    range(t0, t1) {
      const length = this.data.length;
      const span = Math.min(length, Math.max(20, t1 - t0));
      const inside = (/** @type {number} */ start) => Math.min(length - span, Math.max(0, start));
      let start = inside((t0 + t1) / 2 - span / 2);
      const step = span / this.columns;
      if (Math.abs(span - (this.t1 - this.t0)) < step / 1000 && start > 0 && start < length - span) {
        // What moves by whole columns is not painted anew.
        start = inside(this.t0 + Math.round((start - this.t0) / step) * step);
      }
      this.t0 = start;
      this.t1 = start + span;
    }

    /** Move by columns of the picture. @param {number} many */
    by(many) {
      const far = (many * (this.t1 - this.t0)) / this.columns;
      this.range(this.t0 + far, this.t1 + far);
    }

    /** Prepare colours: at the start, and when theme or resolution change. */
    prepare() {
      Strips.prepare(this.looks, this.ratio);
      const names = ["page", "text", "muted", "line", "frame", "accent"];
      this.colours = Object.fromEntries(names.map((name) => [name, CT.colour(name)]));
      this.font = `12px ${getComputedStyle(document.documentElement).getPropertyValue("--sans")}`;
      this.forget();
    }

    /** Paint all anew the next time: colours, or what is shown, have changed. */
    forget() {
      this.kept.forget();
      this.version++;
    }

    /** Make the canvas as large as it has to be, and clear it. @param {number} height */
    clear(height) {
      const { canvas, context, ratio, width } = this;
      const [wide, tall] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (canvas.width !== wide || canvas.height !== tall) {
        canvas.width = wide;
        canvas.height = tall;
      }
      const sizes = /** @type {[HTMLElement, string, number][]} */ ([
        [this.scroll, "height", height], [this.space, "height", this.tall], [canvas, "width", width], [canvas, "height", height]]);
      for (const [element, name, size] of sizes) {
        const text = `${size}px`;
        if (element.style.getPropertyValue(name) !== text) element.style.setProperty(name, text);
      }
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, wide, tall);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      Object.assign(context, { font: this.font, textBaseline: "middle", direction: "ltr" });
    }

    /** @param {boolean} [whole] draw every lane, as for printing */
    draw(whole = false) {
      this.measure();
      if (!this.width) return;
      const height = whole ? this.tall : Math.min(TALLEST, this.tall);
      this.clear(height);
      const top = whole ? 0 : this.scroll.scrollTop;
      const rows = this.rows.filter((row) => row.y - top >= AXIS - ROW && row.y - top <= height);
      // All pictures first: switching between them and drawing takes long.
      if (this.ready) this.pictures(rows, top);
      for (const row of rows) {
        if (row.lane) this.lane(row.lane, row.y - top); else this.words(row.text, 4, row.y - top + HEAD / 2 + 2, this.width - 8, "muted");
      }
      this.axis(height);
      if (this.selected) this.arrow(this.selected, top, height);
      if (this.chosen) this.shade(this.chosen, height);
    }

    /** Put the pictures of lanes in their places. @param {{y: number, lane: Lane | null}[]} rows @param {number} top */
    pictures(rows, top) {
      const { kept, context, ratio } = this;
      kept.aim(this.t0, this.t1, this.columns, Math.round(HEIGHT * ratio));
      kept.keep(new Set(rows.map((row) => row.lane)));
      for (const { lane, y } of rows) {
        if (lane) context.putImageData(kept.picture(lane), Math.round(this.left * ratio), Math.round((y - top) * ratio));
      }
    }

    /** Show which range is added up. @param {[number, number]} range @param {number} height */
    shade([from, to], height) {
      const { context } = this;
      const [x, end] = [from, to].map((tick) => Math.min(this.left + this.pixels, Math.max(this.left, this.x(tick))));
      context.globalAlpha = 0.6;
      context.fillStyle = this.colours.page;
      context.fillRect(this.left, AXIS, x - this.left, height);
      context.fillRect(end, AXIS, this.left + this.pixels - end, height);
      context.globalAlpha = 1;
      context.fillStyle = this.colours.accent;
      context.fillRect(x - 1, 0, 2, height);
      context.fillRect(end - 1, 0, 2, height);
    }

    /** Mark waits that are among the longest of their kind, and too short to be seen. @param {Lane} lane @param {number} y */
    triangles(lane, y) {
      const { context } = this;
      context.fillStyle = this.colours.text;
      for (const [start, end, state] of this.marks.get(lane) ?? []) {
        const [x, last] = [this.x(start), this.x(end)];
        if (last < this.left || x > this.left + this.pixels || last - x > SEEN || !this.looks[state].shown) continue;
        context.beginPath();
        context.moveTo(x - 3, y - 4);
        context.lineTo(x + 3, y - 4);
        context.lineTo(x, y + 1);
        context.fill();
      }
    }

    /** @param {string} text @param {number} x @param {number} y @param {number} room @param {string} colour */
    words(text, x, y, room, colour) {
      const many = Math.floor(room / 6.6);
      if (many < 2) return;
      this.context.fillStyle = this.colours[colour];
      this.context.fillText(text.length > many ? `${text.slice(0, many - 1)}…` : text, x, y, room);
    }

    /** @param {Lane} lane @param {number} y */
    lane(lane, y) {
      const { context } = this;
      const chosen = this.selected?.lane === lane;
      this.words(lane.name, 12, y + HEIGHT / 2, this.left - 20, chosen ? "accent" : "text");
      context.strokeStyle = this.colours[chosen ? "accent" : "frame"];
      context.lineWidth = 1;
      context.strokeRect(this.left - 0.5, y - 0.5, this.pixels + 1, HEIGHT + 1);
      if (!this.ready) return;
      if (NAMING.has(lane.kind)) this.holders(lane, y);
      this.triangles(lane, y);
      if (chosen && this.selected) this.frame(lane, this.selected.number, y);
    }

    /** Where it is wide enough: who holds the GIL, or has the core, and where one follows another.
     * @param {Lane} lane @param {number} y */
    holders(lane, y) {
      const first = Math.max(0, Lanes.find(lane, Math.max(this.t0, lane.starts[0])));
      const narrow = ((this.t1 - this.t0) / this.pixels) * 3;
      for (let number = first, seen = 0; number < lane.count && lane.starts[number] < this.t1 && seen < 3000; number++, seen++) {
        const length = lane.starts[number + 1] - lane.starts[number];
        if (!lane.who[number] || length < narrow) continue;
        const [x, end] = [Math.max(this.left, this.x(lane.starts[number])), Math.min(this.left + this.pixels, this.x(lane.starts[number + 1]))];
        this.context.fillStyle = this.colours.page;
        this.context.fillRect(end - 0.5, y, 1, HEIGHT);
        if (end - x > NAMED) this.tag(this.lanes[lane.who[number] - 1].name, x, y, end - x);
      }
    }

    /** A name on a bar; it has its own ground, so that it is read on every colour and pattern.
     * @param {string} text @param {number} x @param {number} y @param {number} room */
    tag(text, x, y, room) {
      const needs = this.context.measureText(text).width + 6;
      const wide = Math.min(room - 4, needs);
      this.context.fillStyle = this.colours.page;
      this.context.fillRect(x + 2, y + 2, wide, HEIGHT - 4);
      if (needs > wide) {
        this.words(text, x + 5, y + HEIGHT / 2 + 1, wide - 4, "text");
        return;
      }
      this.context.fillStyle = this.colours.text;
      this.context.fillText(text, x + 5, y + HEIGHT / 2 + 1);
    }

    /** @param {Lane} lane @param {number} number @param {number} y */
    frame(lane, number, y) {
      const x = Math.max(this.left, this.x(lane.starts[number]));
      const end = Math.min(this.left + this.pixels, this.x(lane.starts[number + 1]));
      if (end < x) return;
      this.context.strokeStyle = this.colours.text;
      this.context.lineWidth = 2;
      this.context.strokeRect(x - 1, y - 1, Math.max(2, end - x) + 2, HEIGHT + 2);
    }

    /** From the end of the selected wait to the thread that ended it. @param {Place} at @param {number} top @param {number} height */
    arrow({ lane, number }, top, height) {
      const by = lane.kind === "thread" ? lane.who[number] : 0;
      const [from, to] = [this.rowOf.get(lane), by ? this.rowOf.get(this.lanes[by - 1]) : undefined];
      const x = this.x(lane.starts[number + 1]);
      if (!from || !to || x < this.left || x > this.left + this.pixels) return;
      const down = to.y > from.y;
      const y0 = from.y - top + (down ? HEIGHT : 0);
      const y1 = to.y - top + (down ? 0 : HEIGHT);
      if (Math.max(y0, y1) < AXIS || Math.min(y0, y1) > height) return;
      const { context } = this;
      context.strokeStyle = context.fillStyle = this.colours.text;
      context.lineWidth = 1.5;
      context.beginPath();
      context.moveTo(x, y1);
      context.lineTo(x, y0);
      const tip = down ? -7 : 7;
      context.moveTo(x - 4, y0 - tip);
      context.lineTo(x, y0);
      context.lineTo(x + 4, y0 - tip);
      context.stroke();
    }

    /** The time axis, over whatever was scrolled below it. @param {number} height */
    axis(height) {
      const { context } = this;
      context.fillStyle = this.colours.page;
      context.fillRect(0, 0, this.width, AXIS - 3);
      const rough = ((this.t1 - this.t0) * this.data.tick) / Math.max(2, Math.floor(this.pixels / 110));
      const ten = 10 ** Math.floor(Math.log10(rough));
      const step = ten * ([1, 2, 5, 10].find((one) => one * ten >= rough) ?? 10);
      const from = this.t0 * this.data.tick;
      for (let at = Math.ceil(from / step) * step; at <= this.t1 * this.data.tick; at += step) {
        const x = this.x(at / this.data.tick);
        context.fillStyle = this.colours.line;
        context.fillRect(x, AXIS - 6, 1, 4);
        this.words(TimelineView.mark(at, step), x + 3, AXIS / 2 - 2, 100, "muted");
      }
    }

    /** The interval under a point of the canvas. @param {number} x @param {number} y @returns {Place | null} */
    under(x, y) {
      const at = y + this.scroll.scrollTop;
      const row = this.rows.find((one) => one.lane && at >= one.y && at < one.y + HEIGHT);
      if (!row?.lane || y < AXIS || x < this.left) return null;
      const number = Lanes.find(row.lane, this.tick(x));
      return number < 0 ? null : { lane: row.lane, number };
    }

    /** Scroll so that a lane can be seen. @param {Lane} lane */
    reveal(lane) {
      const row = this.rowOf.get(lane);
      if (!row) return;
      const { scroll } = this;
      if (row.y - AXIS < scroll.scrollTop) scroll.scrollTop = row.y - AXIS - HEAD;
      else if (row.y + ROW > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = row.y + ROW - scroll.clientHeight;
    }
  }

  /** A time on the axis, with as many digits as neighbours need to differ. @param {number} ns @param {number} step */
  function mark(ns, step) {
    const [size, unit] = /** @type {[number, string][]} */ ([[1e9, "s"], [1e6, "ms"], [1e3, "µs"]]).find(([one]) => ns >= one) ?? [1, "ns"];
    const digits = Math.max(0, Math.ceil(-Math.log10(step / Number(size)) - 1e-9));
    return ns === 0 ? "0" : `${(ns / Number(size)).toFixed(Math.min(9, digits))} ${unit}`;
  }

  return { View, mark };
})();
