// The server's clock, times in the reader's own zone, countdowns, and asking the server until a condition holds.
//
// The server decides when a poll opens and closes, so countdowns follow its clock, not the reader's. A time that the server
// sends always arrives after that time, never before: the largest difference seen so far is the best estimate. The local side
// of the difference is a clock that nobody can set.

import { timeFormat } from './messages.js';
import { span } from './words.js';

const LOOK_MS_MAX = 30_000;
const COUNTED_S_MAX = 7 * 86_400;
const TICK_MS = 500;

let offset_ms = null;

/** Learns from a time that the server has just sent, in ms since 1970. */
export function hear(server_ms) {
  const seen = server_ms - performance.now();
  if (!Number.isNaN(seen) && (offset_ms === null || seen > offset_ms)) offset_ms = seen;
}

/** The estimated time on the server, in ms since 1970. */
export const now_ms = () => (offset_ms === null ? Date.now() : performance.now() + offset_ms);

/** Shows a <time datetime> in local time with its zone; today's without the date, this year's without the year. */
export function showLocalTime(element) {
  const at = new Date(element.dateTime);
  if (Number.isNaN(at.getTime())) return;
  const now = new Date();
  const day = at.toDateString() === now.toDateString() ? {} : { day: 'numeric', month: 'short' };
  const year = at.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' };
  const format = timeFormat({ ...year, ...day, hour: 'numeric', minute: '2-digit', timeZoneName: 'short' });
  element.textContent = format.format(at);
}

/** Shows every <time datetime> of the page in local time. */
export function showLocalTimes() {
  document.querySelectorAll('time[datetime]').forEach(showLocalTime);
}

/** Counts down in an element to a time of the server, which may change, and calls `onDue` once it has come. */
export class Countdown {
  #element;
  #words;
  #onDue;
  #due_ms = NaN;
  #timer = null;

  /** `words(left)` makes the text of a span, and of null once the time has come. */
  constructor(element, words, onDue) {
    this.#element = element;
    this.#words = words;
    this.#onDue = onDue;
  }

  /** Counts down to this time, as text; without one it shows nothing. */
  set(at) {
    const due_ms = Date.parse(at ?? '');
    if (Object.is(due_ms, this.#due_ms)) return;
    clearInterval(this.#timer);
    this.#due_ms = due_ms;
    this.#element.hidden = true;
    if (Number.isNaN(due_ms)) return;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
  }

  #tick() {
    const left_s = (this.#due_ms - now_ms()) / 1000;
    const words = this.#words(left_s > 0 ? span(left_s) : null);
    this.#element.hidden = left_s > COUNTED_S_MAX;
    if (this.#element.textContent !== words) this.#element.textContent = words;
    if (left_s > 0) return;
    clearInterval(this.#timer);
    this.#onDue();
  }
}

/** Asks the server for the poll, with growing and jittered pauses, until `isDue(poll)`; then calls `onDue(poll)`. */
export async function watch(url, isDue, onDue) {
  for (let round = 0; ; round += 1) {
    const most_ms = Math.min(LOOK_MS_MAX, 2000 * 2 ** round);
    await new Promise((resolve) => setTimeout(resolve, most_ms * (0.2 + 0.8 * Math.random())));
    try {
      const response = await fetch(url, { headers: { accept: 'application/json' }, cache: 'no-store' });
      const poll = response.ok && (await response.json());
      if (poll && isDue(poll)) return onDue(poll);
    } catch {
      // Away for now: the next round asks again.
    }
  }
}
