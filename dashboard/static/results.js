// The entry point of the results page: follows the poll and updates every figure.

import { announce, skip, standingsWords } from './announcer.js';
import * as chart from './chart.js';
import * as clock from './clock.js';
import { dayAndTime, write } from './figures.js';
import { History } from './history.js';
import * as light from './light.js';
import { Relay } from './relay.js';
import { fits, showStandings } from './standings.js';

const results = document.getElementById('results');
const board = document.getElementById('board');
const api = `/api/polls/${encodeURIComponent(results.dataset.poll)}`;

let first = true;

const history = new History(`${api}/series?seconds=300`);
const relay = new Relay(results.dataset.poll, hear);

showLocalTimes();
light.setLink(null);
relay.start();
setInterval(() => {
  // Without a connection the chart does not advance, because no news does not mean zero votes.
  if (light.isLive() && history.isKnown && !board.hidden && !document.hidden) chart.draw();
}, 1000);
window.addEventListener('pagehide', () => relay.stop());
window.addEventListener('pageshow', (event) => {
  if (!event.persisted) return;
  light.setLink(false);
  relay.start();
});

function hear(message) {
  switch (message.kind) {
    case 'tally':
      return showTally(message.data);
    case 'hidden':
      return showHidden(message.data);
    case 'link':
      return showLink(message.up);
    case 'role':
      document.getElementById('light').dataset.role = message.role;
  }
}

function showTally(tally) {
  if (!fits(tally)) return reloadSoon();
  if (!tally.stale) clock.hear(Date.parse(tally.as_of));
  reveal(true);
  showState(tally.state);
  showStandings(tally);
  light.setAge(tally);
  results.dataset.version = tally.version;
  const as_of = document.getElementById('as-of');
  as_of.dateTime = tally.as_of;
  write(as_of, dayAndTime(tally.as_of));
  const words = standingsWords(tally);
  if (first) skip(words);
  first = false;
  announce(words);
  history.add(tally);
}

function showHidden(poll) {
  reveal(false);
  showState(poll.state);
  light.setAge(poll);
  write(document.getElementById('hidden-words'), hiddenWords(poll));
}

function showLink(up) {
  if (!up) {
    clock.forget();
    history.miss();
  }
  light.setLink(up);
}

function reveal(shown) {
  board.hidden = !shown;
  document.getElementById('hidden-panel').hidden = shown;
}

function hiddenWords({ visibility, closes_at }) {
  if (visibility !== 'after_close') return 'The people who run this poll have not published them.';
  const when = closes_at ? `, ${dayAndTime(closes_at)}` : '';
  return `They appear here as soon as voting closes${when}.`;
}

function showState(state) {
  if (results.dataset.state === state) return;
  results.dataset.state = state;
  const chip = document.getElementById('poll-state');
  chip.dataset.state = state;
  const words = { open: 'Voting is open', closed: 'Final: voting has closed', archived: 'Final: voting has closed' };
  write(chip, words[state] ?? 'Not open yet');
  document.getElementById('milestone')?.parentElement.remove();
  const vote_here = document.getElementById('vote-here');
  if (vote_here) vote_here.hidden = state !== 'open';
}

function showLocalTimes() {
  for (const element of document.querySelectorAll('time[datetime]')) {
    if (!Number.isNaN(Date.parse(element.dateTime))) write(element, dayAndTime(element.dateTime));
  }
}

let reloading = false;

/** Reloads the page after the options were edited, at a random moment so that not all viewers reload at once. */
function reloadSoon() {
  if (reloading) return;
  reloading = true;
  setTimeout(() => location.reload(), 500 + 4500 * Math.random());
}
