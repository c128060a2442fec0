// Helpers that write text into the page, always through textContent.

import { message } from './messages.js';

/** Seconds as "8 s", "4 min 05 s", "2 h 10 min", "3 days 4 h". */
export function span(seconds) {
  const two = (number) => String(number).padStart(2, '0');
  const s = Math.max(0, Math.ceil(seconds));
  if (s < 60) return message('span-seconds', { s });
  if (s < 3600) return message('span-minutes', { m: Math.floor(s / 60), s: two(s % 60) });
  if (s < 86400) return message('span-hours', { h: Math.floor(s / 3600), m: two(Math.floor(s / 60) % 60) });
  const days = Math.floor(s / 86400);
  return message('span-days', { days, h: Math.floor(s / 3600) % 24 });
}

/** Turns a problem's detail into a sentence, as the server's pages do. */
export function sentence(detail) {
  const end = /[.!?؟]$/.test(detail) ? '' : '.';
  return detail && detail[0].toUpperCase() + detail.slice(1) + end;
}

/** What a voter can do about a refusal whose own words are for programs: title and detail in the catalogue, by the problem. */
const REMEDIES = {
  malformed: ['too-old', 'too-old-words'],
  'challenge-required': ['not-stored-title', 'check-no-success'],
  'unknown-poll': ['poll-gone', 'poll-gone-words'],
};

/** Turns a refusal into a title and a sentence on what to do. */
export function refusal({ name, title, detail }) {
  if (name in REMEDIES) return REMEDIES[name].map((id) => message(id));
  if (!title) return [message('not-taken'), message('not-taken-words')];
  return [`${title}.`, sentence(detail ?? '')];
}

/** Whether this browser keeps cookies. The voter's own cookie is hidden from scripts, so another one is tried. */
export function keepsCookies() {
  const probe = 'votestream-probe=1';
  document.cookie = `${probe}; SameSite=Lax; Path=/; Max-Age=10`;
  const keeps = document.cookie.includes(probe);
  document.cookie = `${probe}; SameSite=Lax; Path=/; Max-Age=0`;
  return keeps;
}

/** Replaces an element's content by a bold lead and a plain sentence. */
export function say(element, lead, ...rest) {
  const strong = document.createElement('strong');
  strong.textContent = lead;
  element.replaceChildren(strong, ...rest.flatMap((part) => [' ', part]));
}

/** Why a challenge cannot be solved here, as a sentence for the voter. */
export class Unsolvable extends Error {}
