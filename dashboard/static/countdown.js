// Counts down to the time when a poll opens or closes, on the server's clock.

import { now } from './clock.js';
import { dayAndTime } from './figures.js';
import { message } from './messages.js';
import { milestone } from './words.js';

const DAY_S = 86_400;

/** The words for a time that lies `seconds` ahead: "4:05", "1:04:05"; none for a time of another day. */
export function clockWords(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const two = (number) => String(number).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** What the countdown of a poll in this state says now: { words, clock }, or null if there is no time to wait for. */
export function countdown(poll) {
  const [, at] = milestone(poll);
  if (!at || !['open', 'scheduled', 'draft'].includes(poll.state)) return null;
  const seconds = Date.parse(at) / 1000 - now();
  const isOpen = poll.state === 'open';
  if (seconds > DAY_S) return { words: message(isOpen ? 'countdown-closes-at' : 'countdown-opens-at', { at: dayAndTime(at) }), clock: '' };
  return { words: message(isOpen ? 'countdown-closes-in' : 'countdown-opens-in'), clock: clockWords(seconds) };
}
