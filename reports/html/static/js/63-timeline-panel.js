// What is told of a selected interval, and the table of the visible range.
"use strict";
const TimelinePanel = (() => {
  const FRAMES = 12;
  const ROWS = 200;
  /** After letting go a thread may first be off its core, then wait: there its stack was taken. */
  const SOON = 2;

  /** The frames of a stack, innermost first. @param {any} data @param {number} row @returns {string[]} */
  function frames(data, row) {
    const found = [];
    while (row && found.length < 1000) {
      found.push(data.frames[data.stacks[row][1]]);
      row = data.stacks[row][0];
    }
    return found;
  }

  /** What the thread has to do with an interval of a lane that is not a thread's. */
  const VERBS = /** @type {Record<string, string>} */ ({ gil: "held by", core: "on it", path: "on the thread" });

  /** What the stack of a task is, by the state it was in. */
  const OF_TASKS = /** @type {Record<string, string>} */ ({ "task running": "it went on from", "task made": "it was made at" });

  /** @param {string} name @param {...(Node | string)} content */
  const line = (name, ...content) => CT.el("p", {}, CT.el("span", { class: "muted" }, `${name}: `), ...content);
  /** @param {string} text */
  const named = (text) => CT.el("bdi", {}, text);

  /** @param {string} title @param {string[]} found */
  function stack(title, found) {
    if (!found.length) return line(title, "no stack was taken");
    const items = found.slice(0, FRAMES).map((frame) => CT.el("li", {}, named(frame)));
    if (found.length > FRAMES) items.push(CT.el("li", {}, `and ${found.length - FRAMES} callers more`));
    return CT.el("div", {}, CT.el("p", { class: "muted" }, `${title}:`), CT.el("ol", { class: "stack" }, ...items));
  }

  /** What the thread that ended a wait did at that moment. @param {any} view @param {Place} at @returns {Place | null} */
  function ender(view, { lane, number }) {
    const by = lane.who[number];
    if (!by) return null;
    const other = view.lanes[by - 1];
    const end = Lanes.find(other, Math.max(lane.starts[number + 1] - 1, other.starts[0]));
    return { lane: other, number: Math.max(0, end) };
  }

  /** The stack that shows best what it did: that of the moment, or of what it did next. @param {any} view @param {Place} at */
  function endersStack(view, { lane, number }) {
    for (let one = number; one <= number + SOON; one++) {
      if (one < lane.count && lane.what[one]) {
        return stack(one === number ? "it was at" : "right after, it was at", frames(view.data, lane.what[one]));
      }
    }
    return line("it was at", "no stack was taken");
  }

  /** In a sentence, for the panel and for those who listen. @param {any} view @param {Place} at */
  function sentence(view, at) {
    const { lane, number } = at;
    const reason = view.reason(at);
    const what = `${view.state(at).name}${reason ? ` (${reason})` : ""}`;
    const length = view.time(lane.starts[number + 1] - lane.starts[number]);
    return `${view.label(lane)}: ${what} for ${length}, from ${view.since(lane.starts[number])} on`;
  }

  /** @param {any} view @param {Place | null} at @param {(to: Place) => void} go */
  function show(view, at, go) {
    const panel = CT.find("timeline-panel");
    if (!at) {
      panel.replaceChildren(CT.el("p", { class: "muted" }, "Select an interval to see where its thread stood, and who ended the wait."));
      return;
    }
    const { lane, number } = at;
    const parts = [CT.el("p", {}, CT.el("strong", {}, named(sentence(view, at))))];
    parts.push(CT.el("p", { class: "muted" }, view.state(at).meaning));
    if (lane.on[number]) parts.push(line("for", named(view.data.objects[lane.on[number]])));
    const sides = [];
    if (lane.kind === "thread" || lane.kind === "path") sides.push(CT.el("div", {}, stack("it stood at", frames(view.data, lane.what[number]))));
    if (lane.kind === "task" && lane.what[number]) sides.push(CT.el("div", {}, stack(OF_TASKS[view.state(at).name] ?? "it awaited at", frames(view.data, lane.what[number]))));
    const other = ender(view, at);
    if (other) {
      const button = CT.el("button", { type: "button", id: "timeline-jump" }, "Go there");
      button.addEventListener("click", () => go(other));
      const verb = VERBS[lane.kind] ?? "ended by";
      const doing = lane.kind in VERBS ? "" : `, at that moment ${view.state(other).name}`;
      sides.push(CT.el("div", {}, line(verb, named(view.label(other.lane)), `${doing} `, button), endersStack(view, other)));
    } else if (lane.kind === "thread") {
      sides.push(CT.el("div", {}, line("ended by", "not known, or by itself")));
    }
    panel.replaceChildren(...parts, CT.el("div", { class: "halves" }, ...sides));
  }

  /** The same as the picture, as a table. @param {any} view */
  function twin(view) {
    const table = CT.find("timeline-table");
    const looks = /** @type {Look[]} */ (view.looks);
    const lanes = view.rows.filter((/** @type {any} */ row) => row.lane).map((/** @type {any} */ row) => row.lane);
    const left = lanes.length - ROWS;
    table.caption.textContent = `Share of every state from ${view.since(view.t0)} to ${view.time(view.t1)}`
      + (left > 0 ? `; the first ${ROWS} lanes, ${CT.count(left)} more are not listed.` : ".");
    const heads = ["Lane", ...looks.map((look) => look.name)];
    table.tHead.replaceChildren(CT.el("tr", {}, ...heads.map((text, index) => CT.el("th", { scope: "col", ...(index ? { class: "num" } : {}) }, text))));
    table.tBodies[0].replaceChildren(...lanes.slice(0, ROWS).map((/** @type {Lane} */ lane) => {
      const sums = Lanes.columns(lane, view.stateOf, looks.length, view.t0, view.t1, 1);
      const cells = [...sums].map((ticks) => CT.el("td", { class: "num" }, ticks ? CT.share(ticks / (view.t1 - view.t0)) : "0 %"));
      return CT.el("tr", {}, CT.el("th", { scope: "row" }, named(view.label(lane))), ...cells);
    }));
  }

  /** What the lanes that are shown did in a chosen range, added up. @param {any} view @param {() => void} zoom */
  function totals(view, zoom) {
    const [from, to] = view.chosen;
    const lanes = view.rows.flatMap((/** @type {any} */ row) => (row.lane?.kind === "thread" ? [row.lane] : []));
    const sums = new Float64Array(view.looks.length);
    for (const lane of lanes) Lanes.columns(lane, view.stateOf, sums.length, from, to, 1).forEach((ticks, state) => { sums[state] += ticks; });
    const whole = sums.reduce((sum, one) => sum + one, 0);
    const parts = [...sums].map((ticks, state) => ({ ticks, name: view.looks[state].name })).filter((one) => one.ticks).sort((a, b) => b.ticks - a.ticks);
    const button = CT.el("button", { type: "button", id: "timeline-into" }, "Zoom to it");
    button.addEventListener("click", zoom);
    const title = `${view.since(from)} to ${view.time(to)}: ${view.time(to - from)}, in which ${CT.count(lanes.length)} threads lived ${view.time(whole)} together`;
    const items = parts.map(({ ticks, name }) => CT.el("li", {}, `${name}: ${view.time(ticks)} (${CT.share(ticks / whole)})`));
    CT.find("timeline-panel").replaceChildren(CT.el("p", {}, CT.el("strong", {}, title), " ", button), CT.el("ul", {}, ...items));
    CT.find("timeline-said").textContent = `${title}. ${parts.map(({ ticks, name }) => `${name} ${CT.share(ticks / whole)}`).join(", ")}.`;
  }

  return { show, twin, totals, sentence, ender };
})();
