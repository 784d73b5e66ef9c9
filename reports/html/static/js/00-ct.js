// What every part shares: elements without markup strings, data blocks, and numbers as text.
"use strict";
/**
 * @typedef {{unit: string, size: number, decimals: number, text: (value: number) => string}} Scale
 */
const CT = (() => {
  const TIMES = /** @type {[number, string][]} */ ([[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]]);
  const SIZES = /** @type {[number, string][]} */ ([[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]]);

  /**
   * Make an element; text is always text, never markup.
   * @param {string} tag @param {Record<string, string>} attributes @param {...(Node | string)} children
   * @returns {HTMLElement}
   */
  function el(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  /** Find an element that the page is known to have, or null where its section is absent.
   * @param {string} id @returns {any} */
  const find = (id) => document.getElementById(id);

  /** Read a block of data, or null where its section is absent. @param {string} name @returns {any} */
  function data(name) {
    const block = find(`data-${name}`);
    return block ? JSON.parse(block.textContent) : null;
  }

  /** Group digits by threes. @param {number} value */
  function count(value) {
    return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, " ");
  }

  /** Three significant digits, never an exponent. @param {number} value */
  function significant(value) {
    if (value === 0) return "0";
    const digits = 2 - Math.floor(Math.log10(Math.abs(Number(value.toPrecision(3)))));
    return Number(value.toPrecision(3)).toFixed(Math.max(0, digits));
  }

  /** @param {number} value @param {[number, string][]} steps */
  function withUnit(value, steps) {
    const [size, unit] = steps.find(([step]) => Math.abs(value) >= step * 0.9995) ?? steps[steps.length - 1];
    return `${size === 1 ? Math.round(value) : significant(value / size)} ${unit}`;
  }

  /** One unit for a column, as in the tables made without scripts. @param {number[]} values @returns {Scale} */
  function timeScale(values) {
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const [size, unit] = TIMES.find(([step]) => largest >= 10 * step) ?? TIMES[TIMES.length - 1];
    const decimals = size === 1 ? 0 : largest / size >= 100 ? 1 : 2;
    const smallest = 10 ** -decimals;
    return {
      unit, size, decimals,
      text(value) {
        const shown = value / size;
        if (value > 0 && shown < smallest / 2) return `< ${smallest.toFixed(decimals)}`;
        const [whole, rest] = shown.toFixed(decimals).split(".");
        return count(Number(whole)) + (rest ? `.${rest}` : "");
      },
    };
  }

  return {
    el, find, data, count, significant, timeScale,
    /** @param {number} ns */
    time: (ns) => withUnit(ns, TIMES),
    /** @param {number} bytes */
    size: (bytes) => withUnit(bytes, SIZES),
    /** @param {number} share */
    share(share) {
      const percent = share * 100;
      if (percent > 0 && percent < 0.05) return "< 0.1 %";
      return percent >= 9.95 || percent === 0 ? `${Math.round(percent)} %` : `${percent.toFixed(1)} %`;
    },
    /** Read the resolved value of a colour token. @param {string} name */
    colour(name) {
      const probe = el("span", {});
      probe.style.color = `var(--${name})`;
      document.body.append(probe);
      const { color } = getComputedStyle(probe);
      probe.remove();
      return color;
    },
    /** Call back when the theme changes, by the button or the system. @param {() => void} listener */
    onTheme(listener) {
      document.addEventListener("ct:theme", listener);
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", listener);
    },
  };
})();
