// The words for the state of a poll, as the server's pages have them.

import { dayAndTime } from './figures.js';
import { message } from './messages.js';

export const isOver = (state) => state === 'closed' || state === 'archived';

export function stateWords({ state, final, waiting }) {
  if (state === 'open') return message('results-open');
  if (!isOver(state)) return message('results-not-open');
  if (final) return message('results-final');
  return waiting > 0 ? message('results-counting-some', { waiting }) : message('results-counting');
}

export function hiddenWords({ visibility, state, closes_at }) {
  if (visibility !== 'after_close' && visibility !== 'after_vote') return message('hidden-not-published');
  if (isOver(state)) return message('hidden-counting');
  if (visibility === 'after_vote') return message('hidden-after-vote');
  return closes_at ? message('hidden-until', { at: dayAndTime(closes_at) }) : message('hidden-until-close');
}

/** The word before the time that matters in a state, and that time, which may be null. */
export function milestone({ state, opens_at, closes_at }) {
  if (state === 'open') return [message('until'), closes_at];
  return isOver(state) ? [message('closed-at'), closes_at] : [message('opens-at'), opens_at];
}

/** Returns the function that names a leading option's place, by its votes; an empty text for the others. */
export function leadWords(tally) {
  const most = Math.max(...tally.options.map((option) => option.votes));
  const tied = tally.options.filter((option) => option.votes === most).length > 1;
  const words = message(tied ? 'lead-tied' : tally.final ? 'lead-most' : 'lead-leading');
  return (votes) => (votes > 0 && votes === most ? words : '');
}
