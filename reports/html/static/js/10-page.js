// The page itself: the theme button, the current section, printing.
"use strict";
(() => {
  const button = CT.find("theme");
  const root = document.documentElement;
  const next = /** @type {Record<string, string>} */ ({ auto: "light", light: "dark", dark: "auto" });
  const current = () => root.dataset.theme ?? "auto";
  const label = () => { button.textContent = `Theme: ${current()}`; };
  function turn() {
    const theme = next[current()];
    if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
    try {
      localStorage.setItem("concurtrace-theme", theme);
    } catch {
      // Storage may be blocked for files: the choice lasts as long as the page.
    }
    label();
    document.dispatchEvent(new Event("ct:theme"));
  }
  button.addEventListener("click", turn);
  label();

  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.getAttribute("href")?.slice(1), link]));
  const visible = new Set();
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) visible[entry.isIntersecting ? "add" : "delete"](entry.target.id);
    const first = [...links.keys()].find((id) => visible.has(id));
    for (const [id, link] of links) {
      if (id === first) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-10% 0px -60% 0px" });
  for (const section of document.querySelectorAll("main > section")) watcher.observe(section);

  /** What an address leads to is not left folded away. */
  function unfold() {
    const target = location.hash.length > 1 ? CT.find(location.hash.slice(1)) : null;
    for (let one = target?.closest("details"); one; one = one.parentElement?.closest("details") ?? null) one.open = true;
    if (target) target.scrollIntoView();
  }
  addEventListener("hashchange", unfold);
  unfold();

  for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-copy]"))) {
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copy ?? "");
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not allowed here: mark the text";
      }
    });
  }

  const opened = /** @type {HTMLDetailsElement[]} */ ([]);
  let themeBefore = /** @type {string | undefined} */ (undefined);
  addEventListener("beforeprint", () => {
    // Paper is white: what is painted on a canvas has to know before it is printed.
    themeBefore = root.dataset.theme;
    root.dataset.theme = "light";
    for (const one of /** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll("details:not([open])"))) {
      one.open = true;
      opened.push(one);
    }
  });
  addEventListener("afterprint", () => {
    if (themeBefore) root.dataset.theme = themeBefore; else delete root.dataset.theme;
    for (const one of opened.splice(0)) one.open = false;
    document.dispatchEvent(new Event("ct:theme"));
  });
})();
