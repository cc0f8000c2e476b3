/**
 * Records: values as they lie on the heap, in a queue, a map, a thread's
 * arguments.
 *
 *     record + 0   length of the encoded value in bytes
 *     record + 1   number of shared objects the value refers to
 *     record + 2   number of marked functions and classes in it
 *     record + 3   by how many it is owned: 1 for the place where it is linked,
 *                  1 for each thread that reads it, see `shareRecord`
 *     record + 4   addresses of the former, numbers of the latter
 *     behind them  at an even word, the bytes
 *
 * A record that is linked somewhere keeps the objects alive that it refers to.
 * But for the owners, it never changes.
 *
 * @module
 */

import {
  addDraft,
  allocate,
  COUNTED,
  deallocate,
  removeDraft,
} from "../_memory/allocator.ts";
import { decode } from "./decode.ts";
import { encode, type Encoded } from "./encode.ts";
import {
  knownSendable,
  loadModule,
  loadSendable,
  sendableName,
} from "./sendable.ts";
import {
  FALSE,
  FLOAT64,
  INT32,
  NULL,
  RECENT_SHAPE,
  SHORT_TEXT,
  SMALL_INT,
  TEXT16,
  TEXT8,
  TRUE,
  UNDEFINED,
} from "./format.ts";
import {
  add,
  bytes,
  Field,
  MAX_DRAFTS,
  memory,
  self,
  Slot,
  words,
} from "../_memory/heap.ts";
import { lock, unlock } from "../_memory/mutex.ts";
import { classOf, classUrl } from "../_memory/shared_class.ts";
import { addressOf, releaseReference } from "../_memory/shared_object.ts";

const Record = {
  length: 0,
  references: 1,
  sendables: 2,
  owners: 3,
  lists: 4,
} as const;

/**
 * Encodes a value into a new record, a draft of this thread.
 *
 * @param value The value.
 * @returns The record's address.
 * @throws {NotSendableError} If the value cannot be sent.
 * @throws {HeapExhaustedError} If there is no room.
 */
export function draftRecord(value: unknown): number {
  return draftEncoded(encode(value));
}

/** Like {@linkcode draftRecord}, of what a thread returned. */
export function draftResult(value: unknown): number {
  return draftEncoded(encode(value, "result"));
}

/** Like {@linkcode draftRecord}, of a value that has been encoded. */
export function draftEncoded(value: Encoded): number {
  const { bytes: encoded, length, references, sendables } = value;
  // A getter in the value may have freed one of them.
  for (const reference of references) addressOf(reference);
  const start = startIn(references.length + sendables.length);
  const record = allocate(start + (length + 3 >> 2));
  words[record + Record.length] = length;
  words[record + Record.references] = references.length;
  words[record + Record.sendables] = sendables.length;
  words[record + Record.owners] = 1;
  let at = record + Record.lists;
  for (const reference of references) words[at++] = addressOf(reference);
  for (const id of sendables) words[at++] = id;
  copyIn(encoded, length, (record + start) * 4);
  return record;
}

/** The offset of the bytes, behind lists of this many words. */
function startIn(listed: number): number {
  return Record.lists + listed + 1 & ~1;
}

function copyIn(source: Uint8Array, length: number, at: number): void {
  if (length <= 64) {
    for (let i = 0; i < length; i++) bytes[at + i] = source[i];
  } else {
    bytes.set(source.subarray(0, length), at);
  }
}

/**
 * Makes a draft a linked record. To be called in the critical section in which
 * it is linked.
 *
 * @param record The record.
 * @param slot Whose draft it is.
 */
export function commitRecord(record: number, slot: number = self): void {
  const count = words[record + Record.references];
  for (let i = 0; i < count; i++) {
    add(words[record + Record.lists + i] + Field.references, 1);
  }
  removeDraft(record, slot);
}

/**
 * Takes an unlinked record over. To be called in the critical section in which
 * it is unlinked; {@linkcode dropRecord} gives it back.
 */
export function takeRecord(record: number): void {
  addDraft(record | COUNTED);
}

/**
 * Makes this thread one of the owners of a linked record, so that it can be
 * read after the critical section in which this is called, whatever becomes of
 * it; {@linkcode readShared} does that and gives it back.
 */
export function shareRecord(record: number): void {
  add(record + Record.owners, 1);
  addDraft(record | COUNTED);
}

/** Reads a record that this thread shares, or took over, and gives it back. */
export function readShared(record: number): unknown {
  try {
    return readRecord(record);
  } finally {
    dropRecord(record);
  }
}

/** Adds an owner: a second place where the record is linked. */
export function addOwner(record: number): void {
  add(record + Record.owners, 1);
}

/** What {@linkcode glance} returns when it did not read the record. */
export const UNREAD: unique symbol = Symbol("unread");

/**
 * The text of a record, or `undefined` if it is none. Needs no mutex: if the
 * record goes meanwhile, it is some text or other.
 */
export function glanceText(record: number): string | undefined {
  const length = words[record + Record.length];
  if (!(length > 0 && length <= MAX_GLANCE) || !refersToNothing(record)) {
    return undefined;
  }
  const start = (record + Record.lists) * 4;
  const copy = bytes.slice(start, start + length);
  const [tag] = copy;
  const isText = tag === TEXT8 || tag === TEXT16 ||
    (tag >= SHORT_TEXT && tag < RECENT_SHAPE);
  try {
    return isText ? String(decode(copy, 0, length)) : undefined;
  } catch {
    return undefined;
  }
}

/** Names are not longer, but for odd ones. */
const MAX_GLANCE = 1024;

const view = new DataView(memory.buffer);

/**
 * The value of a record if it is a number, a boolean, null or undefined. Runs
 * no code but its own, so it may be called in a critical section, where that is
 * cheaper than to share the record.
 */
export function glance(record: number): unknown {
  if (words[record + Record.length] > 9) return UNREAD;
  if (!refersToNothing(record)) return UNREAD;
  const at = (record + Record.lists) * 4;
  const tag = bytes[at];
  if (tag >= SMALL_INT && tag < SHORT_TEXT) return tag - SMALL_INT;
  switch (tag) {
    case INT32:
      return view.getInt32(at + 1, true);
    case FLOAT64:
      return view.getFloat64(at + 1, true);
    case UNDEFINED:
      return undefined;
    case NULL:
      return null;
    case FALSE:
      return false;
    case TRUE:
      return true;
    default:
      return UNREAD;
  }
}

/**
 * Whether reading the record needs nothing but memory: no shared object, no
 * marked function or class, whose module might have to be loaded.
 */
export function refersToNothing(record: number): boolean {
  return (words[record + Record.references] |
    words[record + Record.sendables]) === 0;
}

/** Whether a record, or none, refers to a shared object. */
export function refersTo(record: number, address: number): boolean {
  if (record === 0) return false;
  const lists = record + Record.lists;
  for (let i = words[record + Record.references] - 1; i >= 0; i--) {
    if (words[lists + i] === address) return true;
  }
  return false;
}

/** Whether the record holds this encoded value. */
export function holdsEncoded(record: number, value: Encoded): boolean {
  const length = value.length;
  if (words[record + Record.length] !== length) return false;
  const start = startOf(record);
  const encoded = value.bytes;
  for (let i = 0; i < length; i++) {
    if (bytes[start + i] !== encoded[i]) return false;
  }
  return true;
}

function startOf(record: number): number {
  const listed = words[record + Record.references] +
    words[record + Record.sendables];
  return (record + startIn(listed)) * 4;
}

/**
 * Decodes a record, which must not change or go meanwhile.
 *
 * @throws {ModuleNotLoaded} If a module must be imported first.
 */
export function readRecord(record: number): unknown {
  const start = startOf(record);
  return decode(bytes, start, start + words[record + Record.length]);
}

/**
 * Imports the modules that reading a record needs and that this thread has not
 * loaded. The record must not go meanwhile.
 *
 * @returns A promise if there is anything to wait for.
 */
export function loadModulesOf(record: number): Promise<void> | undefined {
  let loading: Promise<void> | undefined;
  let at = record + Record.lists;
  for (let i = words[record + Record.references]; i > 0; i--) {
    const address = words[at++];
    if (classOf(address) !== undefined) continue;
    const load = () => loadModule(classUrl(address));
    loading = loading === undefined ? load() : loading.then(load);
  }
  for (let i = words[record + Record.sendables]; i > 0; i--) {
    const id = words[at++];
    if (knownSendable(id) !== undefined) continue;
    const load = () => loadSendable(id);
    loading = loading === undefined ? load() : loading.then(load);
  }
  return loading;
}

/** The first module that reading a record needs and that is not loaded here. */
export function missingModuleOf(record: number): string | undefined {
  const references = words[record + Record.references];
  const lists = record + Record.lists;
  for (let i = 0; i < references; i++) {
    const address = words[lists + i];
    if (classOf(address) === undefined) return classUrl(address);
  }
  for (let i = 0; i < words[record + Record.sendables]; i++) {
    const id = words[lists + references + i];
    if (knownSendable(id) === undefined) return sendableName(id).url;
  }
  return undefined;
}

/** Gives back a record that this thread has taken over. */
export function dropRecord(record: number): void {
  lock(self + Slot.mutex);
  removeDraft(record | COUNTED);
  releaseRecord(record);
  unlock(self + Slot.mutex);
}

/**
 * Gives back a record that was linked, with its references if it has no other
 * owner. To be called in a critical section.
 */
export function releaseRecord(record: number): void {
  if (add(record + Record.owners, -1) !== 1) return;
  const count = words[record + Record.references];
  for (let i = 0; i < count; i++) {
    releaseReference(words[record + Record.lists + i]);
  }
  deallocate(record);
}

/** Gives back the drafts of a dead thread's slot. */
export function releaseDraftsOf(slot: number): void {
  lock(self + Slot.mutex);
  const count = Math.min(words[slot + Slot.draftCount], MAX_DRAFTS);
  for (let i = 0; i < count; i++) {
    const draft = words[slot + Slot.drafts + i];
    if (draft === 0) continue;
    if (draft < 0) releaseReference(-draft);
    else if (draft & COUNTED) releaseRecord(draft & ~COUNTED);
    else deallocate(draft);
  }
  words[slot + Slot.draftCount] = 0;
  words[slot + Slot.openDrafts] = 0;
  unlock(self + Slot.mutex);
}
