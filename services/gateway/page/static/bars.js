// Bars: parts of a whole, and a share of one.

import { el } from "./dom.js";
import { percent } from "./words.js";

/**
 * Parts of a whole as one bar with a legend below. A part is `{name, value, label, colour}`: `label` is its value in
 * words, `colour` a class. Parts without a value are left out.
 */
export function stackedBar(title, parts) {
  const shown = parts.filter(({ value }) => value > 0);
  const whole = shown.reduce((sum, { value }) => sum + value, 0);
  const said = shown.map(({ name, label }) => `${name} ${label}`).join(", ");
  return el("figure", { class: "stacked" },
    el("div", { class: "bar", role: "img", "aria-label": `${title}: ${said}` }, shown.map(({ name, value, label, colour }) =>
      el("span", { class: colour, style: { "flex-grow": value }, title: `${name}: ${label}` },
        el("b", { "aria-hidden": "true" }, label)))),
    el("figcaption", {}, el("ul", { class: "legend", "aria-hidden": "true" }, shown.map(({ name, value, label, colour }) =>
      el("li", {}, el("i", { class: colour }), name, el("b", {}, label), el("small", {}, percent(value / whole)))))));
}

/** A share of 1 as a thin bar. */
export function meter(share) {
  const width = `${Math.min(Math.max(share, 0), 1) * 100}%`;
  return el("span", { class: "meter", "aria-hidden": "true" }, el("span", { style: { width } }));
}
