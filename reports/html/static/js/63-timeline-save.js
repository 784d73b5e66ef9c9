// What the timeline shows, as a file: Chrome's trace event format, which many viewers read.
"use strict";
const TimelineSave = (() => {
  /** More events make files that viewers of this format cannot open. */
  const MOST = 500_000;

  /** Events of the visible range, or null if there are too many. @param {any} view */
  function events(view) {
    const micros = view.data.tick / 1000;
    const made = /** @type {object[]} */ ([{ ph: "M", pid: 1, name: "process_name", args: { name: document.title } }]);
    const rows = view.rows.filter((/** @type {any} */ row) => row.lane);
    for (const [number, { lane }] of rows.entries()) {
      const tid = number + 1;
      made.push({ ph: "M", pid: 1, tid, name: "thread_name", args: { name: view.label(lane) } });
      made.push({ ph: "M", pid: 1, tid, name: "thread_sort_index", args: { sort_index: tid } });
      if (!lane.count) continue;
      const first = Math.max(0, Lanes.find(lane, Math.max(view.t0, lane.starts[0])));
      for (let at = first; at < lane.count && lane.starts[at] < view.t1; at++) {
        if (lane.starts[at + 1] <= view.t0) continue;
        const place = { lane, number: at };
        const by = lane.who[at] ? view.label(view.lanes[lane.who[at] - 1]) : undefined;
        const args = { reason: view.reason(place) || undefined, for: view.data.objects[lane.on[at]] || undefined, thread: by };
        made.push({ ph: "X", pid: 1, tid, name: view.state(place).name, ts: lane.starts[at] * micros, dur: (lane.starts[at + 1] - lane.starts[at]) * micros, args });
        if (made.length > MOST) return null;
      }
    }
    return made;
  }

  /** Offer the file; what there is to say about it. @param {any} view @returns {string} */
  function save(view) {
    const made = events(view);
    if (!made) return `That is more than ${CT.count(MOST)} intervals: zoom in, or write the whole run with concurtrace show --format perfetto.`;
    const address = URL.createObjectURL(new Blob([JSON.stringify({ traceEvents: made })], { type: "application/json" }));
    const link = CT.el("a", { href: address, download: "concurtrace-range.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
    return `${CT.count(made.length)} events were saved: drop the file into ui.perfetto.dev, or open it with vizviewer.`;
  }

  return { save };
})();
