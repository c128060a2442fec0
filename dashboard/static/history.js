// The data of the chart: the whole series once, then the seconds that each frame adds.
//
// A frame holds the last ten seconds only. Votes that are counted later, for example after an outage, belong to seconds that
// no frame repeats. Then the number of people counted exceeds what the frames account for, and the page requests the series
// again. It waits a random while first, because this happens to all viewers at once.

import * as chart from './chart.js';
import * as clock from './clock.js';

const PAUSE_MS_MIN = 10_000;
const PAUSE_MS_MAX = 30_000;

export class History {
  #url;
  /** The number of people counted when the chart was last complete; null before the series has arrived. */
  #people = null;
  /** Votes in the points that this number does not include yet: a frame's points are read a moment after its tally. */
  #ahead = 0;
  /** Whether frames may have been missed since then. */
  #missed = false;
  /** The last frame that arrived while the series was being requested. */
  #meanwhile = null;
  #asked = false;
  #timer = null;

  constructor(url) {
    this.#url = url;
  }

  /** Whether the series has arrived. Until then the chart would show zero where there may be votes. */
  get isKnown() {
    return this.#people !== null;
  }

  /** Adds the points of a frame. */
  add({ voters, recent }) {
    this.#meanwhile = { voters, recent };
    const grown = chart.add(recent);
    if (!this.#asked) this.#load();
    if (this.#people === null) return;
    const ahead = this.#ahead + grown - (voters - this.#people);
    if (ahead < 0 || this.#missed) this.#loadLater();
    this.#missed = false;
    this.#people = voters;
    this.#ahead = Math.max(0, Math.min(ahead, grown));
  }

  /** Notes that frames may be missed from now on. A voter who changes their choice meanwhile is in no later frame. */
  miss() {
    this.#missed = true;
  }

  async #load() {
    this.#asked = true;
    this.#meanwhile = null;
    try {
      const response = await fetch(this.#url, { cache: 'no-store' });
      if (!response.ok) return this.#loadLater();
      const series = await response.json();
      clock.hear(series.to * 1000);
      chart.clear();
      chart.add(series.points);
      chart.draw();
      this.#people = series.voters;
      this.#ahead = 0;
      if (this.#meanwhile) this.add(this.#meanwhile);
    } catch {
      this.#loadLater();
    }
  }

  #loadLater() {
    if (this.#timer !== null) return;
    const pause_ms = PAUSE_MS_MIN + (PAUSE_MS_MAX - PAUSE_MS_MIN) * Math.random();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#load();
    }, pause_ms);
  }
}
