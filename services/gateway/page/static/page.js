// The page: a key, the list of requests, and the one that the address names (`#record_id`).

import { ApiError, getRecord } from "./api.js";
import { el, fill } from "./dom.js";
import { recordView } from "./record.js";
import { Requests } from "./requests.js";

// Where the key lies for as long as the tab is open: the browser shows it to no other origin.
const KEY = "scic-api-key";

const part = (id) => document.getElementById(id);
const key = () => sessionStorage.getItem(KEY) ?? "";
const requests = new Requests(key, showFailure);
let showing = new AbortController();

part("key-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, part("key").value.trim());
  part("key").value = "";
  await open();
});
part("forget").addEventListener("click", () => close(""));
window.addEventListener("hashchange", showRecord);
if (key()) open();
else close("");

async function open() {
  try {
    await requests.refresh();
  } catch (error) {
    showFailure(error);
    if (!key()) return;
  }
  show({ door: false });
  await showRecord();
}

function close(why) {
  sessionStorage.removeItem(KEY);
  requests.clear();
  part("record").replaceChildren();
  part("status").textContent = "";
  show({ door: true });
  part("key-error").textContent = why;
  part("key").focus();
}

function show({ door }) {
  part("door").hidden = !door;
  part("ledger").hidden = door;
  part("forget").hidden = door;
}

async function showRecord() {
  const recordId = window.location.hash.slice(1);
  showing.abort();
  showing = new AbortController();
  if (!key()) return;
  document.body.classList.toggle("has-record", recordId !== "");
  requests.mark(recordId);
  if (recordId === "") {
    fill(part("record"), el("p", { class: "empty" }, "Choose a request to see what went into its context, and why."));
    return;
  }
  try {
    fill(part("record"), recordView(await getRecord(key(), recordId, showing.signal)));
    part("status").textContent = "";
    part("record").scrollTop = 0;
    // In a narrow window the list, and the focus in it, has just gone.
    if (part("requests").offsetParent === null) part("record").querySelector("h1").focus();
  } catch (error) {
    if (error.name === "AbortError") return;
    fill(part("record"), el("p", { class: "empty" }, "This record cannot be shown."));
    showFailure(error);
  }
}

function showFailure(error) {
  if (!(error instanceof ApiError)) throw error;
  if (error.needsKey) close(error.message);
  else part("status").textContent = `${error.message} (${error.reason})`;
}
