// One record: what was asked, what came of it, and why.

import { stackedBar } from "./bars.js";
import { candidateTable } from "./candidates.js";
import { el, panel, terms } from "./dom.js";
import { promptMessages } from "./prompt.js";
import { isolationCounts, qualityFigures } from "./quality.js";
import { inOrder, sectionColour, sectionName } from "./sections.js";
import { count, dollars, milliseconds, millisecondsOf, moment, percent, profileOf, reasonOf, some, words } from "./words.js";

/** The right side of the page. */
export function recordView(record) {
  const { request, response, error } = record;
  return [
    el("a", { class: "back", href: "#" }, "← All requests"),
    el("header", {},
      el("h1", { tabindex: "-1" }, request.question || `Request ${request.requestId} failed: ${reasonOf(error ?? {})}`),
      el("p", { class: "small" }, byline(record), " · ", el("code", {}, record.recordId))),
    error && notice("wrong", "It failed", [failure(error)]),
    response?.degradations.length > 0 && notice("less", "Done less well than asked",
      response.degradations.map(({ stage, reason, detail }) => [el("b", {}, words(stage, "STAGE")), ` ${detail} `, el("code", {}, reason)])),
    response ? answered(record) : terms({ Allowed: some(request.maxTokens, "token", "tokens"), Duration: milliseconds(millisecondsOf(record.duration)) }),
    versions(record),
  ];
}

/** When, by whom and by what. */
function byline({ createTime, keyId, request, response }) {
  const { profileLabel: label, model } = response ?? request;
  const profile = response ? profileOf(response) : request.profile;
  return [moment(createTime), `key ${keyId}`, label ? `${profile} (${label})` : profile, model].filter(Boolean).join(" · ");
}

function answered({ request, response, duration }) {
  const { evidence, dropped, tokens, quality, isolation } = response;
  return [
    el("ul", { class: "headline" },
      tile("tokens", count(tokens.total), `of ${count(tokens.maxTokens)} allowed`),
      tile("in the prompt", count(evidence.length), `of ${some(evidence.length + dropped.length, "candidate", "candidates")}`),
      tile("duration", milliseconds(millisecondsOf(duration)), `cache: ${words(response.cache, "CACHE_STATUS")}`),
      shortened(response.compression, response.retention),
      tile("stable prefix", count(response.prefixTokenCount), "cacheable tokens")),
    panel("Time", { name: "time", note: "as the gateway saw it" }, times(response.timings, duration)),
    panel("Tokens", { name: "tokens", note: `${percent(tokens.total / tokens.maxTokens)} of what is allowed` },
      stackedBar("Tokens by section", tokenParts(tokens))),
    el("div", { class: "pair" },
      quality && panel("Quality", { name: "quality", note: "measured on the text" }, qualityFigures(quality)),
      el("div", {},
        isolation && panel("Isolation", { name: "isolation", note: "defused and masked" }, isolationCounts(isolation)),
        response.sources.length > 0 && panel("Sources", { name: "sources" }, sourceList(response.sources)))),
    panel("Candidates", { name: "candidates" }, candidateTable(response)),
    panel("Prompt", { name: "prompt", note: some(response.messages.length, "message", "messages") },
      promptMessages(response.messages, response.rendered)),
  ];
}

const tile = (name, figure, ...notes) =>
  el("li", {}, el("span", {}, name), el("b", {}, figure), notes.map((note) => note && el("small", {}, note)));

function shortened(compression, retention) {
  if (!compression?.originalTokenCount) return tile("compression", "–", "nothing to compress");
  const { originalTokenCount: before, tokenCount: after, level } = compression;
  const note = `${count(before)} → ${count(after)}, ${words(level, "COMPRESSION_LEVEL")}`;
  return tile("compression", after < before ? `−${percent(1 - after / before)}` : "none", note, cost(compression), pins(retention));
}

function cost({ originalCostUsd: before, costUsd: after }) {
  return after !== undefined && `${dollars(before)} → ${dollars(after)}`;
}

function pins(retention) {
  const sum = (what) => retention.pins.reduce((total, pin) => total + pin[what], 0);
  return retention?.pins.length > 0 && `facts: ${count(sum("kept"))} kept, ${count(sum("dropped"))} dropped`;
}

function times(timings, duration) {
  if (timings.length === 0) return el("p", { class: "small" }, "No stage ran: the reply came from the cache.");
  const parts = timings.map(({ stage, duration: took }) => ({ name: words(stage, "STAGE"), value: millisecondsOf(took) }));
  const rest = millisecondsOf(duration) - parts.reduce((sum, { value }) => sum + value, 0);
  return stackedBar("Time by stage", [...parts, { name: "rest", value: rest }].map(({ name, value }) =>
    ({ name, value, label: milliseconds(value), colour: `t-${name}` })));
}

function tokenParts({ sections, total, maxTokens }) {
  const used = inOrder(sections).map(({ section, tokenCount }) =>
    ({ name: sectionName(section), value: tokenCount, label: count(tokenCount), colour: sectionColour(section) }));
  return [...used, { name: "unused", value: maxTokens - total, label: count(maxTokens - total), colour: "c-unused" }];
}

function sourceList(sources) {
  return el("ul", { class: "reports" }, sources.map((source) => el("li", {},
    el("b", {}, source.source), el("span", {}, some(source.passageCount, "passage", "passages")),
    source.duration && el("span", {}, milliseconds(millisecondsOf(source.duration))),
    el("span", {}, words(source.rung, "RUNG")), source.required && el("span", {}, "required"),
    source.errorReason && el("code", {}, source.errorReason), source.standIn && el("small", {}, source.standIn))));
}

function versions({ recordId, keyId, request, response }) {
  return panel("Versions", { name: "versions" }, terms({
    Profile: response && profileOf(response),
    Label: response?.profileLabel,
    Asked: request.profile,
    Model: response?.model ?? request.model,
    Encoding: response?.encoding,
    "Corpus version": response?.corpusVersion,
    Request: request.requestId,
    Conversation: request.conversationId,
    Record: recordId,
    Key: keyId,
  }));
}

function notice(kind, title, items) {
  return el("section", { class: `notice ${kind}` }, el("h2", {}, title), el("ul", {}, items.map((item) => el("li", {}, ...[item].flat()))));
}

function failure(error) {
  const reason = reasonOf(error);
  return [error.message, reason && " ", reason && el("code", {}, reason)].filter(Boolean);
}
