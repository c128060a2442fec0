// The connection light: whether the figures on the page are live, in words as well as in colour.

import { timeOfDay, write } from './figures.js';

const element = document.getElementById('light');
const words = document.getElementById('light-words');

let up = null;
let stale_since = null;
let as_of = null;

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

export const isLive = () => up === true && !stale_since;

function show() {
  const state = up === null ? 'connecting' : !up ? 'reconnecting' : stale_since ? 'stale' : 'live';
  element.dataset.link = state;
  write(words, wordsFor(state));
}

function wordsFor(state) {
  switch (state) {
    case 'live':
      return 'Live';
    case 'stale':
      return `Stale since ${timeOfDay(stale_since)}`;
    case 'reconnecting':
      return as_of ? `Reconnecting… figures of ${timeOfDay(as_of)}` : 'Reconnecting…';
    default:
      return 'Connecting…';
  }
}
