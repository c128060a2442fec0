// The places of the options on the presenter view. `present.rs` of the server gives the first ones, by the same rules.

import { barLength, grouped, shareTenths, shareWords, write } from './figures.js';
import { leadWords } from './words.js';

const ROWS_MAX = 11;
const ONE_COLUMN_MAX = 6;
/** What a whole bar can stand for in two columns, in tenths of a percent. */
const SCALES = [100, 250, 500, 1000];
/** Options change places at most this often, so that the screen stays calm. */
const REORDER_MS = 2_000;
const MOVE = { duration: 600, easing: 'cubic-bezier(0.2, 0.7, 0.3, 1)' };

/** Which options have a place, in order, and which are summed up; all as positions on the ballot. */
export function placesOf(votes, order) {
  const shown = votes.map((_, position) => position).sort((a, b) => votes[b] - votes[a] || a - b);
  const rest = votes.length > 2 * ROWS_MAX ? shown.splice(2 * ROWS_MAX - 1) : [];
  if (order === 'ballot') shown.sort((a, b) => a - b);
  const columns = votes.length > ONE_COLUMN_MAX ? 2 : 1;
  return { shown, rest, rows: Math.ceil((shown.length + (rest.length ? 1 : 0)) / columns), columns };
}

export class Places {
  #list;
  #order;
  #items;
  #rest;
  #tally = null;
  #moved_ms = -Infinity;
  #later = null;

  constructor(list, order) {
    this.#list = list;
    this.#order = order;
    this.#items = new Map([...list.querySelectorAll('[data-option]')].map((item) => [item.dataset.option, item]));
    this.#rest = list.querySelector('#rest');
  }

  /** Whether the page was rendered with exactly these options, and with these words if there are several languages of them. */
  fits({ options, words }) {
    if (String(words ?? '') !== (this.#list.closest('[data-poll]').dataset.words ?? '')) return false;
    return options.length === this.#items.size && options.every(({ slug }) => this.#items.has(slug));
  }

  show(tally) {
    this.#tally = tally;
    const lead = leadWords(tally);
    const tenths = shareTenths(tally);
    const scale = tenths.length > ONE_COLUMN_MAX ? SCALES.find((most) => most >= Math.max(...tenths)) : 1000;
    for (const [position, option] of tally.options.entries()) {
      const item = this.#items.get(option.slug);
      const words = lead(option.votes);
      // A frame is the same for all pages, so it has the labels in one language.
      if (tally.words === undefined) write(item.querySelector('.place-name'), option.label);
      write(item.querySelector('.place-votes'), grouped(option.votes));
      write(item.querySelector('.place-share'), shareWords(tenths[position], option.votes, tally.voters));
      const tag = item.querySelector('.place-lead');
      tag.hidden = !words;
      write(tag, words);
      item.toggleAttribute('data-lead', Boolean(words));
      const length = barLength(Math.floor((tenths[position] * 1000) / scale));
      item.querySelector('.bar-fill').setAttribute('width', length);
      item.querySelector('.bar-cap').setAttribute('x', length);
    }
    this.#arrangeSoon();
  }

  stop() {
    clearTimeout(this.#later);
    this.#later = null;
  }

  #arrangeSoon() {
    const wait_ms = this.#moved_ms + REORDER_MS - performance.now();
    if (wait_ms <= 0) return this.#arrange();
    this.#later ??= setTimeout(() => {
      this.#later = null;
      this.#arrange();
    }, wait_ms);
    this.#sumUp();
  }

  /** Moves each option to its place. Whatever moves glides there, so that eyes can follow it. */
  #arrange() {
    const { options } = this.#tally;
    const { shown } = placesOf(options.map(({ votes }) => votes), this.#order);
    const wanted = new Map(shown.map((position, place) => [options[position].slug, place]));
    const changes = [...this.#items].some(([slug, item]) => {
      const place = wanted.get(slug);
      return item.hidden !== (place === undefined) || (place !== undefined && item.style.order !== String(place));
    });
    if (changes) {
      const isFirst = this.#moved_ms === -Infinity;
      const before = new Map([...this.#items].map(([slug, item]) => [slug, item.getBoundingClientRect()]));
      for (const [slug, item] of this.#items) {
        const place = wanted.get(slug);
        item.hidden = place === undefined;
        item.style.order = place === undefined ? '' : String(place);
      }
      this.#rest.style.order = String(shown.length);
      if (!isFirst) this.#glide(before);
    }
    this.#moved_ms = performance.now();
    this.#sumUp();
  }

  #glide(before) {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
    for (const [slug, item] of this.#items) {
      const [from, to] = [before.get(slug), item.getBoundingClientRect()];
      if (item.hidden) continue;
      if (!from.width) {
        item.animate([{ opacity: 0 }, { opacity: 1 }], MOVE);
      } else if (from.x !== to.x || from.y !== to.y) {
        item.animate([{ transform: `translate(${from.x - to.x}px, ${from.y - to.y}px)` }, { transform: 'none' }], MOVE);
      }
    }
  }

  /** Sums up the options that have no place at the moment. */
  #sumUp() {
    if (this.#rest.hidden) return;
    const { options, voters } = this.#tally;
    const votes = options.filter(({ slug }) => this.#items.get(slug).hidden).reduce((sum, option) => sum + option.votes, 0);
    write(this.#rest.querySelector('.place-votes'), grouped(votes));
    // One person may have chosen several of them, or none at all, so a share is shown only where everybody has one vote.
    const each_one = options.reduce((sum, option) => sum + option.votes, 0) === voters;
    const tenths = voters ? Math.round((votes * 1000) / voters) : 0;
    write(this.#rest.querySelector('.place-share'), each_one ? shareWords(tenths, votes, voters) : '');
  }
}
