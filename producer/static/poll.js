// Shows what the server says of the poll on a page that is open: its state, its times, its title and its labels.

import { Countdown, showLocalTime } from './clock.js';
import { lengthClass, setLanguage } from './choices.js';
import { message } from './messages.js';

/** The language of the page. */
const [ours] = document.documentElement.lang.split('-');

/** Longest wait before a page that has to be loaded anew does so: ten thousand pages do not ask for it at once. */
const RELOAD_MS_MAX = 900;
/** A page that came back without the state for which it was loaded anew waits longer: another replica has answered. */
const RELOAD_AGAIN_MS = 2_000;

const ballot = document.getElementById('ballot');
const byId = (id) => document.getElementById(id);

export class ShownPoll {
  #isBusy;
  #onWords;
  #opens = null;
  #closes = null;
  #isReloading = false;

  /**
   * `isBusy()` says whether a vote is being sent; its answer is waited for. `onWords()` is called after labels have changed,
   * and `onDue()` when it opens or closes by the clock.
   */
  constructor({ isBusy, onWords, onDue }) {
    this.#isBusy = isBusy;
    this.#onWords = onWords;
    if (byId('opens-in')) {
      this.#opens = new Countdown(byId('opens-in'), (left) => (left ? message('opens-in', { left }) : message('opening-now')), onDue);
      this.#opens.set(byId('opens-at')?.dateTime);
    }
    if (byId('closes-in')) {
      const words = (left) => (left ? message('time-left', { left }) : message('closing-now'));
      this.#closes = new Countdown(byId('closes-in'), (left) => ` · ${words(left)}`, onDue);
      this.#closes.set(byId('closes-at').dateTime);
    }
  }

  /** Shows this state of the poll. */
  show(poll) {
    const before = ballot.dataset.state;
    if (poll.state !== before) {
      ballot.dataset.state = poll.state;
      this.#showState(poll);
      // Any other change needs a page with other parts.
      if (before === 'open' && poll.state === 'closed') this.#whenIdle(() => this.#close(poll));
      else this.#reload(poll.state);
    }
    if (poll.state === 'draft') return;
    this.#showTitle(worded(poll.title, poll.titles, poll.lang));
    this.#showTimes(poll);
    this.#showOptions(poll.options, poll.lang);
  }

  #showState({ state }) {
    const words = { open: 'state-open', closed: 'state-closed', archived: 'state-closed' };
    const chip = byId('poll-state');
    chip.dataset.state = state;
    chip.textContent = message(words[state] ?? 'state-not-open');
  }

  #showTitle({ text: title, lang }) {
    const headline = byId('poll-title');
    setLanguage(headline, lang);
    if (headline.textContent === title) return;
    document.title = document.title.replace(headline.textContent, () => title);
    headline.textContent = title;
    headline.className = lengthClass(title);
  }

  #showTimes({ state, opens_at, closes_at }) {
    setTime(byId('opens-at'), opens_at);
    setTime(byId('closes-at'), closes_at);
    setTime(byId('closed-at'), closes_at);
    this.#opens?.set(state === 'scheduled' ? opens_at : null);
    this.#closes?.set(state === 'open' ? closes_at : null);
    if (byId('closes')) byId('closes').hidden = !closes_at;
    if (byId('closed-when')) byId('closed-when').hidden = !closes_at;
  }

  #showOptions(options, written_in) {
    const shown = new Map();
    for (const label of document.querySelectorAll('.card-label')) shown.set(label.closest('.option').querySelector('.box').value, label);
    for (const item of document.querySelectorAll('.preview-list [data-option]')) shown.set(item.dataset.option, item);
    // A poll that has not opened may be given other options.
    const isSame = options.length === shown.size && options.every(({ slug }) => shown.has(slug));
    if (shown.size > 0 && !isSame) return this.#reload('other-options');
    let changed = false;
    for (const { slug, label: original, labels, description } of options) {
      const { text: label, lang } = worded(original, labels, written_in);
      const detail = shown.get(slug)?.parentElement.querySelector('.card-detail');
      if (detail && description && detail.textContent !== description) detail.textContent = description;
      const chosen = document.querySelector(`#standing-choices [data-option="${slug}"]`);
      for (const element of [shown.get(slug), chosen]) {
        if (!element) continue;
        setLanguage(element, lang);
        if (element.textContent.trim() === label) continue;
        changed = true;
        element.textContent = label;
        element.classList.remove('long', 'short');
        element.classList.add(lengthClass(label));
      }
    }
    if (changed) this.#onWords();
  }

  /** Puts the words that voting has closed where the form was. What stands below does not move. */
  #close({ closes_at }) {
    // Only the server can say what became of a ballot that it has not confirmed.
    if ('unconfirmed' in ballot.dataset) return this.#reload('unconfirmed');
    this.#closes?.set(null);
    byId('closes-word').textContent = closes_at ? message('closes-since') : '';
    const form = byId('ballot-form');
    const hasVote = !byId('standing').hidden;
    const withoutVote = byId('vote-unknown') ? '' : message('no-vote-here');
    byId('closed-vote').textContent = hasVote ? message('thanks') : withoutVote;
    byId('standing-note').textContent = message('note-stands');
    byId('forget-form')?.remove();
    if (form) {
      const [place, height] = [byId('closed'), form.offsetHeight];
      const hadFocus = form.contains(document.activeElement);
      form.replaceWith(place);
      place.hidden = false;
      if (hadFocus) byId('closed-title').focus({ preventScroll: true });
      place.style.marginBlockEnd = `${Math.max(0, height - place.offsetHeight)}px`;
    }
  }

  /** Loads the page anew for this reason, soon: what it has to show then is not on it. */
  #reload(reason) {
    if (this.#isReloading) return;
    this.#isReloading = true;
    const again = history.state?.reloaded_for === reason;
    const wait_ms = RELOAD_MS_MAX * Math.random() + (again ? RELOAD_AGAIN_MS : 0);
    setTimeout(() => {
      this.#whenIdle(() => {
        history.replaceState({ ...history.state, reloaded_for: reason }, '');
        location.reload();
      });
    }, wait_ms);
  }

  /** Does not interrupt a vote that is being sent: its answer says whether it was accepted. */
  #whenIdle(act) {
    if (this.#isBusy()) setTimeout(() => this.#whenIdle(act), 200);
    else act();
  }
}

function setTime(element, at) {
  if (!element || !at || element.dateTime === at) return;
  element.dateTime = at;
  showLocalTime(element);
}

/** A text of the poll for this page, as the server chooses it; `lang` is empty where the language is the page's, or not known. */
function worded(text, translations = {}, written_in = '') {
  const fits = (tag) => tag.split('-')[0] === ours;
  const all = Object.entries(translations);
  const own = all.find(([tag]) => fits(tag));
  if (own) return { text: own[1], lang: '' };
  const lang = written_in || (all.find(([, other]) => other === text)?.[0] ?? '');
  return { text, lang: fits(lang) ? '' : lang };
}
