// Sentences, numbers and times in the language of the page. The catalogue of the server fills `sentences`, before any module
// of the page runs.

const { sentences = {} } = globalThis;
const { lang, dir } = document.documentElement;

/** The language, with the digits 0 to 9. */
const figures = `${lang}-u-nu-latn`;
/** The reader's own variant of the language, for times: the order of a date differs between countries. */
const region = navigator.languages.find((tag) => tag.split('-')[0] === lang) ?? lang;
const plurals = new Intl.PluralRules(lang);
const whole = new Intl.NumberFormat(figures);
const share = new Intl.NumberFormat(figures, { style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1 });
// Where lines run from right to left, a name in other letters would disturb the order of a sentence.
const isolate = dir === 'rtl' ? (text) => `\u2068${text}\u2069` : (text) => text;

/** A number with its thousands apart. */
export const number = (count) => whole.format(count);

/** Tenths of a percent, with one decimal. */
export const percent = (tenths) => share.format(tenths / 1000);

/** Formats numbers in another way. */
export const numberFormat = (options) => new Intl.NumberFormat(figures, options);

/** Formats times in the reader's zone. */
export const timeFormat = (options) => new Intl.DateTimeFormat(`${region}-u-nu-latn`, options);

/** The sentence of this name, with the values of its variables. */
export function message(name, values = {}) {
  return written(sentences[name] ?? name, values);
}

function written(sentence, values) {
  if (typeof sentence === 'string') return sentence;
  return sentence.map((part) => (typeof part === 'string' ? part : placed(part, values))).join('');
}

function placed({ v, s, c }, values) {
  if (v) return isolate(shown(values[v]));
  const value = values[s];
  const rule = typeof value === 'number' ? plurals.select(value) : '*';
  return written(c[value] ?? c[rule] ?? c['*'], values);
}

const shown = (value) => (typeof value === 'number' ? number(value) : String(value));
