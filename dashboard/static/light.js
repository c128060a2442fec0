// The connection light: whether the figures on the page are live, in words as well as in colour.

import { timeOfDay, write } from './figures.js';
import { message } from './messages.js';

/** A connection that is away for no longer is not worth a word to people who listen. */
const LOST_MS = 3_000;
/** The server says every two seconds that it is there; after this silence the page says that there is no news. */
const SILENCE_MS_MAX = 6_000;

const element = document.getElementById('light');
const words = document.getElementById('light-words');

let up = null;
let stale_since = null;
let as_of = null;
let heard_ms = Date.now();
let lost_ms = null;
let isLost = false;
let tell = () => {};

setInterval(show, 500);
// Timers of a hidden page are slow: look at once when it is shown.
document.addEventListener('visibilitychange', show);

/** Sets whether the connection is up (true) or being re-established (false). */
export function setLink(now_up) {
  up = now_up;
  show();
}

/** Takes the age that a frame states; a frame without figures has no `as_of`. */
export function setAge(frame) {
  as_of = frame.as_of ?? null;
  stale_since = frame.stale_since;
  show();
}

/** Notes that something came from the server. */
export function hear() {
  heard_ms = Date.now();
  show();
}

/** Calls `tell(isLost)` when the connection has been lost for a while, and when it is back. */
export function onLoss(callback) {
  tell = callback;
}

export const isLive = () => state() === 'live';

function state() {
  if (up === null) return 'connecting';
  if (!up || !navigator.onLine) return 'reconnecting';
  if (Date.now() - heard_ms >= SILENCE_MS_MAX) return 'silent';
  return stale_since ? 'stale' : 'live';
}

function show() {
  const now = state();
  element.dataset.link = now;
  write(words, wordsFor(now));
  speakOfLoss(now === 'reconnecting' || now === 'silent');
}

function speakOfLoss(isAway) {
  lost_ms = isAway ? (lost_ms ?? Date.now()) : null;
  const wasLost = isLost;
  isLost = isAway && (isLost || Date.now() - lost_ms >= LOST_MS);
  if (isLost !== wasLost) tell(isLost);
}

function wordsFor(now) {
  switch (now) {
    case 'live':
      return message('light-live');
    case 'silent':
      return message('light-silent', { seconds: Math.floor((Date.now() - heard_ms) / 1000) });
    case 'stale':
      return message('light-stale', { at: timeOfDay(stale_since) });
    case 'reconnecting':
      return as_of ? message('light-reconnecting-as-of', { at: timeOfDay(as_of) }) : message('light-reconnecting');
    default:
      return message('light-connecting');
  }
}
