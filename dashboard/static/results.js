// The entry point of the results page: follows the poll and updates every figure.

import { announce, skip, standingsWords, tell } from './announcer.js';
import * as chart from './chart.js';
import * as clock from './clock.js';
import { dayAndTime, fullTime, grouped, write } from './figures.js';
import { History } from './history.js';
import * as light from './light.js';
import { message } from './messages.js';
import { Relay } from './relay.js';
import { fits, inOurLanguage, showStandings } from './standings.js';
import { hiddenWords, milestone, stateWords } from './words.js';

const results = document.getElementById('results');
const board = document.getElementById('board');
// Relative to this script, because a path may stand in front of all addresses.
const api = new URL(`../api/polls/${encodeURIComponent(results.dataset.poll)}`, import.meta.url).pathname;

let first = true;

// This reader has voted, and sees what others do not see yet.
const opened = 'opened' in results.dataset;
const history = new History(`${api}/series?seconds=300${opened ? '&opened' : ''}`);
const relay = new Relay(results.dataset.poll, hear, opened);

showLocalTimes();
light.setLink(null);
light.onLoss((isLost) => tell(message(isLost ? 'spoken-lost' : 'spoken-back')));
relay.start();
setInterval(() => {
  // Without a connection the chart does not advance, because no news does not mean zero votes.
  if (light.isLive() && history.isKnown && !board.hidden && !document.hidden) chart.draw();
}, 1000);
// On paper the table stands below the bars, whether or not it is open on the screen.
window.addEventListener('beforeprint', () => {
  const table = document.getElementById('table-details');
  if (table.open) return;
  table.open = true;
  window.addEventListener('afterprint', () => (table.open = false), { once: true });
});
window.addEventListener('pagehide', () => relay.stop());
window.addEventListener('pageshow', (event) => {
  if (!event.persisted) return;
  light.setLink(false);
  relay.start();
});

function hear(message) {
  if (!message.again && ['tally', 'hidden', 'alive'].includes(message.kind)) light.hear();
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

function showTally(frame) {
  if (!fits(frame)) return reloadSoon();
  const tally = inOurLanguage(frame);
  if (!tally.stale) clock.hear(Date.parse(tally.as_of));
  reveal(true);
  showState(tally);
  showStandings(tally);
  light.setAge(tally);
  results.dataset.version = tally.version;
  const as_of = document.getElementById('as-of');
  as_of.dateTime = tally.as_of;
  write(as_of, dayAndTime(tally.as_of));
  write(document.getElementById('printed-as-of'), fullTime(tally.as_of));
  const words = standingsWords(tally);
  if (first) skip(words);
  first = false;
  announce(words);
  history.add(tally);
}

function showHidden(poll) {
  // The figures that appear later are news.
  first = false;
  reveal(false);
  showState(poll);
  light.setAge({ stale_since: poll.stale_since });
  write(document.getElementById('hidden-words'), hiddenWords(poll));
  const turnout = document.getElementById('hidden-turnout');
  if (!turnout) return;
  turnout.hidden = poll.voters === null;
  write(document.getElementById('hidden-voters'), grouped(poll.voters ?? 0));
}

function showLink(up) {
  if (!up) {
    clock.forget();
    history.miss();
  }
  light.setLink(up);
}

function reveal(shown) {
  if (board.hidden === shown) tell(message(shown ? 'spoken-reveal' : 'spoken-hidden'));
  board.hidden = !shown;
  document.getElementById('hidden-panel').hidden = shown;
}

function showState(poll) {
  const chip = document.getElementById('poll-state');
  write(chip, stateWords(poll));
  results.toggleAttribute('data-final', poll.final);
  showMilestone(poll);
  if (results.dataset.state === poll.state) return;
  tell(stateWords(poll));
  results.dataset.state = poll.state;
  chip.dataset.state = poll.state;
  const vote_here = document.getElementById('vote-here');
  if (vote_here) vote_here.hidden = poll.state !== 'open';
  const hidden_vote = document.getElementById('hidden-vote');
  if (hidden_vote) hidden_vote.hidden = poll.state !== 'open';
}

/** The opening or closing time, which may change while the page is open. */
function showMilestone(poll) {
  const [words, at] = milestone(poll);
  let line = document.getElementById('milestone')?.parentElement;
  if (!at) {
    line?.remove();
    return;
  }
  if (!line) {
    line = document.createElement('span');
    line.className = 'headline-time';
    line.append('', document.createElement('time'));
    line.querySelector('time').id = 'milestone';
    document.getElementById('poll-state').after(' ', line);
  }
  const time = document.getElementById('milestone');
  if (line.firstChild.data !== `${words} `) line.firstChild.data = `${words} `;
  if (time.dateTime !== at) time.dateTime = at;
  write(time, dayAndTime(at));
}

function showLocalTimes() {
  for (const element of document.querySelectorAll('time[datetime]')) {
    if (!Number.isNaN(Date.parse(element.dateTime))) write(element, dayAndTime(element.dateTime));
  }
  const printed = document.getElementById('printed-as-of');
  write(printed, fullTime(printed.dateTime));
}

let reloading = false;

/** Reloads the page after the options were edited, at a random moment so that not all viewers reload at once. */
function reloadSoon() {
  if (reloading) return;
  reloading = true;
  setTimeout(() => location.reload(), 500 + 4500 * Math.random());
}
