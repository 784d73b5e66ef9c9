// Charts over time: a line under the pointer, and what every curve was there.
"use strict";
(() => {
  const NS = "http://www.w3.org/2000/svg";
  /** The last point at or before a time, or the first. @param {[number, number][]} curve @param {number} at */
  function before(curve, at) {
    let index = curve.findIndex(([time]) => time > at);
    if (index < 0) index = curve.length;
    return curve[Math.max(0, index - 1)];
  }

  for (const strips of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-readout]"))) {
    const data = CT.data(strips.dataset.readout ?? "");
    const charts = [...strips.querySelectorAll("svg")];
    const text = (/** @type {number} */ value) => data.kind === "size" ? CT.size(value) : `${CT.significant(value)} cores`;
    const cursors = charts.map((chart) => {
      const line = document.createElementNS(NS, "path");
      line.setAttribute("class", "cursor");
      chart.append(line);
      return line;
    });
    const values = charts.map((chart) => /** @type {HTMLElement} */ (chart.nextElementSibling));
    const resting = values.map((value) => value.textContent ?? "");
    function leave() {
      cursors.forEach((cursor) => cursor.removeAttribute("d"));
      values.forEach((value, index) => { value.textContent = resting[index]; });
    }
    strips.addEventListener("mouseleave", leave);
    strips.addEventListener("mousemove", (event) => {
      const frame = charts[0].getBoundingClientRect();
      const share = (event.clientX - frame.left) / frame.width;
      if (share < 0 || share > 1) { leave(); return; }
      const x = Math.round(share * 1000);
      cursors.forEach((cursor) => cursor.setAttribute("d", `M${x} 0V40`));
      data.curves.forEach((/** @type {[number, number][]} */ curve, /** @type {number} */ index) => {
        const at = share * data.length;
        const alive = at >= curve[0][0] && at <= curve[curve.length - 1][0];
        values[index].textContent = `${alive ? text(before(curve, at)[1]) : "not running"} at ${CT.time(at)}`;
      });
    });
  }
})();
