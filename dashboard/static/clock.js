// The server's clock, as near as this page can know it.
//
// What the server says about a moment arrives later than that moment, never earlier: the largest difference seen is the best.

let offset_ms = null;

/** Takes a moment the server has just spoken of, in ms since 1970. */
export function hear(server_ms) {
  if (!Number.isFinite(server_ms)) return;
  const seen = server_ms - Date.now();
  if (offset_ms === null || seen > offset_ms) offset_ms = seen;
}

/** Forgets what was heard: after sleep or a reconnect the reader's clock may have jumped. */
export function forget() {
  offset_ms = null;
}

/** Unix seconds on the server's clock. */
export const now = () => (Date.now() + (offset_ms ?? 0)) / 1000;
