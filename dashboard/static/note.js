// Checks signed notes (C2SP signed-note, with Ed25519) and hashes with WebCrypto.

const utf8 = new TextEncoder();

/** Ed25519 as the first byte of a key (C2SP signed-note). */
const ED25519 = 1;

export const bytesOf = (text) => utf8.encode(text);
export const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
export const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));

/** The SHA-256 of some bytes, one part after the other. */
export async function sha256(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest('SHA-256', all));
}

export const isSame = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

/** Whether this browser can check signatures: newer ones can, on pages that came over https or from this machine. */
export async function canCheck() {
  if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) return false;
  try {
    const key = fromBase64('11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=');
    return Boolean(await crypto.subtle.importKey('raw', key, 'Ed25519', false, ['verify']));
  } catch {
    return false;
  }
}

/** The bytes of a public key of the form `<name>+<id>+<key>`; null for another text or kind of key. */
export function readKey(line) {
  const [, , ...rest] = line.split('+');
  try {
    const bytes = fromBase64(rest.join('+'));
    return bytes.length === 33 && bytes[0] === ED25519 ? bytes : null;
  } catch {
    return null;
  }
}

/**
 * Opens a checkpoint that one of these keys has signed under the name `origin`. Returns its length and root hash, and the key
 * as a text; or `{ error }`: 'unknown' if none of the keys has signed it, 'wrong' if a signature or the text is wrong.
 */
export async function open(note, origin, keys) {
  const end = note.lastIndexOf('\n\n');
  if (end < 0) return { error: 'wrong' };
  const text = note.slice(0, end + 1);
  const signatures = note.slice(end + 2).split('\n').map((line) => line.split(' '));
  for (const bytes of keys) {
    const id = (await sha256(bytesOf(`${origin}\n`), bytes)).slice(0, 4);
    for (const [dash, name, encoded] of signatures) {
      if (dash !== '—' || name !== origin || !encoded) continue;
      const signature = fromBase64(encoded);
      if (!isSame(signature.slice(0, 4), id)) continue;
      const key = await crypto.subtle.importKey('raw', bytes.slice(1), 'Ed25519', false, ['verify']);
      const isGood = await crypto.subtle.verify('Ed25519', key, signature.slice(4), bytesOf(text));
      const [found, size, root] = text.split('\n');
      if (!isGood || found !== origin || !/^(0|[1-9]\d{0,14})$/.test(size)) return { error: 'wrong' };
      return { size: Number(size), root: fromBase64(root), key: toBase64(bytes) };
    }
  }
  return { error: 'unknown' };
}

/** The names below a signed note, in their order; nothing says that their signatures are good. */
export function signersOf(note) {
  const lines = note.slice(note.lastIndexOf('\n\n') + 2).split('\n');
  return lines.filter((line) => line.startsWith('— ')).map((line) => line.split(' ')[1]);
}
