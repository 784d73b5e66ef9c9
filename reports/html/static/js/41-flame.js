// The flame graphs, of calls and of waits: an icicle on a canvas; width is time, callers stand above what they call.
"use strict";
for (const prefix of ["flame", "waiting"]) (() => {
  const data = CT.data(prefix);
  if (!data) return;
  const ROW = 20;
  const MOST_ROWS = 48;
  const CALLERS = 6;
  const CHAR = 7.3;
  const canvas = /** @type {HTMLCanvasElement} */ (CT.find(`${prefix}-canvas`));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const choice = CT.find(`${prefix}-tree`);
  const search = CT.find(`${prefix}-find`);
  let root = Frames.tree(data, choice.value);
  let zoomed = root;
  let selected = root;
  let found = /** @type {Set<Frame>} */ (new Set());
  let boxes = /** @type {{frame: Frame, x: number, width: number, row: number}[]} */ ([]);

  /** Place what is visible: some callers over the whole width, then everything below. @param {number} width */
  function place(width) {
    const callers = Frames.callers(zoomed);
    const shown = callers.length > CALLERS ? [callers[0], ...callers.slice(1 - CALLERS)] : callers;
    boxes = shown.map((/** @type {Frame} */ frame, /** @type {number} */ row) => ({ frame, x: 0, width, row }));
    const todo = [{ frame: zoomed, x: 0, width, row: shown.length }];
    let deeper = false;
    while (todo.length) {
      const box = /** @type {{frame: Frame, x: number, width: number, row: number}} */ (todo.pop());
      if (box.row >= MOST_ROWS) { deeper = true; continue; }
      boxes.push(box);
      const sum = box.frame.children.reduce((all, child) => all + child.total, 0);
      // Parts of one whole never take more than the whole, whatever the clocks said.
      const scale = box.width / Math.max(box.frame.total, sum, 1);
      let x = box.x;
      for (const frame of box.frame.children) {
        const part = frame.total * scale;
        if (part >= 0.5) todo.push({ frame, x, width: part, row: box.row + 1 });
        x += part;
      }
    }
    return deeper;
  }

  function draw() {
    const width = canvas.clientWidth;
    if (!width) return;
    const deeper = place(width);
    const rows = boxes.reduce((most, box) => Math.max(most, box.row + 1), 1) + Number(deeper);
    const ratio = devicePixelRatio || 1;
    canvas.style.height = `${rows * ROW}px`;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(rows * ROW * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = `12px ${getComputedStyle(document.documentElement).getPropertyValue("--mono")}`;
    context.textBaseline = "middle";
    context.direction = "ltr";
    const colours = palette();
    for (const box of boxes) paint(box, colours);
    if (deeper) {
      context.fillStyle = colours.muted;
      context.fillText("Deeper calls are not drawn: zoom in.", 4, (rows - 0.5) * ROW);
    }
  }

  function palette() {
    const names = ["own", "on-own", "library", "on-library", "builtin", "on-builtin", "card", "text", "muted", "found"];
    return Object.fromEntries(names.map((name) => [name, CT.colour(name)]));
  }

  const TOKENS = /** @type {Record<string, [string, string]>} */ ({
    "own code": ["own", "on-own"], library: ["library", "on-library"], builtin: ["builtin", "on-builtin"], thread: ["card", "text"],
  });

  /** @param {{frame: Frame, x: number, width: number, row: number}} box @param {Record<string, string>} colours */
  function paint({ frame, x, width, row }, colours) {
    const [fill, ink] = TOKENS[frame.kind];
    const y = row * ROW;
    const inner = Math.max(0.5, width - 1);
    context.fillStyle = colours[fill];
    context.fillRect(x, y, inner, ROW - 1);
    if (frame === selected || found.has(frame)) {
      context.lineWidth = 2;
      context.strokeStyle = frame === selected ? colours.text : colours.found;
      context.strokeRect(x + 1, y + 1, Math.max(0.5, inner - 2), ROW - 3);
    }
    const room = Math.floor((width - 8) / CHAR);
    if (room < 3) return;
    const text = frame.name.length > room ? `${frame.name.slice(0, room - 1)}…` : frame.name;
    context.fillStyle = colours[ink];
    context.fillText(text, x + 4, y + ROW / 2, width - 6);
  }

  /** @param {Frame} frame */
  function describe(frame) {
    const line = (/** @type {string} */ name, /** @type {string} */ text) => CT.el("p", {}, CT.el("span", { class: "muted" }, `${name}: `), CT.el("bdi", {}, text));
    const share = (/** @type {number} */ ns) => root.total ? CT.share(ns / root.total) : "not known";
    const lines = [CT.el("p", {}, CT.el("strong", {}, CT.el("bdi", {}, frame.name)), " ", CT.el("span", { class: "muted" }, CT.el("bdi", {}, frame.place)))];
    const per = frame.calls ? `, ${CT.count(frame.calls)} ${data.counted}, ${CT.time(frame.total / frame.calls)} each` : "";
    lines.push(line("time", `${CT.time(frame.total)} in all (${share(frame.total)} of ${root.name}), ${CT.time(frame.own)} of its own${per}`));
    const callers = Frames.callers(frame).map((/** @type {Frame} */ one) => one.name);
    lines.push(line("called by", callers.length ? callers.slice(-6).join(" > ") : "nothing: it is the outermost"));
    const top = [...frame.children].sort((a, b) => b.total - a.total).slice(0, 5);
    lines.push(line("calls", top.length ? top.map((one) => `${one.name} ${share(one.total)}`).join("; ") : "nothing that was kept"));
    CT.find(`${prefix}-frame`).replaceChildren(...lines);
  }

  /** @param {Frame} frame */
  function select(frame) {
    selected = frame;
    if (!boxes.some((box) => box.frame === frame)) zoomed = frame.parent ?? frame;
    describe(frame);
    const share = root.total ? CT.share(frame.total / root.total) : "";
    CT.find(`${prefix}-said`).textContent = `${frame.name}, ${CT.time(frame.total)}, ${share}`;
    draw();
  }

  /** @param {Frame} frame */
  function zoom(frame) {
    zoomed = frame;
    draw();
    select(frame);
  }

  /** The next or previous call of the same caller. @param {number} step */
  function neighbour(step) {
    const row = selected.parent?.children ?? [selected];
    return row[row.indexOf(selected) + step] ?? selected;
  }

  const KEYS = /** @type {Record<string, () => void>} */ ({
    ArrowUp: () => select(selected.parent ?? selected),
    ArrowDown: () => select(selected.children[0] ?? selected),
    ArrowLeft: () => select(neighbour(-1)),
    ArrowRight: () => select(neighbour(1)),
    Enter: () => zoom(selected),
    Backspace: () => zoom(zoomed.parent ?? zoomed),
    0: () => zoom(root),
  });
  canvas.addEventListener("keydown", (event) => {
    const act = KEYS[event.key];
    if (!act || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    act();
  });

  /** @param {MouseEvent} event */
  function under(event) {
    const row = Math.floor(event.offsetY / ROW);
    return boxes.find((box) => box.row === row && event.offsetX >= box.x && event.offsetX < box.x + box.width)?.frame;
  }
  canvas.addEventListener("click", (event) => { const frame = under(event); if (frame) zoom(frame); });
  canvas.addEventListener("mousemove", (event) => describe(under(event) ?? selected));
  canvas.addEventListener("mouseleave", () => describe(selected));
  CT.find(`${prefix}-reset`).addEventListener("click", () => zoom(root));

  /** Frame the matches and say how much time they take; a match below a match counts once. */
  function look() {
    const wanted = search.value.trim().toLowerCase();
    const all = wanted ? Frames.all(root) : [];
    found = new Set(all.filter((/** @type {Frame} */ frame) => `${frame.name} ${frame.place}`.toLowerCase().includes(wanted)));
    const outermost = [...found].filter((frame) => !Frames.callers(frame).some((/** @type {Frame} */ one) => found.has(one)));
    const sum = outermost.reduce((total, frame) => total + frame.total, 0);
    const share = root.total ? CT.share(sum / root.total) : "";
    const nothing = `No frame contains “${wanted}”. ${CT.count(all.length)} were searched.`;
    CT.find(`${prefix}-found`).textContent = !wanted ? "" : found.size ? `${CT.count(found.size)} frames, ${share} of the time` : nothing;
    draw();
  }
  search.addEventListener("input", look);
  choice.addEventListener("change", () => {
    root = Frames.tree(data, choice.value);
    look();
    zoom(root);
  });
  CT.onTheme(draw);
  new ResizeObserver(draw).observe(/** @type {Element} */ (canvas.parentElement));
  addEventListener("beforeprint", () => zoom(root));
  zoom(root);
})();
