// How figures, names and moments are written.

const NUMBER = new Intl.NumberFormat("en");
const TIME = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "full" });
const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

/** A count with its thousands apart. */
export const count = (number) => NUMBER.format(number ?? 0);

/** One noun or the other by the number. */
export const some = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;

/** Milliseconds of a protobuf duration in JSON, such as "0.0414s"; 0 where there is none. */
export const millisecondsOf = (duration) => Number.parseFloat(duration ?? "0") * 1000;

/** Milliseconds in words, to the figure that matters. */
export function milliseconds(number) {
  if (number >= 10_000) return `${(number / 1000).toFixed(1)} s`;
  return `${number >= 10 ? count(Math.round(number)) : number.toFixed(1)} ms`;
}

/** A share of 1 in percent; what is there is never 0. */
export const percent = (share) => (share > 0 && share < 0.01 ? "<1 %" : `${Math.round(share * 100)} %`);

/** US dollars to the millionth: a call costs little. */
export const dollars = (amount) => `$${amount.toFixed(6)}`;

/** The time of day, the day, and both of a moment in JSON. */
export const time = (moment) => TIME.format(new Date(moment));
export const day = (moment) => DAY.format(new Date(moment));
export const moment = (text) => MOMENT.format(new Date(text));

/** The words of an enum's value without its prefix: `words("FATE_WHOLE", "FATE")` is "whole". */
export function words(value, prefix) {
  const name = (value ?? "").replace(new RegExp(`^${prefix}_`), "");
  return name === "UNSPECIFIED" ? "" : name.toLowerCase().replaceAll("_", " ");
}

/** The reason of the error catalogue in a `google.rpc.Status`; empty where it has none. */
export const reasonOf = ({ details }) => (details ?? []).find(({ reason }) => reason)?.reason ?? "";

/** `name@version` of a record's profile. */
export const profileOf = ({ profile, profileVersion }) => (profileVersion ? `${profile}@${profileVersion}` : profile);
