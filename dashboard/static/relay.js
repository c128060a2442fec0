// Shares one event stream among all tabs of a poll.
//
// A browser opens at most six HTTP/1.1 connections to a server, so with a stream in each tab the seventh tab would hang.
// Instead the tab that holds a lock, the leader, keeps the stream and passes its events on over a broadcast channel. When the
// leader closes, the next tab gets the lock. A visible tab whose leader stays silent takes the lock over, because phones
// suspend hidden tabs while they hold it. Where locks or channels are missing, each tab opens a stream of its own.

import { Stream } from './stream.js';

const SILENCE_MS_MAX = 10_000;
const ANSWER_MS_MAX = 2_000;

export class Relay {
  #poll;
  #opened;
  #notify;
  #name;
  #channel = null;
  #stream = null;
  #release = null;
  #queue = null;
  #timer = null;
  #heard_ms = 0;
  #last = { frame: null, link: null };

  /** Calls `notify` with each event of the stream, and with { kind: 'role', role: 'leader' | 'follower' | 'alone' }. The results of
   *  somebody who has voted may be `opened`, and then have a stream of their own. */
  constructor(poll, notify, opened = false) {
    this.#poll = poll;
    this.#notify = notify;
    this.#opened = opened;
    // A tab that was opened before its reader had voted has a stream without results.
    this.#name = `votestream:results:2:${poll}${opened ? ':opened' : ''}`;
  }

  start() {
    if (!navigator.locks || !window.BroadcastChannel) {
      this.#lead('alone');
      return;
    }
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.addEventListener('message', (event) => this.#receive(event.data));
    this.#heard_ms = Date.now();
    this.#notify({ kind: 'role', role: 'follower' });
    this.#queueForLock();
    this.#channel.postMessage({ kind: 'ask' });
    this.#timer = setInterval(() => this.#watchLeader(), ANSWER_MS_MAX);
  }

  stop() {
    clearInterval(this.#timer);
    this.#queue?.abort();
    this.#queue = null;
    this.#unlead();
    this.#channel?.close();
    this.#channel = null;
  }

  /* The leader keeps the stream. */

  #queueForLock() {
    this.#queue = new AbortController();
    this.#hold({ signal: this.#queue.signal });
  }

  #hold(options) {
    const held = () =>
      new Promise((resolve) => {
        this.#queue = null;
        this.#release = resolve;
        this.#lead('leader');
      });
    navigator.locks.request(this.#name, options, held).catch((error) => {
      // A sandboxed frame may have no locks.
      if (error.name === 'SecurityError') return this.#lead('alone');
      // Either stop() removed this tab from the queue, or another tab took the lock over; follow that one then.
      if (!this.#release || !this.#channel) return;
      this.#unlead();
      this.#notify({ kind: 'role', role: 'follower' });
      this.#heard_ms = Date.now();
      this.#queueForLock();
    });
  }

  #lead(role) {
    this.#notify({ kind: 'role', role });
    this.#stream = new Stream(this.#poll, this.#opened, (message) => {
      if (message.kind === 'link') this.#last.link = message;
      else if (message.kind !== 'alive') this.#last.frame = message;
      this.#channel?.postMessage(message);
      this.#notify(message);
    });
    this.#stream.open();
  }

  #unlead() {
    this.#stream?.close();
    this.#stream = null;
    this.#release?.();
    this.#release = null;
  }

  /* Followers listen on the channel. */

  #receive(message) {
    if (message.kind === 'ask') {
      if (!this.#stream) return;
      this.#channel.postMessage({ kind: 'here' });
      // What was heard before is no news from the server.
      if (this.#last.frame) this.#channel.postMessage({ ...this.#last.frame, again: true });
      if (this.#last.link) this.#channel.postMessage(this.#last.link);
      return;
    }
    if (this.#stream) return;
    this.#heard_ms = Date.now();
    if (message.kind !== 'here') this.#notify(message);
  }

  #watchLeader() {
    if (this.#stream || document.hidden) return;
    const silent_ms = Date.now() - this.#heard_ms;
    if (silent_ms < SILENCE_MS_MAX) return;
    if (silent_ms < SILENCE_MS_MAX + 2 * ANSWER_MS_MAX) {
      this.#channel.postMessage({ kind: 'ask' });
      return;
    }
    this.#queue?.abort();
    this.#queue = null;
    this.#heard_ms = Date.now();
    this.#hold({ steal: true });
  }
}
