// Sends a ballot again and again until the server gives a final answer.
//
// Only status 202 means accepted. Sending again is harmless: all attempts carry the page's voting token, or the voting
// code, and one idempotency key, so they are the same voter's and the same ballot.

import { now_ms } from './clock.js';

/** Problems are answered in the language of the page. */
const { lang } = document.documentElement;

const ATTEMPTS_MAX = 10;
const ANSWER_MS_MAX = 15_000;
const WAIT_MS_MAX = 30_000;
// Each challenge that is solved is another one only if the solution came too late, or was not accepted.
const CHALLENGES_MAX = 4;
// The last try before the closing time comes so long before it, and is spread over so long.
const BEFORE_CLOSING_MS = 500;
const SPREAD_BEFORE_CLOSING_MS = 2_500;

/**
 * Resolves to one of
 *   { kind: 'accepted', choices, receipt }            202
 *   { kind: 'stands', choices }              409, with the choices that stand
 *   { kind: 'refused', problem }             any other answer that sending again would not change
 *   { kind: 'unconfirmed', stopped }         no good answer: given up, or stopped by the voter
 *
 * `key` is the idempotency key of the ballot. `closes_ms()` is the poll's closing time, NaN if there is none. Calls
 * `onWait({ attempt, wait_ms, reason, detail, closing })` before each wait; `closing` is 'soon' if the poll closes right
 * after the next try, 'over' if it has closed, else ''. `signal` stops everything. `solve(challenge)` resolves to the
 * solution of a challenge, with which the ballot is sent again.
 */
export async function sendBallot(url, ballot, key, { signal, onWait, solve, closes_ms = () => NaN }) {
  let solution = null;
  let challenges = 0;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    if (signal.aborted) break;
    const answer = await post(url, { ...ballot, ...(solution && { solution }) }, key, signal);
    // A solution that the server would not accept again is replaced by one that it does.
    solution = answer.solution ?? solution;
    if (answer.kind === 'challenge' && challenges < CHALLENGES_MAX) {
      challenges += 1;
      attempt -= 1;
      solution = await solve(answer.challenge);
      continue;
    }
    if (answer.kind === 'challenge') return { kind: 'refused', problem: answer.problem };
    if (answer.kind !== 'busy') return answer;
    if (signal.aborted || attempt === ATTEMPTS_MAX) break;
    const { wait_ms, closing } = beforeClosing(backOff(attempt, answer.retry_after_ms), closes_ms() - now_ms());
    onWait({ attempt, wait_ms, reason: answer.reason, detail: answer.detail, closing });
    await pause(wait_ms, signal, answer.reason === 'network');
  }
  return { kind: 'unconfirmed', stopped: signal.aborted };
}

/** Returns the wait in ms: at least Retry-After, else 0.5 s doubling to 30 s, with jitter to spread a crowd out. */
export function backOff(attempt, retry_after_ms = 0, random = Math.random) {
  const doubled = Math.min(WAIT_MS_MAX, 500 * 2 ** attempt);
  const base = Math.max(retry_after_ms, doubled / 2);
  return Math.round(base + random() * Math.max(doubled / 2, base / 4));
}

/**
 * Shortens a wait that would end after the closing time, which comes in `left_ms`, so that there is one more try before.
 * After the closing time the page goes on, because only the server knows whether an earlier try was stored in time.
 */
export function beforeClosing(wait_ms, left_ms, random = Math.random) {
  if (Number.isNaN(left_ms) || wait_ms < left_ms - BEFORE_CLOSING_MS) return { wait_ms, closing: '' };
  if (left_ms <= 0) return { wait_ms, closing: 'over' };
  const latest_ms = left_ms - BEFORE_CLOSING_MS - random() * SPREAD_BEFORE_CLOSING_MS;
  if (latest_ms < BEFORE_CLOSING_MS) {
    // Too little time is left for one more try before it. The one after it learns how the earlier ones ended.
    return { wait_ms: Math.round(left_ms + BEFORE_CLOSING_MS + random() * SPREAD_BEFORE_CLOSING_MS), closing: 'soon' };
  }
  return { wait_ms: Math.round(Math.min(wait_ms, latest_ms)), closing: 'soon' };
}

/** `Retry-After` in ms: seconds or a date; 0 when missing or unreadable. */
export function retryAfter(header) {
  if (!header) return 0;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now_ms();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

/** Returns a new idempotency key: 32 random hexadecimal digits. `crypto.randomUUID` exists behind TLS only. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function post(url, ballot, key, signal) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), ANSWER_MS_MAX);
  const stop = () => late.abort();
  signal.addEventListener('abort', stop);
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, application/problem+json',
        'accept-language': lang,
        'idempotency-key': `"${key}"`,
      },
      body: JSON.stringify(ballot),
      credentials: 'same-origin',
      signal: late.signal,
    });
    return await read(response);
  } catch {
    return { kind: 'busy', reason: 'network', retry_after_ms: 0 };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

async function read(response) {
  const { status } = response;
  const retry_after_ms = retryAfter(response.headers.get('retry-after'));
  const body = await response.json().catch(() => null);
  const { solution } = body ?? {};
  const name = String(body?.type ?? '').split('/').pop();
  // A wrong code stays wrong, however often it is sent.
  if (status === 429 && name !== 'too-many-wrong-codes') {
    return { kind: 'busy', reason: 'limit', detail: body?.detail, retry_after_ms, solution };
  }
  if (status === 408) return { kind: 'busy', reason: 'slow', retry_after_ms, solution };
  if (status >= 500) return { kind: 'busy', reason: 'server', retry_after_ms, solution };
  if (status === 202 && body?.status === 'accepted') return { kind: 'accepted', choices: body.choices, receipt: body.receipt };
  if (status === 409 && Array.isArray(body?.choices)) return { kind: 'stands', choices: body.choices };
  const problem = { ...body, name };
  if (name === 'challenge-required' && body.challenge) return { kind: 'challenge', challenge: body.challenge, problem };
  return { kind: 'refused', problem };
}

/** Waits; ends early when stopped, and when the network comes back after it was away. */
function pause(ms, signal, until_online) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      window.removeEventListener('online', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
    if (until_online) window.addEventListener('online', end);
  });
}
