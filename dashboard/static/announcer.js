// Announces the standings to screen readers: at most every ten seconds, without interrupting, and only after a change. What
// happens to the poll or to the connection is announced at once.

import { shareTenths, shareWords, votesWords } from './figures.js';
import { message } from './messages.js';

const PAUSE_MS_MIN = 10_000;
const ANNOUNCED_MAX = 3;

const element = document.getElementById('announcer');

let next = null;
let announced = null;
let announced_ms = Date.now();
let timer = null;

/** Announces the text when the pause is over; a later text replaces one that still waits. */
export function announce(words) {
  next = words;
  if (timer !== null || next === announced) return;
  timer = setTimeout(speak, Math.max(0, announced_ms + PAUSE_MS_MIN - Date.now()));
}

/** Announces that something has happened; the standings follow after the pause. */
export function tell(words) {
  announced_ms = Date.now();
  element.textContent = words;
  if (timer === null) return;
  clearTimeout(timer);
  timer = setTimeout(speak, PAUSE_MS_MIN);
}

/** Marks a text as known: screen readers read the page itself at first, so its text needs no announcement. */
export function skip(words) {
  announced = words;
}

export function standingsWords(tally) {
  const tenths = shareTenths(tally);
  const options = tally.options.map((option, position) => ({
    ...option,
    share: shareWords(tenths[position], option.votes, tally.voters),
  }));
  const ranked = options.sort((a, b) => b.votes - a.votes).slice(0, ANNOUNCED_MAX);
  const parts = ranked.map(({ label, share, votes }) => message('spoken-option', { label, share, votes: votesWords(votes) }));
  return `${parts.join('; ')}. ${message('people-counted', { people: tally.voters })}`;
}

function speak() {
  timer = null;
  if (next === announced) return;
  announced = next;
  announced_ms = Date.now();
  element.textContent = next;
}
