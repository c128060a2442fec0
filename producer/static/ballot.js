// The ballot page with JavaScript: the same form, sent without leaving the page.

import { Choices, lengthClass, setLanguage } from './choices.js';
import { hear, showLocalTimes, watch } from './clock.js';
import { Follower } from './follower.js';
import { message } from './messages.js';
import { ShownPoll } from './poll.js';
import { newKey, sendBallot } from './sender.js';
import { Unsolvable, keepsCookies, refusal, say, sentence, span } from './words.js';

const ballot = document.getElementById('ballot');
const form = document.getElementById('ballot-form');
const standing = document.getElementById('standing');
// Relative to this script, because a path may stand in front of all addresses.
const api = new URL(`../api/polls/${encodeURIComponent(ballot.dataset.poll)}`, import.meta.url).pathname;
const replaceable = 'replaceable' in ballot.dataset;
const needsCode = 'needsCode' in ballot.dataset;
// The idempotency key of each ballot that was sent. The same ballot keeps its key, however often the button is pressed.
const keys = new Map();

let stopping = null;
let choices = null;

hear(Number(ballot.dataset.now));
showLocalTimes();
if (form) startForm();
// The poll may be due to open or to close at this very moment, so the follower is there first.
const follower = new Follower(api, (poll) => shown.show(poll));
const shown = new ShownPoll({
  isBusy: () => stopping !== null,
  onWords: () => choices?.refresh(),
  onDue: () => follower.hurry(),
});
follower.start();
takeCodeOfLink();
addEventListener('hashchange', takeCodeOfLink);
askForUnknownVote();

function startForm() {
  choices = new Choices(form, {
    min: Number(ballot.dataset.choicesMin),
    max: Number(ballot.dataset.choicesMax),
    standing: form.dataset.standing === undefined ? null : form.dataset.standing.split(' ').filter(Boolean),
  });
  form.noValidate = true;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit(choices.slugs());
  });
  document.getElementById('abstain')?.addEventListener('click', (event) => {
    event.preventDefault();
    submit([], true);
  });
  document.getElementById('no-cookies').hidden = keepsCookies();
  // Listen to input, not to change: a line that vanishes on blur moves the button from under the pointer.
  form.addEventListener('input', () => clearProblem());
  document.getElementById('stop').addEventListener('click', () => stopping?.abort());
}

/** Whether this browser may change its vote without the voting code. */
function isRemembered() {
  return replaceable && 'remembered' in form.dataset;
}

/**
 * Puts the code of a personal link (`#code=…`) into the form, and takes it out of the address bar, from where it
 * might be copied and shared. A page without a field, before the poll opens, keeps the code for its next load.
 */
function takeCodeOfLink() {
  const linked = new URLSearchParams(location.hash.slice(1)).get('code');
  const code = linked ?? history.state?.code;
  if (!code) return;
  const field = document.getElementById('code');
  const opensLater = ['draft', 'scheduled'].includes(ballot.dataset.state);
  history.replaceState(opensLater ? { code } : null, '', location.pathname + location.search);
  if (!field || field.value) return;
  field.value = code;
  choices.focus();
}

/** Sends a ballot with these choices; one without any only where the voter has said so. */
async function submit(slugs, abstains = false) {
  if (stopping) return;
  clearProblem();
  const hasChosen = slugs.length > 0 || abstains;
  const fault = choices.fault(slugs) ?? (hasChosen ? null : [message('fault-not-sent'), message('fault-none')]);
  if (fault) {
    showProblem(...fault);
    choices.focus();
    return;
  }
  const code = document.getElementById('code');
  if (code && !code.value.trim() && !isRemembered()) {
    showCodeProblem(code, message('enter-code'));
    return;
  }
  const token = document.getElementById('token');
  const remember = document.getElementById('remember');
  const body = {
    choices: slugs,
    ...(code?.value.trim() && { code: code.value.trim() }),
    ...(token && { token: token.value }),
    ...(remember?.checked && { remember: true }),
  };
  const ballotText = JSON.stringify(body);
  if (!keys.has(ballotText)) keys.set(ballotText, newKey());

  stopping = new AbortController();
  showSending(true);
  const key = keys.get(ballotText);
  const closes_ms = () => Date.parse(document.getElementById('closes-at')?.dateTime ?? '');
  const { signal } = stopping;
  const options = { signal, onWait: showWait, closes_ms, solve: (challenge) => solveChallenge(challenge, signal) };
  const answer = await sendBallot(`${api}/ballots`, body, key, options).catch((error) => unsolved(error, signal));
  stopping = null;
  showSending(false);
  // A ballot that was answered is done. If the voter changes the vote and back again, that is another ballot.
  if (answer.kind !== 'unconfirmed') keys.clear();
  showAnswer(answer, slugs, code);
}

/* A challenge before the ballot is taken */

async function solveChallenge(challenge, signal) {
  ballot.dataset.outcome = 'checking';
  const place = document.getElementById('challenge');
  const status = document.getElementById('status');
  document.getElementById('stop').hidden = false;
  const sayChecking = (words) => {
    say(status, message('checking'), words);
    status.prepend(spinner());
  };
  const share = document.createElement('span');
  share.setAttribute('aria-hidden', 'true');
  const onProgress = (done) => (share.textContent = message('checking-share', { share: Math.round(100 * done) }));
  const onAsk = () => sayChecking(message('checking-person'));
  if (challenge.kind === 'work') {
    sayChecking(message('checking-work'));
    status.append(' ', share);
  }
  // Loaded when it is needed: most voters never see a challenge.
  const { solve } = await import('./challenge.js');
  const solution = await solve(challenge, { signal, onProgress, onAsk, place });
  showSending(true);
  return solution;
}

/** The answer for a challenge that was not solved. */
function unsolved(error, signal) {
  if (signal.aborted) return { kind: 'unconfirmed', stopped: true };
  const detail = error instanceof Unsolvable ? error.message : message('check-failed');
  return { kind: 'refused', problem: { title: message('not-stored'), detail } };
}

function showAnswer(answer, sent, code) {
  switch (answer.kind) {
    case 'accepted':
      keepReceipt(answer.receipt);
      return showStanding('accepted', answer.choices, message('accepted'), message('accepted-none'));
    case 'stands': {
      // The same choices: most likely this very ballot, whose first answer was lost on the way.
      const same = answer.choices.length === sent.length && sent.every((slug) => answer.choices.includes(slug));
      const title = message(same ? 'stands' : 'stands-other');
      return showStanding('stands', answer.choices, title, message('stands-none'));
    }
    case 'refused':
      if (['bad-code', 'code-used', 'too-many-wrong-codes'].includes(answer.problem.name) && code) {
        return showCodeProblem(code, sentence(answer.problem.detail || answer.problem.title));
      }
      // The page learns what has become of the poll.
      if (['not-open', 'unknown-poll'].includes(answer.problem.name)) follower.ask();
      return showProblem(...refusal(answer.problem));
    default:
      ballot.dataset.unconfirmed = '';
      return showProblem(message(answer.stopped ? 'stopped' : 'no-answer'), message('unconfirmed'));
  }
}

/** Keeps the receipt in this browser, and links it: it is worth most when it was given at once. */
function keepReceipt(receipt) {
  const place = document.getElementById('receipt');
  if (!receipt || !place) return;
  const json = JSON.stringify(receipt);
  try {
    localStorage.setItem(`votestream-receipt ${receipt.log}`, json);
  } catch {
    // Browsers may forbid it. The links work all the same.
  }
  // The signed note in it has a dash that is no byte.
  const base64 = btoa(String.fromCharCode(...new TextEncoder().encode(json)));
  const { receipts } = place.dataset;
  if (receipts) document.getElementById('receipt-check').href = `${receipts}#${base64.replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')}`;
  // The picture is loaded when somebody wants to see it, and may show the vote of before.
  const picture = document.getElementById('receipt-picture');
  picture.src = `${picture.src.split('?')[0]}?entry=${receipt.entry}`;
  document.getElementById('receipt-save').href = `data:application/json;base64,${base64}`;
}

function showStanding(outcome, slugs, title, titleOfNone) {
  const items = slugs.map((slug) => {
    const item = document.createElement('li');
    item.dir = 'auto';
    setLanguage(item, choices.lang(slug));
    item.dataset.option = slug;
    item.textContent = choices.label(slug);
    item.className = lengthClass(item.textContent);
    return item;
  });
  document.getElementById('standing-title').textContent = slugs.length > 0 ? title : titleOfNone;
  document.getElementById('no-cookie-note').hidden = keepsCookies();
  document.getElementById('standing-choices').replaceChildren(...items);
  document.getElementById('notice')?.remove();
  document.getElementById('vote-unknown')?.remove();
  ballot.dataset.outcome = outcome;
  delete ballot.dataset.unconfirmed;
  standing.hidden = false;
  standing.classList.remove('fresh');
  void standing.offsetWidth;
  standing.classList.add('fresh');
  if (needsCode) {
    takeNextCode(slugs);
  } else if (replaceable) {
    choices.setStanding(slugs);
  } else {
    form.remove();
  }
  document.getElementById('standing-title').focus();
  standing.scrollIntoView({ block: 'center' });
}

/** After a ballot with a voting code: the form changes this vote if the voter is remembered, else it is empty for the next code. */
function takeNextCode(slugs) {
  const remember = document.getElementById('remember');
  if (replaceable && remember?.checked) {
    form.dataset.remembered = '';
    remember.closest('.remember').remove();
    document.getElementById('code').required = false;
    document.getElementById('code-hint').textContent = message('hint-remembered');
    document.getElementById('standing-note').textContent = message('note-change');
  }
  document.getElementById('code').value = '';
  if (!replaceable) {
    document.getElementById('policy-note').textContent = message('policy-another');
  }
  if (isRemembered()) {
    choices.setStanding(slugs);
  } else {
    choices.mark([]);
  }
}

/* The line above the button */

function showSending(sending) {
  ballot.dataset.outcome = sending ? 'pending' : '';
  document.getElementById('send').setAttribute('aria-disabled', String(sending));
  document.getElementById('stop').hidden = true;
  const status = document.getElementById('status');
  if (!sending) {
    status.replaceChildren();
    return;
  }
  say(status, message('sending'));
  status.prepend(spinner());
}

function showWait({ attempt, wait_ms, reason, detail, closing }) {
  const status = document.getElementById('status');
  const reasons = {
    network: message('wait-network'),
    slow: message('wait-slow'),
    server: message('wait-server'),
    limit: detail ? sentence(detail) : message('wait-limit'),
  };
  const atClosing = {
    '': '',
    soon: ` ${message('wait-closing-soon')}`,
    over: ` ${message('wait-closing-over')}`,
  };
  const why = reasons[reason] + atClosing[closing];
  // The countdown is hidden from screen readers; the live region speaks once for each try.
  const countdown = document.createElement('span');
  countdown.setAttribute('aria-hidden', 'true');
  say(status, message('waiting'), `${why} ${message('waiting-words')}`, countdown);
  status.prepend(spinner());
  document.getElementById('stop').hidden = false;
  ballot.dataset.outcome = 'waiting';

  const due_ms = Date.now() + wait_ms;
  const tick = () => {
    if (!countdown.isConnected) return clearInterval(timer);
    const left_ms = due_ms - Date.now();
    const next = { attempt: attempt + 1, left: span(left_ms / 1000) };
    countdown.textContent = message(left_ms > 0 ? 'try-in' : 'try-now', next);
  };
  const timer = setInterval(tick, 250);
  tick();
}

function showProblem(title, detail) {
  ballot.dataset.outcome = 'error';
  say(document.getElementById('problem'), title, detail);
}

function showCodeProblem(code, words) {
  ballot.dataset.outcome = 'error';
  code.setAttribute('aria-invalid', 'true');
  document.getElementById('code-problem').textContent = words;
  code.focus();
}

function clearProblem() {
  document.getElementById('problem').replaceChildren();
  document.getElementById('code')?.removeAttribute('aria-invalid');
  const words = document.getElementById('code-problem');
  if (words) words.textContent = '';
}

function spinner() {
  const element = document.createElement('span');
  element.className = 'spinner';
  element.setAttribute('aria-hidden', 'true');
  return element;
}

/* A vote that the service could not look up */

function askForUnknownVote() {
  const asking = document.getElementById('vote-asking');
  if (!asking) return;
  asking.hidden = false;
  const known = ['stands', 'none', 'not_kept'];
  watch(api, (poll) => known.includes(poll.your_vote), (poll) => {
    // Ignore this reply if a vote is being sent or was answered meanwhile: that answer is newer.
    const isNews = poll.your_vote === 'stands' && !stopping && standing.hidden;
    if (isNews) return location.reload();
    if (poll.your_vote !== 'none') return document.getElementById('vote-unknown')?.remove();
    // The words change in place, so that the ballot below does not move.
    const [title, words] = ['vote-unknown-title', 'vote-unknown-words'].map((id) => document.getElementById(id));
    if (title) title.textContent = message('not-voted-yet');
    if (words) words.textContent = message('not-voted-yet-words');
  });
}
