// Elements made by hand. Text goes in as text nodes only: a record holds what anybody may have written.

/**
 * An element. A property that begins with "on" is a listener, "style" a map of custom properties; null and undefined
 * children are left out, and everything that is no node becomes text.
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.entries(value).forEach(([property, set]) => element.style.setProperty(property, set));
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...present(children));
  return element;
}

/** Takes out what stands in an element, and puts these in. */
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
}

const present = (children) => children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);

/** A part of the record with a heading. */
export function panel(title, { note = null, name = "" }, ...children) {
  const id = `panel-${name}`;
  return el("section", { class: `panel ${name}`, "aria-labelledby": id },
    el("h2", { id }, title, note && [" ", el("small", {}, note)]), ...children);
}

/** Terms with what they are; an entry whose value is empty is left out. */
export function terms(entries) {
  return el("dl", { class: "terms" }, Object.entries(entries)
    .filter(([, value]) => value !== "" && value !== null && value !== undefined)
    .map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value))));
}
