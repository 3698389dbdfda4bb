// The records, asked of the server.

/** What the server said instead of an answer. */
export class ApiError extends Error {
  constructor(status, reason, message) {
    super(message);
    this.status = status;
    this.reason = reason;
  }

  /** Whether another key is needed. */
  get needsKey() {
    return this.status === 401 || this.status === 403;
  }
}

/** A page of `{records, nextPageToken}`, newest first. */
export function listRecords(key, { pageToken = "", profile = "", troubled = false }, signal) {
  const query = new URLSearchParams({ page_token: pageToken, profile, troubled: troubled ? "1" : "0" });
  return ask(key, `api/records?${query}`, signal);
}

/** One record by its name or that of its request. */
export async function getRecord(key, recordId, signal) {
  return (await ask(key, `api/records/${encodeURIComponent(recordId)}`, signal)).record;
}

async function ask(key, path, signal) {
  let reply;
  try {
    reply = await fetch(path, { headers: { Authorization: `Bearer ${key}` }, credentials: "omit", cache: "no-store", signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "UNREACHABLE", "The server cannot be reached.");
  }
  if (reply.ok) return reply.json();
  // A proxy's own errors are no JSON.
  const { reason, message } = await reply.json().catch(() => ({ reason: `HTTP ${reply.status}`, message: reply.statusText }));
  throw new ApiError(reply.status, reason, message);
}
