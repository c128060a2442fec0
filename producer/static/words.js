// Helpers that write text into the page, always through textContent.

/** Seconds as "8 s", "4 min 05 s", "2 h 10 min", "3 days 4 h". */
export function span(seconds) {
  const two = (number) => String(number).padStart(2, '0');
  const s = Math.max(0, Math.ceil(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${two(Math.floor(s / 60) % 60)} min`;
  const days = Math.floor(s / 86400);
  return `${days} ${days === 1 ? 'day' : 'days'} ${Math.floor(s / 3600) % 24} h`;
}

/** Turns a problem's detail into a sentence, as the server's pages do. */
export function sentence(detail) {
  const end = /[.!?]$/.test(detail) ? '' : '.';
  return detail && detail[0].toUpperCase() + detail.slice(1) + end;
}

/** What a voter can do about a refusal whose own words are for programs: title and detail, by the name of the problem. */
const REMEDIES = {
  malformed: ['This page is too old to vote with.', 'Reload it, and vote again. If that does not help, close it and open the address anew.'],
  'challenge-required': ['Your vote is not stored.', 'The check did not succeed. Reload this page, and vote again.'],
  'unknown-poll': ['This poll is not there any more.', 'Ask whoever gave you the address.'],
};

/** Turns a refusal into a title and a sentence on what to do. */
export function refusal({ name, title, detail }) {
  if (name in REMEDIES) return REMEDIES[name];
  if (!title) return ['Your vote was not taken.', 'Reload this page, and vote again.'];
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
