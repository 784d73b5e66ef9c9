// The timeline in use: loading (its blocks stand below the scripts), mouse, keys, legend, search, and the address of what is seen.
"use strict";
(() => {
  const TALLEST_PRINT = 4000;
  const data = CT.data("timeline");
  if (!data) return;
  const view = new TimelineView.View(data);
  const { canvas, scroll } = view;
  const twin = /** @type {HTMLDetailsElement} */ (CT.find("timeline-twin"));
  let drawing = 0;
  let telling = 0;
  let moved = false;
  let rest = 0;
  // On paper nothing scrolls: every lane is drawn, and stays so while the page is laid out anew.
  let whole = false;

  const strip = new TimelineStrip.Strip(view, (t0, t1) => move(t0, t1));

  /** Draw with the next frame; table and range follow when the hand rests. */
  function redraw() {
    if (!drawing) drawing = requestAnimationFrame(() => { drawing = 0; view.draw(whole); strip.draw(); });
    clearTimeout(telling);
    telling = setTimeout(() => { if (moved) remember(); tell(); }, 120);
  }

  function tell() {
    CT.find("timeline-range").textContent = `${view.since(view.t0)} to ${view.time(view.t1)}: ${view.time(view.t1 - view.t0)} of ${view.time(data.length)}`;
    if (twin.open && view.ready) TimelinePanel.twin(view);
  }

  /** Keep the address up to date, so that it can be passed on; not in every frame, it takes long. */
  function remember() {
    moved = false;
    const at = view.selected;
    const ns = (/** @type {number} */ ticks) => Math.round(ticks * data.tick);
    const parts = [`t0=${ns(view.t0)}`, `t1=${ns(view.t1)}`];
    if (at) parts.push(`lane=${view.lanes.indexOf(at.lane)}`, `at=${ns(at.lane.starts[at.number])}`);
    try {
      history.replaceState(null, "", `#timeline?${parts.join("&")}`);
    } catch {
      // Some browsers keep the address of a file as it is, or let it change only so often.
    }
  }

  /** @param {number} t0 @param {number} t1 */
  function move(t0, t1) {
    view.range(t0, t1);
    moved = true;
    redraw();
  }

  /** Move by whole columns; what is left over counts the next time. @param {number} pixels */
  function pan(pixels) {
    const far = pixels * view.ratio + rest;
    rest = far - Math.round(far);
    view.by(Math.round(far));
    moved = true;
    redraw();
  }

  /** A tenth of the range. @param {number} direction */
  const leap = (direction) => pan((direction * view.pixels) / 10);

  /** @param {number} factor @param {number} [around] */
  function zoom(factor, around = (view.t0 + view.t1) / 2) {
    const span = Math.max(20, (view.t1 - view.t0) * factor);
    const share = (around - view.t0) / (view.t1 - view.t0);
    move(around - share * span, around + (1 - share) * span);
  }

  /** @param {Place | null} at */
  function select(at) {
    view.chosen = null;
    view.selected = at;
    TimelinePanel.show(view, at, go);
    if (at) {
      CT.find("timeline-said").textContent = TimelinePanel.sentence(view, at);
      const [start, end] = [at.lane.starts[at.number], at.lane.starts[at.number + 1]];
      if (end < view.t0 || start > view.t1) view.range((start + end) / 2 - (view.t1 - view.t0) / 2, (start + end) / 2 + (view.t1 - view.t0) / 2);
      view.reveal(at.lane);
    }
    moved = true;
    redraw();
  }

  /** Go to another interval, and take the keys along. @param {Place} to */
  function go(to) {
    if (!view.rowOf.get(to.lane)) {
      CT.find("timeline-find").value = "";
      search();
    }
    select(to);
    canvas.focus({ preventScroll: true });
  }

  /** The lane to begin with: the first with threads that can be seen. @returns {Place | null} */
  function begin() {
    const row = view.rows.find((one) => one.lane);
    if (!row?.lane || !row.lane.count) return null;
    const number = Lanes.find(row.lane, Math.max(view.t0, row.lane.starts[0]));
    return { lane: row.lane, number: Math.max(0, number) };
  }

  /** The interval beside the selected one. @param {number} step */
  function beside(step) {
    const at = view.selected;
    if (!at) { select(begin()); return; }
    const number = at.number + step;
    if (number >= 0 && number < at.lane.count) select({ lane: at.lane, number });
  }

  /** The next or previous interval of the lane in the same state. @param {number} step */
  function alike(step) {
    const at = view.selected;
    if (!at) { select(begin()); return; }
    const state = view.state(at);
    let number = at.number + step;
    while (number >= 0 && number < at.lane.count && view.state({ lane: at.lane, number }) !== state) number += step;
    if (number >= 0 && number < at.lane.count) select({ lane: at.lane, number });
    else CT.find("timeline-said").textContent = `No ${step > 0 ? "later" : "earlier"} interval of this kind in this lane.`;
  }

  /** The same time in the lane above or below, or as near to it as that lane has any. @param {number} step */
  function across(step) {
    const at = view.selected;
    if (!at) { select(begin()); return; }
    const lanes = view.rows.flatMap((row) => (row.lane && row.lane.count ? [row.lane] : []));
    const lane = lanes[lanes.indexOf(at.lane) + step];
    if (!lane) return;
    const start = Math.max(at.lane.starts[at.number], view.t0);
    const tick = Math.min(lane.starts[lane.count] - 1, Math.max(lane.starts[0], start));
    select({ lane, number: Math.max(0, Lanes.find(lane, tick)) });
  }

  function jump() {
    const other = view.selected && TimelinePanel.ender(view, view.selected);
    if (other) go(other);
  }

  const fit = () => move(0, data.length);

  /** Add up what threads did in a range. @param {number} from @param {number} to */
  function choose(from, to) {
    view.chosen = [Math.max(0, Math.min(from, to)), Math.min(data.length, Math.max(from, to))];
    view.selected = null;
    TimelinePanel.totals(view, closer);
    redraw();
  }

  /** Zoom to what is chosen or selected. */
  function closer() {
    const at = view.selected;
    if (view.chosen) move(...view.chosen);
    else if (at) {
      const [start, end] = [at.lane.starts[at.number], at.lane.starts[at.number + 1]];
      move(start - (end - start) / 4, end + (end - start) / 4);
    }
  }

  const KEYS = /** @type {Record<string, () => void>} */ ({
    ArrowLeft: () => leap(-1), a: () => leap(-1), ArrowRight: () => leap(1), d: () => leap(1),
    "+": () => zoom(0.5), "=": () => zoom(0.5), w: () => zoom(0.5), "-": () => zoom(2), s: () => zoom(2), 0: fit,
    ArrowUp: () => across(-1), ArrowDown: () => across(1), "[": () => beside(-1), "]": () => beside(1),
    n: () => alike(1), p: () => alike(-1), Enter: jump,
    z: closer, t: () => choose(view.t0, view.t1), Escape: () => select(null),
  });
  canvas.addEventListener("keydown", (event) => {
    const act = KEYS[event.key];
    if (!act || event.ctrlKey || event.altKey || event.metaKey || !view.ready) return;
    event.preventDefault();
    act();
  });

  canvas.addEventListener("wheel", (event) => {
    if (event.deltaX && Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      pan(event.deltaX);
    } else if (event.ctrlKey || document.activeElement === canvas) {
      event.preventDefault();
      zoom(1.0015 ** event.deltaY, view.tick(event.offsetX));
    }
  }, { passive: false });

  let drag = /** @type {{x: number, t0: number, t1: number, moved: boolean, choosing: boolean} | null} */ (null);
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    drag = { x: event.offsetX, t0: view.t0, t1: view.t1, moved: false, choosing: event.shiftKey && view.ready };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const far = event.offsetX - drag.x;
    if (Math.abs(far) > 3) drag.moved = true;
    if (drag.moved && drag.choosing) choose(view.tick(drag.x), view.tick(event.offsetX));
    else if (drag.moved) {
      const ticks = (far / view.pixels) * (drag.t1 - drag.t0);
      move(drag.t0 - ticks, drag.t1 - ticks);
    }
  });
  canvas.addEventListener("pointerup", (event) => {
    const still = drag && !drag.moved;
    drag = null;
    if (still && view.ready) select(view.under(event.offsetX, event.offsetY));
  });
  canvas.addEventListener("pointercancel", () => { drag = null; });
  scroll.addEventListener("scroll", redraw);

  function search() {
    view.wanted = CT.find("timeline-find").value.trim().toLowerCase();
    view.place();
    redraw();
    if (!view.rows.length) CT.find("timeline-said").textContent = `No thread or process contains “${view.wanted}”. ${CT.count(view.lanes.length)} lanes were searched.`;
  }
  CT.find("timeline-find").addEventListener("input", search);
  CT.find("timeline-fit").addEventListener("click", fit);
  CT.find("timeline-in").addEventListener("click", () => zoom(0.5));
  CT.find("timeline-out").addEventListener("click", () => zoom(2));
  CT.find("timeline-save").addEventListener("click", () => {
    const said = view.ready ? TimelineSave.save(view) : "The timeline is still being read.";
    CT.find("timeline-said").textContent = said;
    CT.find("timeline-panel").replaceChildren(CT.el("p", {}, said));
  });
  CT.find("timeline-before").addEventListener("click", () => alike(-1));
  CT.find("timeline-after").addEventListener("click", () => alike(1));
  twin.addEventListener("toggle", tell);

  /** The legend: every state is a button that shows or hides it. */
  function legend() {
    CT.find("timeline-legend").replaceChildren(...view.looks.map((look) => {
      const swatch = /** @type {HTMLCanvasElement} */ (CT.el("canvas", { width: "14", height: "14", class: "swatch", "aria-hidden": "true" }));
      const image = new ImageData(14, 14);
      const pixels = new Uint32Array(image.data.buffer);
      pixels.forEach((_pixel, index) => { pixels[index] = look.tile[(Math.floor(index / 14) % look.width) * look.width + ((index % 14) % look.width)]; });
      swatch.getContext("2d")?.putImageData(image, 0, 0);
      const button = CT.el("button", { type: "button", "aria-pressed": String(look.shown), title: look.meaning }, swatch, look.name);
      button.addEventListener("click", () => {
        look.shown = !look.shown;
        button.setAttribute("aria-pressed", String(look.shown));
        view.forget();
        redraw();
      });
      return CT.el("li", {}, button);
    }));
  }

  function themed() {
    view.prepare();
    legend();
    redraw();
  }

  /** Show what an address like #timeline?t0=…&t1=…&lane=…&at=… asks for; times in nanoseconds. */
  function follow() {
    const [section, query] = location.hash.slice(1).split("?");
    if (section !== "timeline" || query === undefined) return;
    const asked = new URLSearchParams(query);
    const number = (/** @type {string} */ name) => (asked.has(name) ? Number(asked.get(name)) : NaN);
    const [t0, t1, at] = ["t0", "t1", "at"].map((name) => number(name) / data.tick);
    if (Number.isFinite(t0) && Number.isFinite(t1) && t1 > t0) view.range(t0, t1);
    const lane = view.lanes[number("lane")];
    const found = lane && Number.isFinite(at) ? Lanes.find(lane, Math.floor(at)) : -1;
    if (lane && found >= 0) select({ lane, number: found }); else redraw();
    CT.find("timeline-title").scrollIntoView();
  }
  addEventListener("hashchange", follow);
  addEventListener("beforeprint", () => {
    whole = view.tall < TALLEST_PRINT;
    view.prepare();
    view.draw(whole);
  });
  addEventListener("afterprint", () => {
    whole = false;
    themed();
  });

  /** Let the words be seen first. A page in the background is never drawn. */
  const shown = () => new Promise((done) => {
    requestAnimationFrame(() => setTimeout(done));
    addEventListener("DOMContentLoaded", done);
  });

  /** An element of the page, once the browser has read all of it: what follows it is there then. @param {string} id */
  async function read(id) {
    const whole = () => document.readyState !== "loading" || CT.find(id)?.nextSibling;
    while (!whole()) {
      await new Promise((done) => {
        const more = () => { watch.disconnect(); removeEventListener("DOMContentLoaded", more); done(undefined); };
        const watch = new MutationObserver(more);
        watch.observe(document.body, { childList: true });
        addEventListener("DOMContentLoaded", more);
      });
    }
    const found = CT.find(id);
    if (!found) throw new Error("the file is cut off");
    return found;
  }

  /** Let others have their turn. */
  const pause = () => new Promise((done) => { setTimeout(done); });

  async function load() {
    await shown();
    for (const [number, shape] of data.blocks.entries()) {
      const block = await read(`block-timeline-${number}`);
      Lanes.fill(view.lanes, shape, Lanes.unpack(block.textContent, Lanes.sizeOf(shape)));
      block.remove();
      await pause();
    }
    for (const lane of view.lanes) Lanes.index(lane, view.stateOf, view.looks.length);
    view.ready = true;
    canvas.dataset.ready = "true";
    performance.mark("timeline ready");
    redraw();
    follow();
  }
  CT.onTheme(themed);
  new ResizeObserver(redraw).observe(scroll);
  // Everything has its place before the page is seen whole: nothing moves once somebody may click.
  legend();
  tell();
  TimelinePanel.show(view, null, go);
  view.draw();
  strip.draw();
  performance.mark("timeline overview");
  load().catch((error) => {
    CT.find("timeline-panel").replaceChildren(CT.el("p", {}, `The timeline cannot be drawn: ${error.message}. The tables hold.`));
  });
  // What tests measure the picture by.
  Object.assign(canvas, { concurtraceView: view });
})();
