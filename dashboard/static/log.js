// The Merkle tree of a public log (RFC 6962), read from its tiles (C2SP tlog-tiles).
//
// Nothing that a tile says is believed: each proof ends at the root hash of a signed checkpoint, or it fails.

import { isSame, sha256 } from './note.js';

const TILE_WIDTH = 256;
const HASH_BYTES = 32;

export const leafHash = (bytes) => sha256([0], bytes);
const nodeHash = (left, right) => sha256([1], left, right);
const half = (number) => Math.floor(number / 2);
const isOdd = (number) => number % 2 === 1;

/** The largest power of two below a number that is above 1. */
function split(number) {
  let power = 1;
  while (power * 2 < number) power *= 2;
  return power;
}

/** The root hash of a tree with this leaf at a place (RFC 9162, section 2.1.3.2); null if the path has another length. */
export async function rootFrom(leaf, index, size, path) {
  let [place, last, hash] = [index, size - 1, leaf];
  if (!(index >= 0 && index < size)) return null;
  for (const other of path) {
    if (last === 0) return null;
    if (isOdd(place) || place === last) {
      hash = await nodeHash(other, hash);
      while (!isOdd(place) && place !== 0) [place, last] = [half(place), half(last)];
    } else {
      hash = await nodeHash(hash, other);
    }
    [place, last] = [half(place), half(last)];
  }
  return last === 0 ? hash : null;
}

/** Whether a log of `now` begins with the log of `before` (RFC 9162, section 2.1.4.2). */
async function isPrefix(before, now, path) {
  if (before.size === now.size) return isSame(before.root, now.root);
  const hashes = Number.isInteger(Math.log2(before.size)) ? [before.root, ...path] : path;
  let [place, last] = [before.size - 1, now.size - 1];
  while (isOdd(place)) [place, last] = [half(place), half(last)];
  if (hashes.length === 0) return false;
  let [older, newer] = [hashes[0], hashes[0]];
  for (const other of hashes.slice(1)) {
    if (last === 0) return false;
    if (isOdd(place) || place === last) {
      older = await nodeHash(other, older);
      newer = await nodeHash(other, newer);
      while (!isOdd(place) && place !== 0) [place, last] = [half(place), half(last)];
    } else {
      newer = await nodeHash(newer, other);
    }
    [place, last] = [half(place), half(last)];
  }
  return last === 0 && isSame(older, before.root) && isSame(newer, now.root);
}

/** The root hash of these leaves. */
export async function rootOf(leaves) {
  let hashes = leaves;
  while (hashes.length > 1) {
    const next = [];
    for (let at = 0; at + 1 < hashes.length; at += 2) next.push(nodeHash(hashes[at], hashes[at + 1]));
    if (isOdd(hashes.length)) next.push(hashes[hashes.length - 1]);
    hashes = await Promise.all(next);
  }
  return hashes[0] ?? sha256([]);
}

/** The number of a tile as it stands in its address: 1234067 becomes x001/x234/067. */
function numbered(index) {
  const groups = [];
  for (let rest = index; groups.length === 0 || rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(String(rest % 1000).padStart(3, '0'));
  }
  return groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/');
}

/** The log of one signed checkpoint. `read` fetches the bytes below its address. */
export class Log {
  #read;
  #tiles = new Map();

  constructor({ size, root }, read) {
    this.size = size;
    this.root = root;
    this.#read = read;
  }

  /** Whether the log begins with the one that was seen before. */
  async beginsWith(before) {
    if (before.size > this.size) return false;
    if (before.size === 0) return true;
    const path = before.size === this.size ? [] : await this.#growth(before.size, 0, this.size, true);
    return isPrefix(before, this, path);
  }

  /** Whether a leaf stands at this place. */
  async has(leaf, index) {
    if (index >= this.size) return false;
    const root = await rootFrom(leaf, index, this.size, await this.#path(index, 0, this.size));
    return root !== null && isSame(root, this.root);
  }

  /** The lines of all entries. */
  async entries() {
    const lines = [];
    for (let index = 0; index * TILE_WIDTH < this.size; index += 1) {
      const bytes = await this.#read(this.#address('entries', index, this.size));
      for (let at = 0; at + 2 <= bytes.length; ) {
        const length = bytes[at] * 256 + bytes[at + 1];
        lines.push(bytes.slice(at + 2, at + 2 + length));
        at += 2 + length;
      }
    }
    return lines;
  }

  #address(level, index, hashes) {
    const width = Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH);
    return `tile/${level}/${numbered(index)}${width < TILE_WIDTH ? `.p/${width}` : ''}`;
  }

  #tile(level, index) {
    const address = this.#address(level, index, Math.floor(this.size / TILE_WIDTH ** level));
    if (!this.#tiles.has(address)) this.#tiles.set(address, this.#read(address));
    return this.#tiles.get(address);
  }

  /** The hash of a whole subtree: `height` levels above the entries, the one with this number from the left. */
  async #node(height, number) {
    const level = Math.floor(height / 8);
    const count = 2 ** (height - 8 * level);
    const first = number * count;
    const tile = await this.#tile(level, Math.floor(first / TILE_WIDTH));
    const hash = (at) => tile.slice((at % TILE_WIDTH) * HASH_BYTES, ((at % TILE_WIDTH) + 1) * HASH_BYTES);
    return rootOf(Array.from({ length: count }, (_, at) => hash(first + at)));
  }

  /** The hash of the entries from one place up to another. */
  async #range(from, to) {
    const width = to - from;
    const height = Math.log2(width);
    if (Number.isInteger(height)) return this.#node(height, from / width);
    const middle = from + split(width);
    return nodeHash(await this.#range(from, middle), await this.#range(middle, to));
  }

  /** The path of an entry (RFC 6962, section 2.1.1). */
  async #path(index, from, to) {
    if (to - from === 1) return [];
    const middle = from + split(to - from);
    return index < middle
      ? [...(await this.#path(index, from, middle)), await this.#range(middle, to)]
      : [...(await this.#path(index, middle, to)), await this.#range(from, middle)];
  }

  /** The proof that the log only grew (RFC 6962, section 2.1.2). */
  async #growth(size, from, to, isWhole) {
    const width = to - from;
    if (size === width) return isWhole ? [] : [await this.#range(from, to)];
    const middle = from + split(width);
    return size <= middle - from
      ? [...(await this.#growth(size, from, middle, isWhole)), await this.#range(middle, to)]
      : [...(await this.#growth(size - (middle - from), middle, to, false)), await this.#range(from, middle)];
  }
}
