// Checks a receipt in this browser, step by step, against the public log. The server is asked for the log, and for nothing that
// has to be believed.

import { Log, leafHash, rootFrom, rootOf } from './log.js';
import { message, timeFormat } from './messages.js';
import { bytesOf, canCheck, fromBase64, isSame, open, readKey, sha256, signersOf, toBase64 } from './note.js';

/** Longer logs are not added up here; votectl does that. It is 51,200 entries, and some megabytes. */
const ENTRIES_MAX = 200 * 256;
/** How often, and how long after the last time, the published result is compared with a log that may be a moment behind. */
const COMPARISONS = 4;
const PAUSE_MS = 1_000;

const { poll } = document.getElementById('receipt').dataset;
const options = [...document.querySelectorAll('#receipt-options li')].map((item) => item.textContent);
const form = document.getElementById('receipt-form');
const text = document.getElementById('receipt-text');
const file = document.getElementById('receipt-file');
const result = document.getElementById('receipt-result');
const verdict = document.getElementById('receipt-verdict');
const steps = document.getElementById('receipt-steps');

// Relative to this script, because a path may stand in front of all addresses.
const log_address = new URL(`../polls/${encodeURIComponent(poll)}/log/`, import.meta.url);
const log_state_address = new URL(`../api/polls/${encodeURIComponent(poll)}/log`, import.meta.url);
const tally_address = new URL(`../api/polls/${encodeURIComponent(poll)}/tally`, import.meta.url);

/** A reply that is no success. */
class Refused extends Error {
  constructor(status) {
    super(String(status));
    this.status = status;
  }
}

async function get(address) {
  const reply = await fetch(address, { signal: AbortSignal.timeout(20_000) });
  if (!reply.ok) throw new Refused(reply.status);
  return reply;
}

const readBytes = async (path) => new Uint8Array(await (await get(new URL(path, log_address))).arrayBuffer());
const readText = async (path) => (await get(new URL(path, log_address))).text();

const time = (ms) => timeFormat({ dateStyle: 'medium', timeStyle: 'medium' }).format(ms);

// The outcomes of a step.
const good = (words) => ({ outcome: 'good', words });
const wrong = (words) => ({ outcome: 'wrong', words });
const unknown = (words) => ({ outcome: 'unknown', words });

/** Shows a step while its check runs, and then its outcome, which it returns. */
async function step(name, check) {
  const item = document.createElement('li');
  item.id = `step-${name}`;
  const [title, words] = [document.createElement('b'), document.createElement('span')];
  title.textContent = message(`step-${name}`);
  const column = document.createElement('div');
  column.append(title, words);
  item.append(column);
  steps.append(item);
  let found;
  try {
    found = await check();
  } catch (error) {
    const status = error instanceof Refused ? error.status : 0;
    found = unknown(status ? message('away-status', { status: String(status) }) : message('away'));
  }
  item.dataset.outcome = found.outcome;
  words.textContent = found.words;
  return found;
}

/** The receipt as an object; null if it is none. */
function read(json) {
  try {
    const receipt = JSON.parse(json);
    const texts = ['log', 'entry', 'commitment', 'signed', 'nonce', 'choices'];
    const isRead = receipt?.version === 1 && texts.every((name) => typeof receipt[name] === 'string');
    const entry = /^\d+-(\d+)-\d+$/.exec(receipt.entry);
    const isTimed = entry !== null && receipt.due_ms === Number(entry[1]) + 60_000;
    const isOpened = /^[0-9a-f]{32}$/.test(receipt.nonce) && /^\d{1,19}$/.test(receipt.choices);
    return isRead && isTimed && isOpened && Array.isArray(receipt.path) && Number.isInteger(receipt.index) ? receipt : null;
  } catch {
    return null;
  }
}

/** The text that was signed. */
const promised = ({ log, entry, ballot, commitment, due_ms }) =>
  ['votestream receipt 1', log, entry, ballot?.replaceAll('-', '') ?? '-', commitment, due_ms, ''].join('\n');

async function checkSignature(receipt, keys) {
  const [deployment] = receipt.log.split('/polls/');
  const head = await open(receipt.signed, `${deployment}/receipts`, keys);
  if (head.error === 'unknown') return wrong(message('signature-unknown'));
  if (head.error) return wrong(message('signature-wrong'));
  const leaf = await leafHash(bytesOf(promised(receipt)));
  const root = await rootFrom(leaf, receipt.index, head.size, receipt.path.map(fromBase64));
  const isSigned = root !== null && isSame(root, head.root);
  return isSigned ? good(message('signature-good', { name: deployment })) : wrong(message('signature-wrong'));
}

async function checkChoices({ nonce, choices, commitment }) {
  const hash = await sha256(bytesOf(`votestream choices 1 ${nonce} ${choices}`));
  if (toBase64(hash) !== commitment) return wrong(message('choices-wrong'));
  const mask = BigInt(choices);
  const chosen = options.filter((_, position) => (mask >> BigInt(position)) & 1n);
  return good(chosen.length > 0 ? message('choices-good', { choices: chosen.join(' · ') }) : message('choices-none'));
}

/** The keys and checkpoints that this browser has seen. */
const memory = {
  name: (log) => `votestream-log ${log}`,
  read(log) {
    try {
      return JSON.parse(localStorage.getItem(this.name(log)));
    } catch {
      return null;
    }
  },
  write(log, seen) {
    try {
      localStorage.setItem(this.name(log), JSON.stringify(seen));
    } catch {
      // A browser that keeps nothing compares nothing.
    }
  },
};

/** The newest checkpoint that witnesses have signed, with their names; null if there is none. Their keys are not known here. */
async function readCosigned(origin, keys) {
  const { cosigned_size } = await (await get(log_state_address)).json();
  if (!cosigned_size) return null;
  const note = await readText('cosigned');
  return { ...(await open(note, origin, keys)), names: signersOf(note).filter((name) => name !== origin) };
}

async function readCheckpoint(origin, keys) {
  const head = await open(await readText('checkpoint'), origin, keys);
  return head.error ? null : head;
}

/** Says what the newest checkpoint has, and who else has signed the log. */
async function checkpointWords(log, name, cosigned) {
  const words = message('checkpoint-good', { size: log.size, name });
  if (!cosigned) return good(words);
  if (cosigned.error) return wrong(message('checkpoint-wrong'));
  const { size, names } = cosigned;
  const isSameLog = size <= log.size && (await log.beginsWith(cosigned));
  if (!isSameLog) return wrong(message('cosigned-fork', { size }));
  return good(`${words} ${message('cosigned', { size, names: names.join(' · ') })}`);
}

async function checkGrowth(receipt, log, key) {
  const seen = memory.read(receipt.log);
  const remember = () => {
    const keys = [...new Set([...(seen?.keys ?? []), key])];
    memory.write(receipt.log, { size: log.size, root: toBase64(log.root), at: Date.now(), keys });
  };
  if (!seen) {
    remember();
    return good(message('append-first'));
  }
  const values = { size: seen.size, at: time(seen.at) };
  if (!(await log.beginsWith({ size: seen.size, root: fromBase64(seen.root) }))) {
    return wrong(message('append-fork', values));
  }
  if (!seen.keys.includes(key)) {
    remember();
    return unknown(message('append-new-key'));
  }
  remember();
  return good(message('append-good', values));
}

/** The parts of an entry's line. */
function parts(line) {
  const [, outcome, entry, ballot, choices, replaces, nonce] = line.split(' ');
  return { outcome, entry, ballot, choices, replaces, nonce };
}

async function checkLeaf(receipt, log, found) {
  const due = { at: time(receipt.due_ms) };
  const reply = await get(new URL(`entry/${receipt.entry}?nonce=${receipt.nonce}`, log_address));
  const { entries } = await reply.json();
  const covered = entries.filter((entry) => entry.index < log.size);
  if (covered.length === 0) {
    const isDue = Date.now() > receipt.due_ms;
    return isDue ? wrong(message('leaf-missing', due)) : unknown(message('leaf-waiting', due));
  }
  for (const { index, line } of covered) {
    if (line === null) return wrong(message('leaf-other'));
    const { entry, ballot, choices, nonce } = parts(line);
    const isSameBallot = !receipt.ballot || ballot === receipt.ballot.replaceAll('-', '');
    const fits = entry === receipt.entry && choices === receipt.choices && nonce === receipt.nonce && isSameBallot;
    if (!fits) return wrong(message('leaf-other'));
    if (!(await log.has(await leafHash(bytesOf(line)), index))) return wrong(message('leaf-changed'));
    found.push({ index, ...parts(line) });
  }
  return good(message('leaf-good', { index: found[0].index }));
}

/** Adds all entries up. Returns the votes by position, the people, and what became of one ballot; null if they contradict. */
function recount(lines, wanted) {
  const standing = new Map();
  const votes = new Map();
  const move = (mask, by) => {
    let rest = BigInt(mask);
    for (let position = 0; rest > 0n; position += 1, rest >>= 1n) {
      if (rest & 1n) votes.set(position, (votes.get(position) ?? 0) + by);
    }
  };
  let replaced_by = null;
  for (const [index, line] of lines.entries()) {
    const { outcome, entry, choices, replaces } = parts(line);
    if (outcome !== 'counts') continue;
    if (standing.has(entry) && replaces !== entry) return null;
    if (replaces !== '-') {
      if (!standing.has(replaces)) return null;
      move(standing.get(replaces), -1);
      standing.delete(replaces);
      if (replaces === wanted) replaced_by = index;
    }
    standing.set(entry, choices);
    move(choices, 1);
  }
  return { votes, voters: standing.size, counts: standing.has(wanted), replaced_by };
}

const pause = () => new Promise((done) => setTimeout(done, PAUSE_MS));

async function checkCount(receipt, first, keys, found) {
  if (found.length === 0) return unknown(message('counts-not-in-log'));
  let log = first;
  let before = '';
  for (let comparison = 0; ; comparison += 1) {
    if (log.size > ENTRIES_MAX) {
      return unknown(message('counts-large', { command: `votectl verify ${location.href.split('/receipt')[0]}` }));
    }
    let lines;
    try {
      lines = await log.entries();
    } catch (error) {
      if (error instanceof Refused && error.status === 403) return unknown(message('counts-hidden'));
      throw error;
    }
    const leaves = await Promise.all(lines.map(leafHash));
    if (lines.length !== log.size || !isSame(await rootOf(leaves), log.root)) return wrong(message('counts-log-changed'));
    const decoder = new TextDecoder();
    const count = recount(lines.map((line) => decoder.decode(line)), receipt.entry);
    if (count === null) return wrong(message('counts-contradiction'));
    const tally = await (await get(tally_address)).json();
    const difference = tally.options
      .map(({ label, votes }, position) => ({ label, published: votes, logged: count.votes.get(position) ?? 0 }))
      .find(({ published, logged }) => published !== logged);
    if (!difference && tally.voters === count.voters) return standingWords(count, found, log);
    // Counting may be a moment ahead of the log. A difference that stands still is wrong.
    const now = JSON.stringify([tally.version, log.size]);
    if (comparison >= COMPARISONS) {
      const is_ahead = !tally.final && tally.voters > count.voters;
      if (now !== before || is_ahead) return unknown(message('counts-moving'));
      return wrong(difference ? message('counts-differs', difference) : message('counts-differs-voters', {
        published: tally.voters, logged: count.voters,
      }));
    }
    before = now;
    await pause();
    const head = await open(await readText('checkpoint'), receipt.log, keys);
    if (head.error) return wrong(message('checkpoint-wrong'));
    log = new Log(head, readBytes);
  }
}

function standingWords({ counts, replaced_by }, found, { size }) {
  if (counts) return good(message('counts-good', { entries: size }));
  if (replaced_by !== null) return good(message('counts-replaced', { index: replaced_by }));
  const { outcome } = found[found.length - 1];
  return good(message(outcome === 'out_of_time' ? 'counts-out-of-time' : 'counts-superseded'));
}

let checking = false;

function show(outcome, words) {
  verdict.dataset.balance = outcome;
  verdict.textContent = words;
}

async function check(json) {
  if (checking) return;
  checking = true;
  result.hidden = false;
  steps.replaceChildren();
  show('busy', message('verdict-busy'));
  try {
    await checkAll(json);
  } finally {
    checking = false;
  }
}

async function checkAll(json) {
  const receipt = read(json);
  if (!receipt) return show('unknown', message('unreadable'));
  if (!(await canCheck())) return show('unknown', message('cannot'));
  if (!receipt.log.endsWith(`/polls/${poll}`)) return show('unknown', message('other-poll', { log: receipt.log }));
  const outcomes = [];
  const run = async (name, work) => {
    const found = await step(name, work);
    outcomes.push(found.outcome);
    return found.outcome === 'good';
  };

  let keys = [];
  let log = null;
  let key = '';
  const found = [];
  await run('signature', async () => {
    const lines = (await readText('keys')).trim().split('\n');
    keys = lines.map(readKey).filter((bytes) => bytes !== null);
    return checkSignature(receipt, keys);
  });
  await run('choices', () => checkChoices(receipt));
  await run('checkpoint', async () => {
    const cosigned = await readCosigned(receipt.log, keys);
    let head = await readCheckpoint(receipt.log, keys);
    if (head && cosigned?.size > head.size) {
      // Another replica of the dashboard may be a moment behind.
      await pause();
      head = await readCheckpoint(receipt.log, keys);
    }
    if (!head) return wrong(message('checkpoint-wrong'));
    log = new Log(head, readBytes);
    key = head.key;
    return checkpointWords(log, receipt.log, cosigned);
  });
  if (log) {
    await run('append', () => checkGrowth(receipt, log, key));
    await run('leaf', () => checkLeaf(receipt, log, found));
    await run('counts', () => checkCount(receipt, log, keys, found));
  }
  const worst = ['wrong', 'unknown'].find((outcome) => outcomes.includes(outcome)) ?? 'good';
  show(worst, message(`verdict-${worst}`));
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  check(text.value);
});
file.addEventListener('change', async () => {
  const [chosen] = file.files;
  if (!chosen) return;
  text.value = await chosen.text();
  check(text.value);
});

/** A link of the ballot page has the receipt behind its hash sign, which browsers send to no server. */
function readAddress() {
  const encoded = location.hash.slice(1).replaceAll('-', '+').replaceAll('_', '/');
  if (!encoded) return;
  try {
    text.value = new TextDecoder().decode(fromBase64(encoded));
  } catch {
    text.value = '';
  }
  check(text.value);
}

window.addEventListener('hashchange', readAddress);
readAddress();
