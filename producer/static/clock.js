// Shows times in the reader's own zone, counts down to them, and asks the server for the poll until a condition holds.

import { span } from './words.js';

const LOOK_MS_MAX = 30_000;
const COUNTED_S_MAX = 7 * 86_400;

/** Shows every <time datetime> of the page in local time; today's without the date. */
export function showLocalTimes() {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
  const time = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
  const today = new Date().toDateString();
  for (const element of document.querySelectorAll('time[datetime]')) {
    const at = new Date(element.dateTime);
    if (!Number.isNaN(at.getTime())) element.textContent = (at.toDateString() === today ? time : format).format(at);
  }
}

/** Counts down in `element` to `at`, then calls `onDue` once. */
export function countDown(element, at, words, onDue) {
  const due_ms = new Date(at).getTime();
  if (Number.isNaN(due_ms)) return;
  const timer = setInterval(tick, 1000);
  tick();

  function tick() {
    const left_s = (due_ms - Date.now()) / 1000;
    element.hidden = left_s > COUNTED_S_MAX;
    element.textContent = left_s > 0 ? words(span(left_s)) : words('a moment');
    if (left_s > 0) return;
    clearInterval(timer);
    onDue();
  }
}

/**
 * Asks the server for the poll, with growing and jittered pauses, until `isDue(poll)`; then calls `onDue(poll)`.
 * The server's clock decides, not the reader's.
 */
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
