// Tells the standings to those who listen: politely, at most every ten seconds, and only what has changed.

import { grouped, share, votesWords } from './figures.js';

const PAUSE_MS_MIN = 10_000;
const TOLD_MAX = 3;

const element = document.getElementById('announcer');

let next = null;
let told = null;
let told_ms = Date.now();
let timer = null;

/** The latest words win; they wait until the pause is over. */
export function announce(words) {
  next = words;
  if (timer !== null || next === told) return;
  timer = setTimeout(tell, Math.max(0, told_ms + PAUSE_MS_MIN - Date.now()));
}

/** What is on the page at first is read by the reader, not told. */
export function skip(words) {
  told = words;
}

export function standingsWords(tally) {
  const ranked = [...tally.options].sort((a, b) => b.votes - a.votes).slice(0, TOLD_MAX);
  const parts = ranked.map((option) => `${option.label}: ${share(option.votes, tally.voters)}, ${votesWords(option.votes)}`);
  return `${parts.join('; ')}. ${grouped(tally.voters)} people counted.`;
}

function tell() {
  timer = null;
  if (next === told) return;
  told = next;
  told_ms = Date.now();
  element.textContent = next;
}
