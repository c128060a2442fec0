// Counts the marked options, keeps the button's words in step, and says when too few or too many are marked.

const HEADLINE_CHARS_MAX = 40;
const WORD_CHARS_MAX = 16;

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

  /** Two sentences, title and detail, when these slugs cannot be sent, else null. */
  fault(slugs) {
    if (this.#standing && same(slugs, this.#standing)) {
      return ['This is the vote that stands.', 'Mark another choice to change it.'];
    }
    if (slugs.length === 0 && this.#mayAbstain) return null;
    const few = this.#min === 1 ? 'Mark a choice first.' : `Mark at least ${this.#min} choices.`;
    if (slugs.length < this.#min) return ['Not sent.', few];
    if (slugs.length > this.#max) return ['Not sent.', `Mark at most ${this.#max} choices; ${slugs.length} are marked now.`];
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
      count.textContent = `${marked.length} of ${this.#max} marked`;
    }
    const isStanding = this.#standing !== null && same(this.slugs(), this.#standing);
    const verb = this.#standing ? 'Change my vote' : 'Vote';
    const joint = this.#standing ? ' to ' : ' for ';
    const object = marked.length > 1 ? `${marked.length} choices` : marked.map(labelOf).join('');
    document.getElementById('send-label').textContent = object && !isStanding ? verb + joint + object : verb;
    document.getElementById('send').classList.toggle('primary', !isStanding);
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
