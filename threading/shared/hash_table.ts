/**
 * The inside of a SharedMap: a hash table with chains, keyed by the bytes of
 * the encoded key, and a list of the entries that have a value, in the order in
 * which they got it.
 *
 * Everything changes under the object's mutex only. An entry stays in its chain
 * while it has a value or is pinned: by the thread that makes its value and by
 * those that wait for it, see `key_lock.ts`.
 *
 * @module
 */

import {
  allocateZeroed,
  deallocate,
  discard,
  removeDraft,
} from "../_memory/allocator.ts";
import { encode, type Encoded } from "../_codec/encode.ts";
import { doubles, Field, load, self, Slot, words } from "../_memory/heap.ts";
import { lock, unlock } from "../_memory/mutex.ts";
import {
  allocateNode,
  freeNode,
  Node,
  NODE_WORDS,
  Wake,
} from "../_memory/wait_queue.ts";
import {
  addOwner,
  commitRecord,
  draftEncoded,
  draftRecord,
  dropRecord,
  glance,
  holdsEncoded,
  readRecord,
  readShared,
  releaseRecord,
  shareRecord,
  UNREAD,
} from "../_codec/record.ts";

/** The words of a map. */
export const MapField = {
  /** The block of chains' first entries, 0 while `few` is used. */
  chains: Field.own,
  /** Number of chains, a power of two, less one; 0 while `few` is used. */
  mask: Field.own + 1,
  /** Entries in chains. */
  entries: Field.own + 2,
  /** Entries with a value. */
  size: Field.own + 3,
  /** First and last entry with a value. */
  first: Field.own + 4,
  last: Field.own + 5,
  /** The chains of a small map. */
  few: Field.own + 6,
} as const;
const FEW = 8;
/** Size of a map in words. */
export const MAP_WORDS = MapField.few + FEW;

/** The words of an entry. */
export const Entry = {
  /** Next in the chain. */
  next: 0,
  hash: 1,
  /** Records of key and value; no value yet, or no more: 0. */
  key: 2,
  value: 3,
  /** Neighbours in the list of entries with a value. */
  before: 4,
  after: 5,
  /** A double: numbers the entries in the order of that list. */
  serial: 6,
  /** The claim of the thread that makes a value, or 0. */
  claim: 8,
  /** The claim and those who wait for it to end. */
  pins: 9,
  /** Set when the value was set or deleted since the claim read it. */
  touched: 10,
} as const;
const ENTRY_WORDS = 12;

/** Encodes a key: those that `Map` takes for the same have the same bytes. */
export function encodeKey(key: unknown): Encoded {
  if (typeof key === "number") {
    if (key === 0) return encode(0, "key");
    if (key !== key) return encode(NaN, "key");
  }
  return encode(key, "key");
}

/** The hash of an encoded key (FNV-1a). */
export function hashOf({ bytes, length }: Encoded): number {
  let hash = -2128831035;
  for (let i = 0; i < length; i++) {
    hash = Math.imul(hash ^ bytes[i], 16777619);
  }
  return hash ^ hash >>> 15;
}

/** The word that holds the first entry of a hash's chain. */
function chainOf(map: number, hash: number): number {
  const chains = words[map + MapField.chains];
  return chains === 0
    ? map + MapField.few + (hash & FEW - 1)
    : chains + (hash & words[map + MapField.mask]);
}

/** Under the mutex: the entry of a key, or 0. */
export function find(map: number, hash: number, key: Encoded): number {
  let entry = words[chainOf(map, hash)];
  while (
    entry !== 0 &&
    (words[entry + Entry.hash] !== hash ||
      !holdsEncoded(words[entry + Entry.key], key))
  ) {
    entry = words[entry + Entry.next];
  }
  return entry;
}

/**
 * Takes the mutex, with an entry for a key: what is done next in the section
 * gives it a value or pins it.
 *
 * @param key The key; nothing may have been encoded since.
 * @returns The entry.
 * @throws {HeapExhaustedError} If there is no room; the mutex is not taken.
 */
export function lockEntry(map: number, hash: number, key: Encoded): number {
  lock(map + Field.mutex);
  const found = find(map, hash, key);
  if (found !== 0) return found;
  unlock(map + Field.mutex);

  const record = draftEncoded(key);
  let entry = 0;
  try {
    entry = allocateZeroed(ENTRY_WORDS);
    makeRoom(map);
  } catch (error) {
    discard(record);
    if (entry !== 0) discard(entry);
    throw error;
  }
  lock(map + Field.mutex);
  const other = find(map, hash, key);
  removeDraft(entry);
  if (other !== 0) {
    // Another thread was faster.
    removeDraft(record);
    deallocate(record);
    deallocate(entry);
    return other;
  }
  commitRecord(record);
  words[entry + Entry.key] = record;
  words[entry + Entry.hash] = hash;
  const chain = chainOf(map, hash);
  words[entry + Entry.next] = words[chain];
  words[chain] = entry;
  words[map + MapField.entries]++;
  return entry;
}

function makeRoom(map: number): void {
  const old = words[map + MapField.mask];
  const count = old === 0 ? FEW : old + 1;
  if (words[map + MapField.entries] < count) return;
  const chains = allocateZeroed(count * 4);
  lock(map + Field.mutex);
  const isLate = words[map + MapField.mask] !== old;
  if (!isLate) {
    spread(map, chains, count * 4 - 1);
    removeDraft(chains);
  }
  unlock(map + Field.mutex);
  if (isLate) discard(chains);
}

/** Under the mutex: moves all entries to new chains. */
function spread(map: number, chains: number, mask: number): void {
  const old = words[map + MapField.chains];
  const from = old === 0 ? map + MapField.few : old;
  const count = old === 0 ? FEW : words[map + MapField.mask] + 1;
  for (let i = 0; i < count; i++) {
    for (let entry = words[from + i]; entry !== 0;) {
      const next = words[entry + Entry.next];
      const chain = chains + (words[entry + Entry.hash] & mask);
      words[entry + Entry.next] = words[chain];
      words[chain] = entry;
      entry = next;
    }
  }
  words[map + MapField.chains] = chains;
  words[map + MapField.mask] = mask;
  if (old !== 0) deallocate(old);
}

/** Under the mutex: links a draft as the value of an entry. */
export function putValue(map: number, entry: number, record: number): void {
  const old = words[entry + Entry.value];
  words[entry + Entry.value] = record;
  words[entry + Entry.touched] = 1;
  commitRecord(record);
  if (old !== 0) {
    releaseRecord(old);
    return;
  }
  const last = words[map + MapField.last];
  words[entry + Entry.before] = last;
  words[entry + Entry.after] = 0;
  doubles[entry + Entry.serial >> 1] = last === 0 ? 1 : serialOf(last) + 1;
  if (last === 0) words[map + MapField.first] = entry;
  else words[last + Entry.after] = entry;
  words[map + MapField.last] = entry;
  words[map + MapField.size]++;
}

/** Under the mutex: takes the value of an entry away, and maybe the entry. */
export function removeValue(map: number, entry: number): void {
  const before = words[entry + Entry.before];
  const after = words[entry + Entry.after];
  if (before === 0) words[map + MapField.first] = after;
  else words[before + Entry.after] = after;
  if (after === 0) words[map + MapField.last] = before;
  else words[after + Entry.before] = before;
  words[map + MapField.size]--;
  const record = words[entry + Entry.value];
  words[entry + Entry.value] = 0;
  words[entry + Entry.touched] = 1;
  releaseRecord(record);
  removeIfUnused(map, entry);
}

/** Under the mutex: takes all values away. */
function removeAllValues(map: number): void {
  while (words[map + MapField.first] !== 0) {
    removeValue(map, words[map + MapField.first]);
  }
}

/** Under the mutex: takes an entry out that has no value and no pin. */
export function removeIfUnused(map: number, entry: number): void {
  if (words[entry + Entry.value] !== 0 || words[entry + Entry.pins] > 0) return;
  let link = chainOf(map, words[entry + Entry.hash]);
  while (words[link] !== entry) link = words[link] + Entry.next;
  words[link] = words[entry + Entry.next];
  releaseRecord(words[entry + Entry.key]);
  deallocate(entry);
  if (--words[map + MapField.entries] === 0) giveBackChains(map);
}

/** An empty map is a small one again: none of `few` is in use. */
function giveBackChains(map: number): void {
  const chains = words[map + MapField.chains];
  if (chains === 0) return;
  deallocate(chains);
  words.fill(0, map + MapField.few, map + MapField.few + FEW);
  words[map + MapField.chains] = 0;
  words[map + MapField.mask] = 0;
}

/** The number of an entry in the list of those with a value. */
function serialOf(entry: number): number {
  return doubles[entry + Entry.serial >> 1];
}

/**
 * Under the mutex: the entry with a value that follows one that was there at
 * some time, or 0.
 *
 * @param entry The address it had, 0 to begin.
 * @param hash Its hash.
 * @param serial Its number.
 */
function entryAfter(
  map: number,
  entry: number,
  hash: number,
  serial: number,
): number {
  let found = entry === 0 ? 0 : words[chainOf(map, hash)];
  while (found !== 0 && found !== entry) found = words[found + Entry.next];
  if (
    found !== 0 && words[found + Entry.value] !== 0 &&
    serialOf(found) === serial
  ) {
    return words[found + Entry.after];
  }
  // It has gone: on to what came after it.
  let next = words[map + MapField.first];
  while (next !== 0 && serialOf(next) <= serial) {
    next = words[next + Entry.after];
  }
  return next;
}

/** Gives back what a map owns. */
export function destroyTable(map: number): void {
  removeAllValues(map);
  giveBackChains(map);
}

// What a SharedMap does in one step: each of these takes the mutex once.

/** What {@linkcode lookUp} returns for a key that is not there. */
export const ABSENT: unique symbol = Symbol("absent");

/** The value of a key. */
export function lookUp(map: number, key: unknown): unknown {
  let value: unknown = ABSENT;
  let record = 0;
  const entry = lockFound(map, key);
  if (entry !== 0) {
    record = words[entry + Entry.value];
    value = glance(record);
    if (value === UNREAD) shareRecord(record);
  }
  unlock(map + Field.mutex);
  return value === UNREAD ? readShared(record) : value;
}

/** Whether a key has a value. */
export function hasKey(map: number, key: unknown): boolean {
  const entry = lockFound(map, key);
  unlock(map + Field.mutex);
  return entry !== 0;
}

/** Takes a key out; false if it was not there. */
export function deleteKey(map: number, key: unknown): boolean {
  const entry = lockFound(map, key);
  if (entry !== 0) removeValue(map, entry);
  unlock(map + Field.mutex);
  return entry !== 0;
}

/** Takes the mutex, and finds the entry of a key that has a value, or 0. */
function lockFound(map: number, key: unknown): number {
  const encoded = encodeKey(key);
  const hash = hashOf(encoded);
  lock(map + Field.mutex);
  const entry = find(map, hash, encoded);
  return entry !== 0 && words[entry + Entry.value] !== 0 ? entry : 0;
}

/** Takes the mutex, with an entry for a key; on failure the draft is discarded. */
function lockEntryFor(map: number, key: unknown, draft: number): number {
  try {
    const encoded = encodeKey(key);
    return lockEntry(map, hashOf(encoded), encoded);
  } catch (error) {
    discard(draft);
    throw error;
  }
}

/** Gives a key a value. */
export function setKey(map: number, key: unknown, value: unknown): void {
  const record = draftRecord(value);
  const entry = lockEntryFor(map, key, record);
  putValue(map, entry, record);
  unlock(map + Field.mutex);
}

/** Gives a key a value if it has none; false if it has one. */
export function addKey(map: number, key: unknown, value: unknown): boolean {
  const record = draftRecord(value);
  const entry = lockEntryFor(map, key, record);
  const isFree = words[entry + Entry.value] === 0;
  if (isFree) {
    putValue(map, entry, record);
  } else {
    removeDraft(record);
    deallocate(record);
  }
  unlock(map + Field.mutex);
  return isFree;
}

/**
 * Takes a key out if a test of its value, code of the user, says so. If the value
 * is another one by then, that is tested, too.
 */
export function deleteKeyIf(
  map: number,
  key: unknown,
  test: (value: unknown) => boolean,
): boolean {
  for (;;) {
    const entry = lockFound(map, key);
    const record = entry === 0 ? 0 : words[entry + Entry.value];
    if (record !== 0) shareRecord(record);
    unlock(map + Field.mutex);
    if (record === 0) return false;
    try {
      if (!test(readRecord(record))) return false;
      const again = lockFound(map, key);
      // While this thread shares the record, none other lies where it does.
      const isSame = again !== 0 && words[again + Entry.value] === record;
      if (isSame) removeValue(map, again);
      unlock(map + Field.mutex);
      if (isSame) return true;
    } finally {
      dropRecord(record);
    }
  }
}

// A snapshot: a node of the thread's that shares all records of the map, since
// there are more of them than a thread has room for among its drafts. Whoever
// cleans up after the thread finds it among its nodes.

/** Flag of a node: it is a snapshot. */
const SNAPSHOT = 1 << 10;
const Snapshot = { count: NODE_WORDS, records: NODE_WORDS + 1 } as const;

/** Shares the keys and values that there are at this moment; returns the node. */
function takeSnapshot(map: number): number {
  for (;;) {
    const size = load(map + MapField.size);
    const node = allocateNode(SNAPSHOT, 0, Snapshot.records + size * 2);
    lock(map + Field.mutex);
    const fits = words[map + MapField.size] <= size;
    let at = node + Snapshot.records;
    let entry = fits ? words[map + MapField.first] : 0;
    for (; entry !== 0; entry = words[entry + Entry.after]) {
      for (const field of [Entry.key, Entry.value]) {
        words[at] = words[entry + field];
        addOwner(words[at++]);
      }
    }
    words[node + Snapshot.count] = at - node - Snapshot.records;
    words[node + Node.state] = Wake.granted;
    words[node + Node.object] = map;
    unlock(map + Field.mutex);
    if (fits) return node;
    freeNode(node);
  }
}

/** Gives back what a snapshot shares, that of a dead thread, too. */
export function dropSnapshot(node: number): boolean {
  if (!(words[node + Node.flags] & SNAPSHOT)) return false;
  lock(self + Slot.mutex);
  const count = words[node + Snapshot.count];
  for (let i = 0; i < count; i++) {
    releaseRecord(words[node + Snapshot.records + i]);
  }
  words[node + Snapshot.count] = 0;
  words[node + Node.object] = 0;
  unlock(self + Slot.mutex);
  return true;
}

/** The keys and values that there are at one moment. */
export function copyTable(map: number): Map<unknown, unknown> {
  const copy = new Map<unknown, unknown>();
  const node = takeSnapshot(map);
  try {
    const records = node + Snapshot.records;
    const end = records + words[node + Snapshot.count];
    for (let at = records; at < end; at += 2) {
      copy.set(readRecord(words[at]), readRecord(words[at + 1]));
    }
  } finally {
    dropSnapshot(node);
    freeNode(node);
  }
  return copy;
}

/** Takes all keys out. */
export function clearKeys(map: number): void {
  lock(map + Field.mutex);
  removeAllValues(map);
  unlock(map + Field.mutex);
}

/** A place in the order of insertion: before the first entry, at first. */
interface Place {
  /** Where the entry is, or was. */
  entry: number;
  hash: number;
  serial: number;
}

/** Moves a place on; returns the key and value there, if there are any more. */
export function readNext(
  map: number,
  place: Place,
): [unknown, unknown] | undefined {
  let key: unknown;
  let value: unknown;
  let keyRecord = 0;
  let valueRecord = 0;
  lock(map + Field.mutex);
  const entry = entryAfter(map, place.entry, place.hash, place.serial);
  if (entry !== 0) {
    place.entry = entry;
    place.hash = words[entry + Entry.hash];
    place.serial = serialOf(entry);
    keyRecord = words[entry + Entry.key];
    valueRecord = words[entry + Entry.value];
    key = glance(keyRecord);
    value = glance(valueRecord);
    if (key === UNREAD) shareRecord(keyRecord);
    if (value === UNREAD) shareRecord(valueRecord);
  }
  unlock(map + Field.mutex);
  if (entry === 0) return undefined;
  try {
    if (key === UNREAD) key = readShared(keyRecord);
  } finally {
    if (value === UNREAD) value = readShared(valueRecord);
  }
  return [key, value];
}
