// Follows the state of a poll while the page is looked at: over an event stream, and by asking where there is none.
//
// The server refuses a stream when it holds as many as it may, and a proxy between may hold events back. Then the page asks
// every 15 s, and tries the stream again from time to time. A hidden page follows nothing: a browser opens only six
// connections to a server, and a phone in a pocket needs none.

import { hear } from './clock.js';

const ASK_MS = 15_000;
/** Shortest and longest wait before asking, as parts of ASK_MS: not all pages ask at once. */
const SPREAD = [0.7, 1.3];
/** While a change is due at any moment. */
const ASK_DUE_MS = 2_000;
const DUE_ASKS = 10;
/** A stream whose first event does not come within this time may be held back by a proxy. */
const FIRST_EVENT_MS_MAX = 4_000;
/** The server says every 15 s that it is there. */
const SILENCE_MS_MAX = 40_000;
const STREAM_AGAIN_MS = 60_000;
const CHECK_MS = 500;

const jittered = (ms) => ms * (SPREAD[0] + Math.random() * (SPREAD[1] - SPREAD[0]));

export class Follower {
  #api;
  #notify;
  #source = null;
  /** Whether the stream that is open has brought anything. */
  #isLive = false;
  #heard_ms = 0;
  #ask_ms = 0;
  #stream_ms = 0;
  #dueAsks = 0;
  #isAsking = false;

  /** Calls `notify(poll)` with each state that the server sends. `api` is the address of the poll. */
  constructor(api, notify) {
    this.#api = api;
    this.#notify = notify;
  }

  start() {
    const look = () => (document.hidden ? this.#rest() : this.#connect());
    document.addEventListener('visibilitychange', look);
    window.addEventListener('pageshow', (event) => event.persisted && look());
    window.addEventListener('pagehide', () => this.#rest());
    window.addEventListener('online', look);
    setInterval(() => this.#check(), CHECK_MS);
    look();
  }

  /** A change is due now: the page asks soon, unless the stream is faster. */
  hurry() {
    this.#dueAsks = DUE_ASKS;
    this.#ask_ms = Math.min(this.#ask_ms, Date.now() + jittered(ASK_DUE_MS / 2));
  }

  /** Asks the server for the state now. */
  async ask() {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const again_ms = this.#dueAsks > 0 ? ASK_DUE_MS : ASK_MS;
    this.#dueAsks -= 1;
    try {
      const options = { headers: { accept: 'application/json' }, cache: 'no-store' };
      let response = await fetch(`${this.#api}/state`, options);
      // A replica of the release before has no such address, and the same at this one.
      if (response.status === 404) response = await fetch(this.#api, options);
      if (response.ok) this.#take(await response.json());
    } catch {
      // Away for now: the page asks again.
    } finally {
      this.#isAsking = false;
      this.#ask_ms = Date.now() + jittered(again_ms);
    }
  }

  #connect() {
    this.#rest();
    const now = Date.now();
    this.#heard_ms = now;
    this.#ask_ms = now + jittered(ASK_MS);
    this.#stream_ms = now + jittered(STREAM_AGAIN_MS);
    if (!window.EventSource) return;
    const source = new EventSource(`${this.#api}/state/events`);
    this.#source = source;
    source.addEventListener('state', (event) => this.#hear(source, JSON.parse(event.data)));
    source.addEventListener('alive', (event) => this.#hear(source, JSON.parse(event.data)));
    source.addEventListener('error', () => {
      // A stream that was refused stays closed; a browser opens a broken one again by itself.
      if (source === this.#source) this.#isLive = false;
    });
  }

  #rest() {
    this.#source?.close();
    this.#source = null;
    this.#isLive = false;
  }

  #hear(source, message) {
    if (source !== this.#source) return;
    this.#isLive = true;
    this.#heard_ms = Date.now();
    this.#take(message);
  }

  #take(message) {
    hear(Date.parse(message.now));
    if (message.state) this.#notify(message);
  }

  #check() {
    if (document.hidden) return;
    const now = Date.now();
    const silence_ms = now - this.#heard_ms;
    if (this.#isLive && silence_ms > SILENCE_MS_MAX) return this.#connect();
    const isRefused = !this.#source || this.#source.readyState === EventSource.CLOSED;
    if (!this.#isLive && isRefused && window.EventSource && now >= this.#stream_ms) return this.#connect();
    const isHeldBack = !this.#isLive && silence_ms > FIRST_EVENT_MS_MAX;
    if ((isRefused || isHeldBack || this.#dueAsks > 0) && now >= this.#ask_ms) this.ask();
  }
}
