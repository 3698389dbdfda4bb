// The table of candidates: those in the prompt first, then those that were left out.

import { meter } from "./bars.js";
import { el, terms } from "./dom.js";
import { guardedTypes, isMasked } from "./quality.js";
import { count, words } from "./words.js";

const COLUMNS = ["", "Candidate", "Source", "Trust", "Fate", "Tokens", "Score"];

/** The table, with a field that filters it by text. */
export function candidateTable({ evidence, dropped, isolation }) {
  const rows = [
    ...evidence.map((one) => kept(one, isMasked(one.text, isolation))),
    ...dropped.map((one) => leftOut(one, guardedTypes(isolation))),
  ].map(rowOf);
  const shown = el("span", { class: "small", role: "status" }, `${rows.length} candidates`);
  const filter = (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    let matching = 0;
    for (const row of rows) matching += row.showIf(wanted);
    shown.textContent = wanted === "" ? `${rows.length} candidates` : `${matching} of ${rows.length} candidates`;
  };
  return [
    el("div", { class: "find" },
      el("input", { type: "search", placeholder: "Filter by any text", "aria-label": "Filter candidates", oninput: filter }), shown),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Candidates" },
      el("table", { class: "table" },
        el("thead", {}, el("tr", {}, COLUMNS.map((name) => el("th", { scope: "col", class: name.toLowerCase() }, name)))),
        rows.map(({ body }) => body))),
  ];
}

/** What both kinds of candidate have in common. */
const common = ({ passageId, documentId, source, titlePath, score, trust }) =>
  ({ passageId, documentId, source, titlePath, score, trust: words(trust, "TRUST_LABEL") });

const kept = (evidence, masked) => ({
  ...common(evidence),
  citation: evidence.citation,
  fate: `${words(evidence.fate, "FATE")}${masked ? ", masked" : ""}`,
  reason: "",
  tokens: evidence.tokenCount === evidence.originalTokenCount
    ? count(evidence.tokenCount) : `${count(evidence.originalTokenCount)} → ${count(evidence.tokenCount)}`,
  text: evidence.text,
  more: {
    Spans: evidence.spans.map(({ start, end }) => `${start}–${end}`).join(", "),
    "Facts kept": `${evidence.keptPins} of ${evidence.keptPins + evidence.droppedPins} numbers, names, negations …`,
    Metadata: Object.entries(evidence.metadata).map(([key, value]) => `${key} = ${value}`).join(", "),
    "Content hash": evidence.contentHash,
  },
});

const leftOut = (dropped, guarded) => ({
  ...common(dropped),
  citation: 0,
  fate: "dropped",
  reason: [words(dropped.reason, "REASON"), dropped.reason === "REASON_GUARD" && guarded.join(", ")].filter(Boolean).join(": "),
  tokens: dropped.tokenCount === 0 ? "" : count(dropped.tokenCount),
  text: "",
  more: { "Stands for it": dropped.duplicateOf },
});

function rowOf(candidate, index) {
  const id = `candidate-${index}`;
  const toggle = el("button", {
    type: "button", class: "toggle", "aria-expanded": "false", "aria-controls": id,
    "aria-label": `Details of ${candidate.passageId}`,
  }, candidate.citation > 0 ? `[${candidate.citation}]` : "–");
  const details = el("tr", { id, class: "details", hidden: true }, el("td", { colspan: COLUMNS.length }, ...detailsOf(candidate)));
  const flip = () => {
    details.hidden = !details.hidden;
    toggle.setAttribute("aria-expanded", String(!details.hidden));
  };
  const title = candidate.titlePath.at(-1) ?? candidate.passageId;
  const above = candidate.titlePath.slice(0, -1).join(" › ");
  const body = el("tbody", { class: candidate.citation > 0 ? "kept" : "dropped" },
    el("tr", { onclick: flip },
      el("td", {}, toggle),
      el("th", { scope: "row" }, above && el("small", {}, above), el("span", {}, title), el("code", {}, candidate.passageId)),
      el("td", {}, candidate.source),
      el("td", {}, candidate.trust),
      el("td", {}, el("span", {}, candidate.fate), candidate.reason && el("small", {}, candidate.reason)),
      el("td", { class: "number" }, candidate.tokens),
      el("td", { class: "score", title: partsOf(candidate.score) },
        isRanked(candidate.score) && [candidate.score.value.toFixed(2), meter(candidate.score.value)])),
    details);
  const text = [candidate.passageId, ...candidate.titlePath, candidate.source, candidate.trust, candidate.fate,
    candidate.reason, candidate.text, candidate.more.Metadata ?? ""].join("\n").toLowerCase();
  return {
    body,
    showIf(wanted) {
      body.hidden = !text.includes(wanted);
      return !body.hidden;
    },
  };
}

function detailsOf({ documentId, score, text, more }) {
  return [
    text && el("pre", {}, text),
    terms({ Score: partsOf(score), Document: documentId, ...more }),
  ];
}

// What was not ranked has no score at all; a ranked candidate may have one of 0.
const isRanked = (score) => score?.recency > 0;

function partsOf(score) {
  if (!isRanked(score)) return "not ranked";
  const figure = (number) => number.toFixed(2);
  return `${figure(score.value)} = (${figure(score.lexicalPart)} by words + ${figure(score.densePart)} by meaning)`
    + ` × ${figure(score.recency)} recency × ${figure(score.novelty)} novelty; BM25 ${figure(score.lexical)}, cosine ${figure(score.dense)}`;
}
