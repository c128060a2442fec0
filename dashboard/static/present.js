// The entry point of the presenter view: one poll on the screen of a hall.
//
// It follows the same stream as the results page. Another poll replaces this one in the page, without a new page: the full
// screen stays, and so do the clock and the light. What belongs to one poll is in `Screen`, and ends with it.

import { tell } from './announcer.js';
import * as clock from './clock.js';
import { countdown } from './countdown.js';
import { grouped, write } from './figures.js';
import * as light from './light.js';
import { message } from './messages.js';
import { Places } from './places.js';
import { Relay } from './relay.js';
import { hiddenWords, isOver, stateWords } from './words.js';

const CLOCK_MS = 200;
const KEYS_SHOWN_MS = 6_000;

const byId = (id) => document.getElementById(id);

class Screen {
  #root = byId('present');
  #places;
  #relay;
  #state;
  #timer;
  /** Whether the connection was lost, so that the local clock may have jumped since. */
  #lost = false;

  constructor() {
    const { poll, order, state, now } = this.#root.dataset;
    clock.hear(Date.parse(now));
    this.#state = { state, ...this.#times(state) };
    this.#places = new Places(byId('places'), order);
    this.#relay = new Relay(poll, (message) => this.#hear(message));
    this.#timer = setInterval(() => this.#tick(), CLOCK_MS);
    light.setLink(null);
    this.#tick();
    this.#relay.start();
  }

  get poll() {
    return this.#root.dataset.poll;
  }

  /** Starts listening again, after the browser had put the page away. */
  resume() {
    this.#relay.start();
  }

  pause() {
    this.#relay.stop();
  }

  stop() {
    clearInterval(this.#timer);
    this.#places.stop();
    this.#relay.stop();
  }

  /** Draws the curtain over the results of this screen, or opens it; nobody else's page changes. */
  drawCurtain(closed) {
    this.#hide('data-curtain', closed);
    this.#showCurtainWords();
    showAddress(this.poll);
  }

  /** Hides the results for a reason, or no longer for it, and says so if they vanish or appear. */
  #hide(reason, hidden) {
    const areHidden = () => ['data-hidden', 'data-curtain'].some((name) => this.#root.hasAttribute(name));
    const before = areHidden();
    this.#root.toggleAttribute(reason, hidden);
    if (areHidden() !== before) tell(message(before ? 'spoken-reveal' : 'spoken-hidden'));
  }

  #times(state) {
    const at = byId('milestone')?.dateTime ?? null;
    return state === 'open' || isOver(state) ? { opens_at: null, closes_at: at } : { opens_at: at, closes_at: null };
  }

  #hear(message) {
    if (!message.again && ['tally', 'hidden', 'alive'].includes(message.kind)) light.hear();
    const { data } = message;
    switch (message.kind) {
      case 'tally':
        return this.#showTally(data);
      case 'hidden':
        return this.#showHidden(data);
      case 'alive':
        return data?.now && this.#learn(data.now);
      case 'link':
        this.#lost ||= !message.up;
        return light.setLink(message.up);
    }
  }

  #learn(time) {
    if (this.#lost) clock.forget();
    this.#lost = false;
    clock.hear(Date.parse(time));
  }

  #showTally(tally) {
    if (!this.#places.fits(tally)) return openSoon(this.poll);
    if (!tally.stale && !this.#lost) clock.hear(Date.parse(tally.as_of));
    this.#hide('data-hidden', false);
    this.#places.show(tally);
    write(byId('voters'), grouped(tally.voters));
    this.#showTurnout(tally.voters);
    light.setAge(tally);
    this.#showState(tally);
  }

  #showHidden(poll) {
    if (!poll.stale && !this.#lost && poll.as_of) clock.hear(Date.parse(poll.as_of));
    this.#hide('data-hidden', true);
    const known = poll.voters !== null && poll.voters !== undefined;
    byId('turnout').hidden = !known;
    if (known) this.#showTurnout(poll.voters);
    light.setAge({ stale_since: poll.stale_since });
    this.#showState(poll);
  }

  #showTurnout(people) {
    write(byId('turnout-number'), grouped(people));
    write(byId('turnout-words'), message('people-voted', { people }));
  }

  #showState(poll) {
    this.#state = poll;
    const chip = byId('poll-state');
    write(chip, stateWords(poll));
    chip.dataset.state = poll.state;
    this.#root.toggleAttribute('data-final', poll.final);
    if (this.#root.dataset.state !== poll.state) tell(stateWords(poll));
    this.#root.dataset.state = poll.state;
    if (byId('door')) byId('door').hidden = isOver(poll.state);
    this.#showCurtainWords();
    this.#tick();
  }

  #showCurtainWords() {
    const words = byId('hidden-words');
    const hidden = this.#root.hasAttribute('data-hidden');
    write(words, hidden ? hiddenWords(this.#state) : words.dataset.curtainWords);
  }

  #tick() {
    const element = byId('countdown');
    const now = countdown(this.#state);
    element.hidden = !now;
    if (!now) return;
    let [words, digits] = element.querySelectorAll('span');
    if (!digits) {
      element.replaceChildren(document.createElement('span'), ' ', document.createElement('span'));
      [words, digits] = element.querySelectorAll('span');
      words.className = 'countdown-words';
      digits.className = 'countdown-clock';
    }
    write(words, now.words);
    write(digits, now.clock);
  }
}

let screen = new Screen();
let opening = null;
light.onLoss((isLost) => tell(message(isLost ? 'spoken-lost' : 'spoken-back')));

/** Replaces the poll on the screen by another one, or by itself after an edit. */
async function open(poll) {
  if (opening) return;
  opening = poll;
  try {
    const response = await fetch(addressOf(poll, poll === screen.poll), { cache: 'no-store' });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    const next = page.getElementById('present');
    if (!next) return;
    screen.stop();
    byId('present').replaceWith(document.adoptNode(next));
    document.title = page.title;
    screen = new Screen();
    showAddress(poll);
  } catch {
    // The network is away: the poll that is on the screen stays, and the light says what is wrong.
  } finally {
    opening = null;
  }
}

let soon = null;

/** Opens the poll anew after its options were edited, at a random moment so that not all screens do at once. */
function openSoon(poll) {
  soon ??= setTimeout(() => {
    soon = null;
    if (screen.poll === poll) open(poll);
  }, 500 + 1500 * Math.random());
}

function addressOf(poll, keep_curtain) {
  const { order } = byId('present').dataset;
  const parameters = [];
  const asked = new URLSearchParams(location.search).get('lang');
  if (order === 'ballot') parameters.push('order=ballot');
  if (asked) parameters.push(`lang=${encodeURIComponent(asked)}`);
  if (keep_curtain && byId('present').hasAttribute('data-curtain')) parameters.push('curtain');
  const query = parameters.length ? `?${parameters.join('&')}` : '';
  return pathOf(`present/${encodeURIComponent(poll)}${query}`);
}

/** An address of this service. It is relative to this script, because a path may stand in front of all addresses. */
function pathOf(address) {
  const { pathname, search } = new URL(`../${address}`, import.meta.url);
  return pathname + search;
}

/** Writes the poll and the curtain into the address, so that a reload shows the same. */
function showAddress(poll) {
  history.replaceState(null, '', addressOf(poll, true));
}

/** Opens the next or the previous poll of those that the dashboard lists. */
async function turn(step) {
  try {
    const response = await fetch(pathOf('api/polls'), { cache: 'no-store' });
    if (!response.ok) return;
    const { polls } = await response.json();
    const at = polls.findIndex(({ slug }) => slug === screen.poll);
    const next = polls[(at + step + polls.length) % polls.length];
    if (at >= 0 && next && next.slug !== screen.poll) await open(next.slug);
  } catch {
    // As above.
  }
}

function toggleFullScreen() {
  const change = document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen();
  change.catch(() => {});
}

const KEYS = {
  f: toggleFullScreen,
  h: () => screen.drawCurtain(true),
  r: () => screen.drawCurtain(false),
  arrowright: () => turn(1),
  arrowleft: () => turn(-1),
};

byId('keys').addEventListener('click', (event) => KEYS[event.target.closest('button')?.dataset.key]?.());

document.addEventListener('keydown', (event) => {
  // Whoever walks through the page with the Tab key finds the same as buttons.
  if (event.key === 'Tab') showKeys();
  const act = KEYS[event.key.toLowerCase()];
  if (!act || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  event.preventDefault();
  act();
});

/* The keys are shown as buttons, and the pointer is shown, while somebody moves the pointer, touches the screen or uses Tab. */

let keys_timer = null;

function showKeys() {
  document.documentElement.toggleAttribute('data-pointer', true);
  byId('keys').hidden = false;
  clearTimeout(keys_timer);
  keys_timer = setTimeout(() => {
    if (byId('keys').contains(document.activeElement)) return showKeys();
    document.documentElement.toggleAttribute('data-pointer', false);
    byId('keys').hidden = true;
  }, KEYS_SHOWN_MS);
}

document.addEventListener('pointermove', showKeys);
document.addEventListener('pointerdown', showKeys);

/* The screen must not go to sleep. Browsers allow that on secure pages alone. */

async function keepAwake() {
  if (document.visibilityState !== 'visible') return;
  await navigator.wakeLock?.request('screen').catch(() => {});
}

document.addEventListener('visibilitychange', keepAwake);
keepAwake();

window.addEventListener('pagehide', () => screen.pause());
window.addEventListener('pageshow', (event) => {
  if (!event.persisted) return;
  light.setLink(false);
  screen.resume();
});
