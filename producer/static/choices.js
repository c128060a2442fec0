// Counts the marked options, keeps the button's words in step, and says when too few or too many are marked.

const HEADLINE_CHARS_MAX = 40;
const WORD_CHARS_MAX = 16;

export class Choices {
  #form;
  #min;
  #max;
  #voted;

  constructor(form, { min, max, voted }) {
    this.#form = form;
    this.#min = Math.max(1, min);
    this.#max = max;
    this.#voted = voted;
    form.addEventListener('change', () => this.#show());
    this.#show();
  }

  /** Slugs, in ballot order. */
  slugs() {
    return this.#marked().map((input) => input.value);
  }

  /** The label of a slug, as the page shows it. */
  label(slug) {
    const input = [...this.#form.elements.vote].find((one) => one.value === slug);
    return input ? labelOf(input) : slug;
  }

  /** A sentence when the number of choices is not allowed, else null. */
  fault() {
    const count = this.#marked().length;
    if (count < this.#min) return this.#min === 1 ? 'Mark a choice first.' : `Mark at least ${this.#min} choices.`;
    if (count > this.#max) return `Mark at most ${this.#max} choices; ${count} are marked now.`;
    return null;
  }

  focus() {
    (this.#marked()[0] ?? this.#form.elements.vote[0]).focus();
  }

  /** From now on the button changes a vote. */
  setVoted() {
    this.#voted = true;
    this.#show();
  }

  /** Marks exactly these slugs. */
  mark(slugs) {
    for (const input of this.#form.elements.vote) input.checked = slugs.includes(input.value);
    this.#show();
  }

  #marked() {
    return [...this.#form.elements.vote].filter((input) => input.checked);
  }

  #show() {
    const marked = this.#marked();
    const count = document.getElementById('chosen-count');
    if (count) {
      count.hidden = false;
      count.textContent = `${marked.length} of ${this.#max} marked`;
    }
    const verb = this.#voted ? 'Change my vote' : 'Vote';
    const joint = this.#voted ? ' to ' : ' for ';
    const object = marked.length > 1 ? `${marked.length} choices` : marked.map(labelOf).join('');
    document.getElementById('send-label').textContent = object ? verb + joint + object : verb;
  }
}

/** Returns the class for a text: long ones are set smaller than a headline. The server has the same limits. */
export function lengthClass(text) {
  const length = (part) => [...part].length;
  const long = length(text) > HEADLINE_CHARS_MAX || text.split(/\s+/).some((word) => length(word) > WORD_CHARS_MAX);
  return long ? 'long' : 'short';
}

function labelOf(input) {
  return input.labels[0].querySelector('.card-label').textContent.trim();
}
