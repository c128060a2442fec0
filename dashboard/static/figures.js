// Formats figures and times as text, exactly as the server's template does.

import { message, number, numberFormat, percent, timeFormat } from './messages.js';

const short = numberFormat({ notation: 'compact' });
const tenths = numberFormat({ minimumFractionDigits: 1, maximumFractionDigits: 1 });
const second = timeFormat({ timeStyle: 'long' });
const full = timeFormat({ dateStyle: 'medium', timeStyle: 'long' });
const hours = { hour: 'numeric', minute: '2-digit', timeZoneName: 'short' };
const minute = timeFormat(hours);
const moment = timeFormat({ ...hours, day: 'numeric', month: 'short', year: 'numeric' });

/** 1234567 as "1,234,567". */
export const grouped = number;

/** 120000 as "120K", for the edge of a chart. */
export const compact = (count) => short.format(count);

/** "1 vote", "2 votes". */
export const votesWords = (votes) => message('votes', { votes });

/**
 * The shares of all options, of the people counted, in tenths of a percent. Where each person has one vote they add up to
 * 1000: each is rounded down, and what is left goes to the largest remainders. `Tally::shares` of the server is the same.
 */
export function shareTenths(tally) {
  const { voters } = tally;
  if (!voters) return tally.options.map(() => 0);
  const votes = tally.options.map((option) => option.votes);
  const tenths = votes.map((count) => Math.floor((count * 1000) / voters));
  const remainder = (position) => (votes[position] * 1000) % voters;
  const positions = votes.map((_, position) => position);
  if (votes.reduce((sum, count) => sum + count, 0) === voters) {
    const left = 1000 - tenths.reduce((sum, count) => sum + count, 0);
    positions.sort((a, b) => remainder(b) - remainder(a) || a - b);
    for (const position of positions.slice(0, left)) tenths[position] += 1;
  } else {
    for (const position of positions) if (2 * remainder(position) >= voters) tenths[position] += 1;
  }
  return tenths;
}

/** A share as people read it, "41.7%". Only nobody reads 0.0%, and only everybody 100.0%. */
export function shareWords(tenths, votes, voters) {
  if (tenths <= 0 && votes > 0) return `<${percent(1)}`;
  if (tenths >= 1000 && votes < voters) return `>${percent(999)}`;
  return percent(tenths);
}

/** Tenths of a percent as the length of a bar. */
export const barLength = (tenths) => `${Math.floor(tenths / 10)}.${tenths % 10}%`;

/** Votes per second: one decimal while small. */
export const pace = (rate) => (rate > 0 && rate < 10 ? tenths.format(rate) : grouped(Math.round(rate)));

/** "16:40:31 CET" in the reader's zone; with the date if it was not today. */
export function timeOfDay(rfc3339) {
  const at = new Date(rfc3339);
  return (at.toDateString() === new Date().toDateString() ? second : full).format(at);
}

/** "23 Nov 2026, 16:40 CET" in the reader's zone; today's without the date. */
export function dayAndTime(rfc3339) {
  const at = new Date(rfc3339);
  return (at.toDateString() === new Date().toDateString() ? minute : moment).format(at);
}

/** "23 Nov 2026, 16:40:31 CET": for paper, which does not know the day. */
export const fullTime = (rfc3339) => full.format(new Date(rfc3339));

/** Sets an element's text only when it differs: with ten frames a second, most texts stay the same. */
export function write(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}
