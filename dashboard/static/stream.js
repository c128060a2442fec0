// Keeps one event stream of one poll open.
//
// The server sends a sign of life every two seconds, so a silence means that the connection or the server is gone, even if
// the browser has not noticed. The browser reconnects by itself after a dropped connection. It gives up after an HTTP error;
// then this class reconnects, with a jittered back-off.

const BACK_OFF_MS_MIN = 1_000;
const BACK_OFF_MS_MAX = 30_000;
/** After this silence, and up to half as long again, the stream is opened anew: not all viewers do so at once. */
const SILENCE_MS_MAX = 10_000;
const CHECK_MS = 1_000;

export class Stream {
  #url;
  #notify;
  #source = null;
  #retry = null;
  #failures = 0;
  #heard_ms = 0;
  #patience_ms = 0;
  #watchdog = null;
  #check = () => this.#checkSilence();
  #offline = () => this.#notify({ kind: 'link', up: false });
  #online = () => this.#connect();

  /**
   * Calls `notify` with { kind: 'tally' | 'hidden', data } for each frame, with { kind: 'alive', data } for each sign of life, and
   * with { kind: 'link', up } for the connection. If `opened`, the stream is that of somebody who has voted.
   */
  constructor(poll, opened, notify) {
    this.#url = new URL(`../api/polls/${encodeURIComponent(poll)}/events`, import.meta.url).pathname + (opened ? '?opened' : '');
    this.#notify = notify;
  }

  open() {
    this.#connect();
    this.#watchdog = setInterval(this.#check, CHECK_MS);
    window.addEventListener('offline', this.#offline);
    window.addEventListener('online', this.#online);
    document.addEventListener('visibilitychange', this.#check);
  }

  close() {
    this.#disconnect();
    clearInterval(this.#watchdog);
    window.removeEventListener('offline', this.#offline);
    window.removeEventListener('online', this.#online);
    document.removeEventListener('visibilitychange', this.#check);
  }

  #connect() {
    this.#disconnect();
    this.#heard_ms = Date.now();
    this.#patience_ms = SILENCE_MS_MAX * (1 + Math.random() / 2);
    const source = new EventSource(this.#url);
    this.#source = source;
    for (const kind of ['tally', 'hidden']) {
      source.addEventListener(kind, (event) => this.#hear({ kind, data: JSON.parse(event.data) }));
    }
    source.addEventListener('alive', (event) => this.#hear({ kind: 'alive', data: JSON.parse(event.data) }));
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

  #hear(message) {
    this.#failures = 0;
    this.#heard_ms = Date.now();
    this.#notify(message);
    this.#notify({ kind: 'link', up: true });
  }

  #checkSilence() {
    if (!this.#source || this.#source.readyState === EventSource.CLOSED) return;
    if (Date.now() - this.#heard_ms < this.#patience_ms) return;
    this.#notify({ kind: 'link', up: false });
    this.#connect();
  }
}
