// Solves the challenge that the server sends instead of an answer: by calculating, or with the script of another service.

import { Unsolvable } from './words.js';

const SCRIPT_MS_MAX = 15_000;

/**
 * Resolves to the solution. Calls `onProgress(share)` while the computer calculates, with the share that is done, and
 * `onAsk()` when the voter may have to do something in `place`. Rejects with `Unsolvable`, or when `signal` stops it.
 */
export function solve(challenge, { signal, onProgress, onAsk, place }) {
  switch (challenge.kind) {
    case 'work':
      return calculate(challenge, signal, onProgress);
    case 'siteverify':
      onAsk();
      return askWidget(challenge, signal, place);
    default:
      return Promise.reject(new Unsolvable('Reload this page: it is older than the service.'));
  }
}

function calculate({ text, seed, parts, below }, signal, onProgress) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./work.js', import.meta.url));
    const numbers = [];
    const end = (settle, value) => {
      worker.terminate();
      signal.removeEventListener('abort', stop);
      settle(value);
    };
    const stop = () => end(reject, new Error('stopped'));
    signal.addEventListener('abort', stop);
    worker.onerror = () => end(reject, new Unsolvable('Your browser cannot do the calculation. Try another browser.'));
    worker.onmessage = ({ data }) => {
      numbers.push(data.number.toString(16));
      onProgress(numbers.length / parts);
      if (numbers.length === parts) end(resolve, `${text}.${numbers.join('-')}`);
    };
    worker.postMessage({ seed, parts, below });
  });
}

/** Turnstile, hCaptcha and reCAPTCHA are called alike: `render` shows a widget, which calls back with a token. */
async function askWidget({ script, site_key }, signal, place) {
  const api = await load(script, signal);
  const box = document.createElement('div');
  place.replaceChildren(box);
  place.hidden = false;
  try {
    return await new Promise((resolve, reject) => {
      const failed = () => reject(new Unsolvable('The check that you are a person did not work. Reload this page and try again.'));
      signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true });
      api.render(box, { sitekey: site_key, callback: resolve, 'error-callback': failed, 'expired-callback': failed });
    });
  } finally {
    place.replaceChildren();
    place.hidden = true;
  }
}

function known() {
  return [window.turnstile, window.hcaptcha, window.grecaptcha].find((api) => typeof api?.render === 'function');
}

/** Loads the script of the other service, and waits until it can be called. */
async function load(address, signal) {
  const unsolvable = new Unsolvable('The check that you are a person cannot be loaded. A blocker of scripts may be the reason.');
  const latest_ms = Date.now() + SCRIPT_MS_MAX;
  let failed = false;
  if (!known()) {
    const element = document.createElement('script');
    element.addEventListener('error', () => (failed = true));
    element.src = address;
    document.head.append(element);
  }
  while (!known() && !failed && !signal.aborted && Date.now() < latest_ms) await new Promise((resolve) => setTimeout(resolve, 50));
  if (signal.aborted) throw new Error('stopped');
  if (!known()) throw unsolvable;
  return known();
}
