// The strip above the timeline: all threads of the whole run, and a window that can be dragged.
"use strict";
const TimelineStrip = (() => {
  const HEIGHT = 40;
  const EDGE = 6;

  class Strip {
    /** @param {any} view @param {(t0: number, t1: number) => void} move */
    constructor(view, move) {
      this.view = view;
      this.move = move;
      this.canvas = /** @type {HTMLCanvasElement} */ (CT.find("timeline-strip"));
      this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
      this.image = new ImageData(1, 1);
      /** What the image was painted for. */
      this.painted = "";
      this.drag = /** @type {{x: number, t0: number, t1: number, edge: string} | null} */ (null);
      this.canvas.addEventListener("pointerdown", (event) => this.down(event));
      this.canvas.addEventListener("pointermove", (event) => this.moved(event));
      for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, () => { this.drag = null; });
    }

    get length() { return this.view.data.length; }
    /** @param {number} tick */
    x(tick) { return this.view.left + (tick / this.length) * this.view.pixels; }
    /** @param {number} x */
    tick(x) { return Math.min(this.length, Math.max(0, ((x - this.view.left) / this.view.pixels) * this.length)); }

    draw() {
      const { context, view } = this;
      if (!view.width) return;
      const wanted = `${view.version} ${view.width} ${view.ratio}`;
      if (wanted !== this.painted) this.paint();
      this.painted = wanted;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, this.canvas.width, this.canvas.height);
      context.putImageData(this.image, Math.round(view.left * view.ratio), 0);
      context.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
      Object.assign(context, { font: view.font, textBaseline: "middle", direction: "ltr", fillStyle: view.colours.muted });
      context.fillText("whole run", 12, HEIGHT / 2);
      this.window();
    }

    /** Paint the whole run; it stays as it is while the window moves. */
    paint() {
      const { canvas, view } = this;
      const rows = view.data.strip;
      const tall = Math.round(HEIGHT * view.ratio);
      canvas.width = Math.round(view.width * view.ratio);
      canvas.height = tall;
      canvas.style.width = `${view.width}px`;
      this.image = new ImageData(view.columns, tall);
      const states = view.looks.length;
      const sums = new Float64Array(view.columns * states);
      for (let x = 0; x < view.columns; x++) sums.set(rows[Math.floor((x * rows.length) / view.columns)], x * states);
      Strips.paint(this.image, sums, view.looks, 255);
    }

    window() {
      const { context, view } = this;
      const [from, to] = [this.x(view.t0), this.x(view.t1)];
      context.globalAlpha = 0.65;
      context.fillStyle = view.colours.page;
      context.fillRect(view.left, 0, from - view.left, HEIGHT);
      context.fillRect(to, 0, view.left + view.pixels - to, HEIGHT);
      context.globalAlpha = 1;
      context.strokeStyle = context.fillStyle = view.colours.accent;
      context.lineWidth = 2;
      context.strokeRect(from, 1, Math.max(2, to - from), HEIGHT - 2);
      for (const x of [from, to]) context.fillRect(x - 2, HEIGHT / 2 - 8, 4, 16);
    }

    /** @param {PointerEvent} event */
    down(event) {
      if (event.button) return;
      const { t0, t1 } = this.view;
      const x = event.offsetX;
      const whole = t1 - t0 >= this.length;
      const edge = Math.abs(x - this.x(t0)) <= EDGE ? "from" : Math.abs(x - this.x(t1)) <= EDGE ? "to" : whole ? "new" : "all";
      this.drag = { x, t0, t1, edge };
      if (edge === "all" && (x < this.x(t0) || x > this.x(t1))) {
        const half = (t1 - t0) / 2;
        this.drag = { x, t0: this.tick(x) - half, t1: this.tick(x) + half, edge };
        this.move(this.drag.t0, this.drag.t1);
      }
      this.canvas.setPointerCapture(event.pointerId);
    }

    /** @param {PointerEvent} event */
    moved(event) {
      if (!this.drag) return;
      const { x, t0, t1, edge } = this.drag;
      const at = this.tick(event.offsetX);
      const far = ((event.offsetX - x) / this.view.pixels) * this.length;
      if (edge === "all") this.move(t0 + far, t1 + far);
      else if (edge === "from") this.move(Math.min(at, t1), Math.max(at, t1));
      else if (edge === "to") this.move(Math.min(at, t0), Math.max(at, t0));
      else if (Math.abs(event.offsetX - x) > 3) this.move(Math.min(at, this.tick(x)), Math.max(at, this.tick(x)));
    }
  }

  return { Strip };
})();
