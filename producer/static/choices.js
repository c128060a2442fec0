// Counts the marked options, keeps the button's words in step, and says when too few or too many are marked.

import { message } from './messages.js';

const HEADLINE_CHARS_MAX = 40;
const WORD_CHARS_MAX = 16;

/** Says that an element is in this language, or, without one, in that of the page: an empty attribute would say that nobody knows. */
export function setLanguage(element, lang) {
  if (lang) element.lang = lang;
  else element.removeAttribute('lang');
}

export class Choices {
  #form;
  #min;
  #max;
  #mayAbstain;
  /** Slugs of the vote that stands and that the button changes; null while there is none. */
  #standing;

  /** `standing` has the slugs of the vote that the form changes, or is null. */
  constructor(form, { min, max, standing }) {
    this.#form = form;
    this.#min = Math.max(1, min);
    this.#max = max;
    this.#mayAbstain = min === 0;
    this.#standing = standing;
    form.addEventListener('change', () => this.refresh());
    this.refresh();
  }

  /** Slugs, in the order of the page. */
  slugs() {
    return this.#marked().map((input) => input.value);
  }

  /** The label of a slug, as the page shows it. */
  label(slug) {
    const input = [...this.#form.elements.vote].find((one) => one.value === slug);
    return input ? labelOf(input) : slug;
  }

  /** The language of that label, where it is not the page's. */
  lang(slug) {
    const input = [...this.#form.elements.vote].find((one) => one.value === slug);
    return input?.labels[0].querySelector('.card-label').lang ?? '';
  }

  /** Two sentences, title and detail, when these slugs cannot be sent, else null. */
  fault(slugs) {
    if (this.#standing && same(slugs, this.#standing)) {
      return [message('fault-stands'), message('fault-stands-words')];
    }
    if (slugs.length === 0 && this.#mayAbstain) return null;
    const notSent = message('fault-not-sent');
    if (slugs.length < this.#min) return [notSent, message('fault-few', { min: this.#min })];
    if (slugs.length > this.#max) return [notSent, message('fault-many', { max: this.#max, marked: slugs.length })];
    return null;
  }

  focus() {
    (this.#marked()[0] ?? this.#form.elements.vote[0]).focus();
  }

  /** From now on the button changes this vote. */
  setStanding(slugs) {
    this.#standing = slugs;
    this.mark(slugs);
  }

  /** Marks exactly these slugs. */
  mark(slugs) {
    for (const input of this.#form.elements.vote) input.checked = slugs.includes(input.value);
    this.refresh();
  }

  /** Writes the words of the button. It offers no vote that stands already. */
  refresh() {
    if (!this.#form.isConnected) return;
    const marked = this.#marked();
    const count = document.getElementById('chosen-count');
    if (count) {
      count.hidden = false;
      count.textContent = message('chosen-count', { marked: marked.length, max: this.#max });
    }
    const isStanding = this.#standing !== null && same(this.slugs(), this.#standing);
    document.getElementById('send-label').textContent = this.#buttonWords(isStanding ? [] : marked);
    document.getElementById('send').classList.toggle('primary', !isStanding);
  }

  #buttonWords(marked) {
    const [plain, one, many] = this.#standing
      ? ['send-change', 'send-change-to', 'send-change-to-many']
      : ['send-vote', 'send-vote-for', 'send-vote-for-many'];
    if (marked.length > 1) return message(many, { count: marked.length });
    return marked.length === 1 ? message(one, { choice: labelOf(marked[0]) }) : message(plain);
  }

  #marked() {
    return [...this.#form.elements.vote].filter((input) => input.checked);
  }
}

const same = (some, others) => some.length === others.length && some.every((slug) => others.includes(slug));

/** Returns the class for a text: long ones are set smaller than a headline. The server has the same limits. */
export function lengthClass(text) {
  const length = (part) => [...part].length;
  const long = length(text) > HEADLINE_CHARS_MAX || text.split(/\s+/).some((word) => length(word) > WORD_CHARS_MAX);
  return long ? 'long' : 'short';
}

function labelOf(input) {
  return input.labels[0].querySelector('.card-label').textContent.trim();
}
