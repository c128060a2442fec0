// The words for the state of a poll, as the server's pages have them.

import { dayAndTime, grouped } from './figures.js';

export const isOver = (state) => state === 'closed' || state === 'archived';

export function stateWords({ state, final, waiting }) {
  if (state === 'open') return 'Voting is open';
  if (!isOver(state)) return 'Not open yet';
  if (final) return 'Final: voting has closed';
  return waiting > 0 ? `Closed: counting the last ${grouped(waiting)}` : 'Closed: counting the last votes';
}

export function hiddenWords({ visibility, state, closes_at }) {
  if (visibility !== 'after_close' && visibility !== 'after_vote') return 'The people who run this poll have not published them.';
  if (isOver(state)) return 'They appear here as soon as the last votes are counted.';
  if (visibility === 'after_vote') return 'You see them once you have voted, and everybody sees them once voting has closed.';
  const when = closes_at ? `, ${dayAndTime(closes_at)}` : '';
  return `They appear here as soon as voting closes${when}.`;
}

/** The word before the time that matters in a state, and that time, which may be null. */
export function milestone({ state, opens_at, closes_at }) {
  return state === 'open' ? ['until', closes_at] : isOver(state) ? ['closed', closes_at] : ['opens', opens_at];
}

/** Returns the function that names a leading option's place, by its votes; an empty text for the others. */
export function leadWords(tally) {
  const most = Math.max(...tally.options.map((option) => option.votes));
  const tied = tally.options.filter((option) => option.votes === most).length > 1;
  const words = tied ? 'Tied' : tally.final ? 'Most votes' : 'Leading';
  return (votes) => (votes > 0 && votes === most ? words : '');
}
