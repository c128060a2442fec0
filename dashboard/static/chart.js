// Votes per second over the last five minutes, drawn as one SVG path.
//
// The server leaves out seconds without votes, which count as zero. The current second is drawn only when it is over.

import { now } from './clock.js';
import { compact, grouped, pace, write } from './figures.js';
import { message } from './messages.js';

const SECONDS = 300;
const RATE_SECONDS = 3;

const votes = new Map();
const byId = (id) => document.getElementById(id);

/** Adds [[unix_s, votes], …], replacing seconds that were known. Returns by how many votes the total grew. */
export function add(points) {
  let grown = 0;
  for (const [second, count] of points) {
    grown += count - (votes.get(second) ?? 0);
    votes.set(second, count);
  }
  const oldest = now() - SECONDS - 10;
  for (const second of votes.keys()) if (second < oldest) votes.delete(second);
  return grown;
}

/** Removes all points, before a whole series is added. */
export function clear() {
  votes.clear();
}

export function draw() {
  const last = Math.floor(now()) - 1;
  const series = Array.from({ length: SECONDS }, (_, index) => votes.get(last - SECONDS + 1 + index) ?? 0);
  const peak = Math.max(...series);
  const top = niceTop(peak);
  const x = (index) => ((index / (SECONDS - 1)) * 300).toFixed(1);
  const y = (count) => (99 - (count / top) * 97).toFixed(1);
  const line = series.map((count, index) => `${x(index)} ${y(count)}`).join('L');
  byId('chart-line').setAttribute('d', `M${line}`);
  byId('chart-area').setAttribute('d', `M0 100L${line}L300 100Z`);
  byId('chart').hidden = false;
  byId('rate-fact').hidden = false;
  write(byId('chart-max'), compact(top));
  write(byId('chart-half'), top % 2 ? '' : compact(top / 2));

  const rate = series.slice(-RATE_SECONDS).reduce((sum, count) => sum + count, 0) / RATE_SECONDS;
  write(byId('rate'), pace(rate));
  const total = series.reduce((sum, count) => sum + count, 0);
  const summary = () => message('chart-summary', { peak: grouped(peak), mean: pace(total / SECONDS) });
  write(byId('chart-summary'), peak ? summary() : message('chart-empty'));
}

/** The top of the scale: the first of 2, 4, 10, 20, 40, 100… that is at or above the peak. */
function niceTop(peak) {
  for (let ten = 1; ; ten *= 10) {
    for (const step of [2, 4, 10]) if (peak <= step * ten) return step * ten;
  }
}
