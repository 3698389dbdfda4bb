// The quality figures with what would help, and what was kept apart.

import { meter } from "./bars.js";
import { el } from "./dom.js";
import { count, percent, words } from "./words.js";

const FIGURES = {
  completeness: ["completeness", "of what the question asks for is covered"],
  relevance: ["relevance", "how well the evidence fits the question"],
  redundancy: ["redundancy", "of the evidence says it twice; less is better"],
  coherence: ["coherence", "how well the evidence reads as one"],
  sizeEfficiency: ["size efficiency", "of the tokens used is evidence that fits"],
};

/** Five bars and the recommendations. */
export function qualityFigures(quality) {
  return [
    el("ul", { class: "figures" }, Object.entries(FIGURES).map(([name, [title, meaning]]) =>
      el("li", { title: meaning }, el("span", {}, title), meter(quality[name]), el("b", {}, percent(quality[name]))))),
    quality.recommendations.length > 0 && el("ol", { class: "advice" }, quality.recommendations.map(({ kind, detail }) =>
      el("li", {}, el("b", {}, `${words(kind, "KIND")}: `), detail))),
  ];
}

/** What was defused and what was masked. */
export function isolationCounts({ defused, sensitive }) {
  const what = [
    ...defused.map(({ type, count: number }) => ["defused", nameOf(type, "IMITATION_TYPE"), number]),
    ...sensitive.map(({ type, action, count: number }) =>
      [DONE[action] ?? "", nameOf(type, "SENSITIVE_TYPE"), number]),
  ];
  if (what.length === 0) return el("p", { class: "small" }, "No imitation of the prompt and no personal data were met.");
  return el("ul", { class: "counts" }, what.map(([done, type, number]) =>
    el("li", {}, el("b", {}, count(number)), el("span", {}, type), el("small", {}, done))));
}

/** For what passages were kept out, in words. */
export const guardedTypes = (isolation) => typesOf(isolation, ["GUARD_ACTION_DROP", "GUARD_ACTION_REFUSE"])
  .map((type) => nameOf(type, "SENSITIVE_TYPE"));

/** Whether pseudonyms, such as `[EMAIL_1]`, stand for something in a text. */
export function isMasked(text, isolation) {
  const masked = typesOf(isolation, ["GUARD_ACTION_MASK"]);
  return [...text.matchAll(PSEUDONYM)].some(([, name]) => masked.includes(`SENSITIVE_TYPE_${name}`));
}

const PSEUDONYM = /\[([A-Z_]+)_[1-9][0-9]*\]/g;

const typesOf = (isolation, actions) =>
  (isolation?.sensitive ?? []).filter(({ action }) => actions.includes(action)).map(({ type }) => type);

const DONE = {
  GUARD_ACTION_ALLOW: "allowed",
  GUARD_ACTION_MASK: "masked",
  GUARD_ACTION_DROP: "left out",
  GUARD_ACTION_REFUSE: "refused",
};
const NAMES = { hidden: "hidden characters", iban: "IBAN", "ip address": "IP address" };

const nameOf = (type, prefix) => NAMES[words(type, prefix)] ?? words(type, prefix);
