// What the chart is drawn from: the series once, then what each frame adds.
//
// A frame holds the last ten seconds. Votes that are counted later than that, after an outage say, change seconds that no frame
// tells any more. But then more people are counted than the frames' seconds account for, and the series is asked for anew: a
// while later, for it happens to all viewers at once.

import * as chart from './chart.js';
import * as clock from './clock.js';

const PAUSE_MS_MIN = 10_000;
const PAUSE_MS_MAX = 30_000;

export class History {
  #url;
  /** People counted when the chart last had all; null before the series came. */
  #people = null;
  /** Of the points, what is not among these people yet: a frame's points are read a moment after its tally. */
  #ahead = 0;
  /** Whether frames were missed since. */
  #missed = false;
  /** The last frame that came while the series was on its way. */
  #meanwhile = null;
  #asked = false;
  #timer = null;

  constructor(url) {
    this.#url = url;
  }

  /** Whether the series has come: until then the chart would show no votes where there may be some. */
  get isKnown() {
    return this.#people !== null;
  }

  /** Takes what a frame tells. */
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

  /** Frames may be missed from now on: a voter who chose anew meanwhile is in none that follows. */
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
