// Runs before the first paint, so that a chosen theme never flashes.
"use strict";
try {
  const chosen = localStorage.getItem("concurtrace-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage may be blocked for files: the system's theme is used.
}
