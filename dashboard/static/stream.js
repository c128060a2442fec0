// Keeps one event stream of one poll open.
//
// The browser reconnects by itself after a dropped connection. It gives up after an HTTP error; then this class reconnects,
// with a jittered back-off. Heartbeats are comments, which a script cannot see. So after a silence the page requests the tally
// once, and reopens the stream if it has fallen behind the tally.

const BACK_OFF_MS_MIN = 1_000;
const BACK_OFF_MS_MAX = 30_000;
const SILENCE_MS_MAX = 30_000;
const ANSWER_MS_MAX = 10_000;

export class Stream {
  #url;
  #tally_url;
  #notify;
  #source = null;
  #retry = null;
  #failures = 0;
  #heard_ms = 0;
  #version = null;
  #watchdog = null;
  #wake = () => this.#check();

  /** Calls `notify` with { kind: 'tally' | 'hidden', data } for each event, and with { kind: 'link', up } for the connection. */
  constructor(poll, notify) {
    const base = `/api/polls/${encodeURIComponent(poll)}`;
    this.#url = `${base}/events`;
    this.#tally_url = `${base}/tally`;
    this.#notify = notify;
  }

  open() {
    this.#connect();
    this.#watchdog = setInterval(this.#wake, SILENCE_MS_MAX * (0.8 + 0.4 * Math.random()));
    window.addEventListener('online', this.#wake);
    document.addEventListener('visibilitychange', this.#wake);
  }

  close() {
    this.#disconnect();
    clearInterval(this.#watchdog);
    window.removeEventListener('online', this.#wake);
    document.removeEventListener('visibilitychange', this.#wake);
  }

  #connect() {
    this.#disconnect();
    this.#heard_ms = Date.now();
    const source = new EventSource(this.#url);
    this.#source = source;
    for (const kind of ['tally', 'hidden']) {
      source.addEventListener(kind, (event) => this.#hear(kind, JSON.parse(event.data)));
    }
    source.addEventListener('error', () => {
      this.#notify({ kind: 'link', up: false });
      if (source.readyState === EventSource.CLOSED) this.#connectLater();
    });
  }

  #disconnect() {
    clearTimeout(this.#retry);
    this.#retry = null;
    this.#source?.close();
    this.#source = null;
  }

  #connectLater() {
    if (this.#retry) return;
    const most_ms = Math.min(BACK_OFF_MS_MAX, BACK_OFF_MS_MIN * 2 ** this.#failures);
    this.#failures += 1;
    this.#retry = setTimeout(() => this.#connect(), most_ms * (0.5 + Math.random()));
  }

  #hear(kind, data) {
    this.#failures = 0;
    this.#heard_ms = Date.now();
    this.#version = kind === 'tally' ? data.version : null;
    this.#notify({ kind, data });
    this.#notify({ kind: 'link', up: true });
  }

  async #check() {
    if (this.#source?.readyState === EventSource.CLOSED || !this.#source) return;
    if (Date.now() - this.#heard_ms < SILENCE_MS_MAX * 0.75) return;
    this.#heard_ms = Date.now();
    const behind = await this.#isBehind();
    if (behind) {
      this.#notify({ kind: 'link', up: false });
      this.#connect();
    }
  }

  async #isBehind() {
    try {
      const signal = AbortSignal.timeout?.(ANSWER_MS_MAX);
      const response = await fetch(this.#tally_url, { cache: 'no-store', signal });
      if (response.status === 403) return this.#version !== null;
      if (!response.ok) return false;
      return (await response.json()).version !== this.#version;
    } catch {
      return true;
    }
  }
}
