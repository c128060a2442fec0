// Formats figures and times as text, exactly as the server's template does.

const short = new Intl.NumberFormat('en', { notation: 'compact' });
const whole = new Intl.NumberFormat('en');
const time = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const minute = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** 1234567 as "1,234,567". */
export const grouped = (count) => whole.format(count);

/** 120000 as "120K", for the edge of a chart. */
export const compact = (count) => short.format(count);

/** "1 vote", "2 votes". */
export const votesWords = (count) => `${grouped(count)} ${count === 1 ? 'vote' : 'votes'}`;

/** Share of the people counted, "41.7%". */
export const share = (votes, voters) => `${voters ? Math.min(100, (votes * 100) / voters).toFixed(1) : '0.0'}%`;

/** Votes per second: one decimal while small. */
export const pace = (rate) => (rate > 0 && rate < 10 ? rate.toFixed(1) : grouped(Math.round(rate)));

/** "16:40:31" in the reader's zone. */
export const timeOfDay = (rfc3339) => time.format(new Date(rfc3339));

/** "23 Nov 2026, 16:40" in the reader's zone; today's without the date. */
export function dayAndTime(rfc3339) {
  const at = new Date(rfc3339);
  return (at.toDateString() === new Date().toDateString() ? minute : moment).format(at);
}

/** Sets an element's text only when it differs: with ten frames a second, most texts stay the same. */
export function write(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}
