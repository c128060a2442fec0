// Keeps the account new: the page is read again while somebody looks at it, and its numbers take the place of the old ones.

const PERIOD_MS = 2_000;

/** Reads the page again; keeps what stands if that fails, with its time. */
async function renew() {
  if (document.hidden) return;
  try {
    const reply = await fetch(location.href, { cache: 'no-store', signal: AbortSignal.timeout(10_000) });
    if (!reply.ok) return;
    const page = new DOMParser().parseFromString(await reply.text(), 'text/html');
    const [now, next] = [document, page].map((one) => one.getElementById('account'));
    if (!next || now.innerHTML === next.innerHTML) return;
    now.replaceChildren(...next.childNodes);
  } catch {
    // The time in the caption says how old the numbers are.
  }
}

setInterval(renew, PERIOD_MS);
document.addEventListener('visibilitychange', renew);
