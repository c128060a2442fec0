// The bars and the table, which show the same figures.

import { barLength, grouped, shareTenths, shareWords, votesWords, write } from './figures.js';
import { leadWords } from './words.js';

const rows = new Map([...document.querySelectorAll('#standings [data-option]')].map((row) => [row.dataset.option, row]));
const cells = new Map([...document.querySelectorAll('#results-table [data-option]')].map((row) => [row.dataset.option, row]));

const known_words = document.getElementById('results').dataset.words ?? '';

/** Whether the page was rendered with exactly these options, and with these words if there are several languages of them. */
export function fits(tally) {
  if (String(tally.words ?? '') !== known_words) return false;
  return tally.options.length === rows.size && tally.options.every((option) => rows.has(option.slug));
}

/** The tally with the labels of this page, where the poll has them in several languages: a frame is the same for all pages. */
export function inOurLanguage(tally) {
  if (tally.words === undefined) return tally;
  const label = ({ slug }) => rows.get(slug).querySelector('.row-name').textContent;
  return { ...tally, options: tally.options.map((option) => ({ ...option, label: label(option) })) };
}

export function showStandings(tally) {
  const lead = leadWords(tally);
  const tenths = shareTenths(tally);
  for (const [position, option] of tally.options.entries()) {
    const part = shareWords(tenths[position], option.votes, tally.voters);
    write(rows.get(option.slug).querySelector('.row-name'), option.label);
    showRow(rows.get(option.slug), option.votes, part, barLength(tenths[position]), lead(option.votes));
    const cell = cells.get(option.slug);
    write(cell.querySelector('th'), option.label);
    write(cell.querySelector('.cell-votes'), grouped(option.votes));
    write(cell.querySelector('.cell-share'), part);
  }
  const voters = grouped(tally.voters);
  write(document.getElementById('voters'), voters);
  write(document.querySelector('#results-table .cell-voters'), voters);
}

function showRow(row, votes, part, length, lead) {
  row.dataset.votes = votes;
  write(row.querySelector('.row-share'), part);
  write(row.querySelector('.row-votes'), votesWords(votes));
  const tag = row.querySelector('.row-lead');
  tag.hidden = !lead;
  write(tag, lead);
  // Presentation attributes need no exception in the content security policy, and CSS can animate them.
  row.querySelector('.bar-fill').setAttribute('width', length);
  row.querySelector('.bar-cap').setAttribute('x', length);
}
