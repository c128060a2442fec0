// An estimate of the server's clock.
//
// A time that the server sends always arrives after that time, never before. So the largest difference to the local clock
// seen so far is the best estimate.

let offset_ms = null;

/** Learns from a time that the server has just sent, in ms since 1970. */
export function hear(server_ms) {
  if (!Number.isFinite(server_ms)) return;
  const seen = server_ms - Date.now();
  if (offset_ms === null || seen > offset_ms) offset_ms = seen;
}

/** Forgets the estimate: after sleep or a reconnect the local clock may have jumped. */
export function forget() {
  offset_ms = null;
}

/** The estimated time on the server, in Unix seconds. */
export const now = () => (Date.now() + (offset_ms ?? 0)) / 1000;
