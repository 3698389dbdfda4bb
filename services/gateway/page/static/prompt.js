// The messages as the model gets them.

import { el } from "./dom.js";
import { sectionColour, sectionName } from "./sections.js";
import { some, words } from "./words.js";

// Characters above which a message is closed at first.
const LONG = 6_000;

/** One box a message, in the colour of its section. */
export function promptMessages(messages, rendered) {
  return [
    ...messages.map((message) => box({
      colour: sectionColour(message.section),
      title: sectionName(message.section),
      notes: [words(message.role, "ROLE"), words(message.trust, "TRUST_LABEL")],
      text: message.content,
      open: message.content.length <= LONG,
    })),
    rendered && box({ colour: "", title: "The provider's request", notes: ["JSON"], text: rendered, open: false }),
  ];
}

function box({ colour, title, notes, text, open }) {
  return el("details", { class: `message ${colour}`, open },
    el("summary", {}, el("b", {}, title), notes.filter(Boolean).map((note) => el("span", {}, note)),
      el("small", {}, some(text.length, "character", "characters"))),
    el("pre", {}, text));
}
