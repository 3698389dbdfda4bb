// The list of requests, newest first, page by page.

import { listRecords } from "./api.js";
import { el } from "./dom.js";
import { count, day, milliseconds, millisecondsOf, profileOf, time, words } from "./words.js";

/** The left side of the page. */
export class Requests {
  #list = document.getElementById("requests");
  #more = document.getElementById("more");
  #none = document.getElementById("none");
  #profile = document.getElementById("profile");
  #troubled = document.getElementById("troubled");
  #key;
  #pageToken = "";
  #lastDay = "";
  #current = "";
  #loading = new AbortController();

  /** `key` gives the API key, `failed` hears of an ApiError. */
  constructor(key, failed) {
    this.#key = key;
    const report = (work) => work.catch((error) => error.name === "AbortError" || failed(error));
    document.getElementById("filter").addEventListener("submit", (event) => {
      event.preventDefault();
      report(this.refresh());
    });
    this.#troubled.addEventListener("change", () => report(this.refresh()));
    this.#more.addEventListener("click", () => report(this.#load(this.#pageToken)));
    this.#list.addEventListener("keydown", moveFocus);
  }

  /** Load the first page anew; what is under way is given up. */
  async refresh() {
    await this.#load("");
  }

  /** Mark the request that is shown. */
  mark(recordId) {
    this.#current = recordId;
    for (const link of this.#list.querySelectorAll("a")) this.#markLink(link);
  }

  /** Forget everything. */
  clear() {
    this.#loading.abort();
    this.#list.replaceChildren();
    this.#more.hidden = true;
  }

  async #load(pageToken) {
    this.#loading.abort();
    this.#loading = new AbortController();
    const asked = { pageToken, profile: this.#profile.value.trim(), troubled: this.#troubled.checked };
    const { records, nextPageToken } = await listRecords(this.#key(), asked, this.#loading.signal);
    if (pageToken === "") {
      this.#list.replaceChildren();
      this.#lastDay = "";
    }
    for (const record of records) this.#append(record);
    this.#pageToken = nextPageToken;
    this.#more.hidden = nextPageToken === "";
    this.#none.hidden = this.#list.childElementCount > 0;
  }

  #append(record) {
    const today = day(record.createTime);
    if (today !== this.#lastDay) this.#list.append(el("li", { class: "day" }, today));
    this.#lastDay = today;
    const link = line(record);
    this.#markLink(link);
    this.#list.append(el("li", {}, link));
  }

  #markLink(link) {
    if (link.hash === `#${this.#current}`) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function line(record) {
  const failed = record.errorReason !== "";
  const cache = words(record.cache, "CACHE_STATUS");
  const tokens = failed ? `– / ${count(record.maxTokens)}` : `${count(record.tokenCount)} / ${count(record.maxTokens)}`;
  return el("a", { href: `#${record.recordId}`, class: failed ? "failed" : record.degraded ? "degraded" : "" },
    el("span", { class: "when" },
      el("time", { datetime: record.createTime }, time(record.createTime)),
      el("span", { title: "tokens used / allowed" }, tokens),
      el("span", {}, milliseconds(millisecondsOf(record.duration)))),
    el("span", { class: "question" }, record.question || record.errorReason),
    el("span", { class: "what" },
      el("span", { class: "profile" }, profileOf(record)),
      cache === "hit" && el("span", { class: "mark cached" }, "cached"),
      record.degraded && el("span", { class: "mark" }, "▲ degraded"),
      failed && el("span", { class: "mark" }, record.question ? `✕ ${record.errorReason}` : "✕ failed")));
}

/** Up and down go from request to request, as in any list. */
function moveFocus(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined) return;
  const links = [...event.currentTarget.querySelectorAll("a")];
  const next = links[links.indexOf(document.activeElement) + step];
  if (next === undefined) return;
  event.preventDefault();
  next.focus();
}
