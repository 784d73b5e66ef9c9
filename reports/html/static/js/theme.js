// Runs before the first paint: what needs scripts has its room, and a chosen theme never flashes.
"use strict";
document.documentElement.dataset.script = "runs";
try {
  const chosen = localStorage.getItem("concurtrace-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage may be blocked for files: the system's theme is used.
}
