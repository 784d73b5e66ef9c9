// Tables: long ones start short, and columns of numbers sort by a click on their heads.
"use strict";
const Tables = (() => {
  /** Show the first rows of a table and a button for the rest. @param {HTMLTableElement} table */
  function shorten(table) {
    const limit = Number(table.dataset.shown);
    const rows = [...table.tBodies[0].rows].filter((row) => !row.dataset.filtered);
    for (const row of table.tBodies[0].rows) row.hidden = Boolean(row.dataset.filtered);
    const expanded = table.dataset.expanded === "true";
    if (!expanded) for (const row of rows.slice(limit)) row.hidden = true;
    const button = buttonOf(table);
    button.hidden = rows.length <= limit;
    button.textContent = expanded ? `Show the first ${limit} alone` : `Show all ${rows.length} rows`;
    button.setAttribute("aria-expanded", String(expanded));
  }

  /** @param {HTMLTableElement} table @returns {HTMLButtonElement} */
  function buttonOf(table) {
    const place = table.closest(".scroll") ?? table;
    const there = place.nextElementSibling;
    if (there instanceof HTMLButtonElement && there.dataset.more) return there;
    const button = /** @type {HTMLButtonElement} */ (CT.el("button", { type: "button", "data-more": "true" }));
    button.addEventListener("click", () => {
      table.dataset.expanded = table.dataset.expanded === "true" ? "false" : "true";
      shorten(table);
    });
    place.after(button);
    return button;
  }

  /** Sort by one of the numbers of every row. @param {HTMLTableElement} table @param {HTMLTableCellElement} head */
  function sort(table, head) {
    const key = Number(head.dataset.sort);
    const ascending = head.getAttribute("aria-sort") === "descending";
    for (const other of table.tHead?.querySelectorAll("[aria-sort]") ?? []) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const value = (/** @type {HTMLTableRowElement} */ row) => Number((row.dataset.keys ?? "").split(" ")[key]);
    const rows = [...table.tBodies[0].rows].sort((a, b) => (ascending ? 1 : -1) * (value(a) - value(b)));
    table.tBodies[0].append(...rows);
    if (table.dataset.shown) shorten(table);
  }

  for (const table of /** @type {NodeListOf<HTMLTableElement>} */ (document.querySelectorAll("table.sortable"))) {
    for (const head of /** @type {NodeListOf<HTMLTableCellElement>} */ (table.querySelectorAll("[data-sort]"))) {
      const button = CT.el("button", { type: "button" }, head.textContent ?? "");
      button.addEventListener("click", () => sort(table, head));
      head.replaceChildren(button);
    }
  }
  for (const table of /** @type {NodeListOf<HTMLTableElement>} */ (document.querySelectorAll("table[data-shown]"))) shorten(table);
  return { shorten };
})();
