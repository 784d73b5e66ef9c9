// The table of functions: one thread instead of all, a filter by name, own code only.
"use strict";
(() => {
  const data = CT.data("functions");
  if (!data) return;
  const table = CT.find("functions-table");
  const chosen = CT.find("functions-thread");
  const filter = CT.find("functions-filter");
  const own = CT.find("functions-own");
  const body = table.tBodies[0];
  const allThreads = [...body.rows];
  const unit = table.querySelector(".unit");
  const unitOfAll = unit.textContent;

  /** @param {number} percent */
  function bar(percent) {
    const NS = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(NS, "svg");
    for (const [name, value] of [["class", "bar"], ["viewBox", "0 0 100 10"], ["preserveAspectRatio", "none"], ["aria-hidden", "true"]]) {
      svg.setAttribute(name, value);
    }
    const rect = document.createElementNS(NS, "rect");
    rect.setAttribute("width", String(percent));
    rect.setAttribute("height", "10");
    svg.append(rect);
    return svg;
  }

  /** @param {any} thread */
  function rowsOf(thread) {
    const scale = CT.timeScale(thread.rows.map((/** @type {number[]} */ row) => row[3]));
    const most = Math.max(1, ...thread.rows.map((/** @type {number[]} */ row) => row[2]));
    unit.textContent = scale.unit;
    return thread.rows.map((/** @type {number[]} */ [number, calls, ownNs, totalNs]) => {
      const [name, place, kind] = data.functions[number];
      const where = CT.el("span", { class: "small muted" }, CT.el("bdi", {}, place));
      return CT.el("tr", { "data-keys": `${calls} ${ownNs} ${totalNs}` },
        CT.el("th", { scope: "row" }, CT.el("code", {}, name), CT.el("br", {}), where),
        CT.el("td", { class: "nowrap" }, kind),
        CT.el("td", { class: "num" }, CT.count(calls)),
        CT.el("td", { class: "num" }, scale.text(ownNs)),
        CT.el("td", { class: "bars" }, bar(Math.round(100 * ownNs / most))),
        CT.el("td", { class: "num" }, thread.whole ? CT.share(ownNs / thread.whole) : "not known"),
        CT.el("td", { class: "num" }, scale.text(totalNs)),
        CT.el("td", { class: "small" }, "this thread"));
    });
  }

  function choose() {
    const thread = chosen.value === "" ? null : data.threads[Number(chosen.value)];
    if (!thread) unit.textContent = unitOfAll;
    for (const head of table.querySelectorAll("[aria-sort]")) head.removeAttribute("aria-sort");
    body.replaceChildren(...(thread ? rowsOf(thread) : allThreads));
    apply();
  }

  function apply() {
    const wanted = filter.value.trim().toLowerCase();
    let shown = 0;
    for (const row of body.rows) {
      const fits = row.cells[0].textContent.toLowerCase().includes(wanted)
        && (!own.checked || row.cells[1].textContent === "own code");
      if (fits) delete row.dataset.filtered; else row.dataset.filtered = "true";
      shown += Number(fits);
    }
    const all = body.rows.length;
    CT.find("functions-count").textContent = wanted || own.checked ? `${shown} of ${all} functions` : "";
    Tables.shorten(table);
  }

  chosen.addEventListener("change", choose);
  filter.addEventListener("input", apply);
  own.addEventListener("change", apply);
})();
