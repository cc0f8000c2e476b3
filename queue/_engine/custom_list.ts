/**
 * The list of a queue with hooks, and the journal by which what hooks did to it
 * can be undone.
 *
 * Hooks run in a transaction. While one runs, each change of the list is noted
 * in the queue's journal, in the critical section that makes the change:
 *
 *     journal + 0   the number of changes
 *     journal + 1   how many there is room for
 *     journal + 2   for each its place, and the record that was taken out there,
 *                   which the journal owns, or 0 if one was put in
 *
 * If a hook throws, its thread undoes the changes. If the thread is killed, the
 * next one that runs hooks of this queue finds them and undoes them. The list
 * keeps its storage meanwhile, so undoing never allocates.
 *
 * @module
 */

import {
  insertAt,
  isLarge,
  lockWithRoom,
  placeOf,
  removeKeeping,
  RingField,
  SharedList,
  shrinkEmpty,
  wordAt,
} from "../../threading/shared/list.ts";
import {
  add,
  ADDRESS,
  addressOf,
  allocate,
  deallocate,
  discard,
  Field,
  lock,
  objectAtAs,
  removeDraft,
  type SharedObject,
  unlock,
  words,
} from "../../threading/_ground.ts";
import {
  commitRecord,
  draftRecord,
  glance,
  readShared,
  releaseRecord,
  sendableOwn,
  shareRecord,
  UNREAD,
} from "../../threading/_threads.ts";
import { Lock } from "../../threading/sync/lock.ts";
import { Order, QueueField } from "./layout.ts";

/** The hooks of a queue. */
export interface Hooked extends SharedObject {
  /** Puts an item in. */
  _put(item: unknown): void;
  /** Takes the next item out. */
  _get(): unknown;
  /** How many items there are. */
  _qsize(): number;
}

const NAMES = ["_init", "_put", "_get", "_qsize"];
const builtIn = new Set<unknown>();

/** Makes the hooks of skein's own class known. */
export function markBuiltIn(prototype: object): void {
  for (const name of NAMES) builtIn.add(Reflect.get(prototype, name));
}

/** Whether the class of the queue overrides a hook. */
export function areOverridden(handle: SharedObject): boolean {
  return NAMES.some((name) => !builtIn.has(Reflect.get(handle, name)));
}

/** Whether the order of a queue is code of the user's. */
export function isCustom(queue: number): boolean {
  return words[queue + QueueField.order] === Order.custom;
}

/** A queue whose hooks, which are protected, are to be called. */
export function hooked(queue: SharedObject): Hooked {
  return queue as Hooked;
}

/** Gives a new queue, which no other thread knows, its list and its lock. */
export function attachList(queue: number): void {
  words[queue + QueueField.order] = Order.custom;
  attach(queue, QueueField.list, new SharedList());
  attach(queue, QueueField.lock, new Lock());
}

function attach(queue: number, field: number, part: SharedObject): void {
  const address = part[ADDRESS];
  lock(queue + Field.mutex);
  add(address + Field.references, 1);
  words[queue + field] = address;
  unlock(queue + Field.mutex);
  part.free();
}

/** The list of a queue with hooks. */
export function listOf(queue: number): SharedList<unknown> {
  const list = objectAtAs(words[queue + QueueField.list], CustomList);
  return list as CustomList<unknown>;
}

const JournalField = { count: 0, capacity: 1, changes: 2 } as const;
const CHANGE_WORDS = 2;
const FIRST_CAPACITY = 16;
/** A larger journal is given back when its transaction ends. */
const KEPT_CAPACITY = 256;

/** A transaction of this thread. */
interface Running {
  handle: SharedObject;
  queue: number;
  list: number;
  /** The transaction in whose hooks this one runs. */
  outer: Running | undefined;
}

let running: Running | undefined;

/** Begins to note what is done to the list of a queue. */
export function openJournal(handle: SharedObject, queue: number): void {
  const list = words[queue + QueueField.list];
  running = { handle, queue, list, outer: running };
}

/** Ends what {@linkcode openJournal} began last. */
export function closeJournal(): void {
  running = running?.outer;
}

/** Whether a hook of the queue is running in this thread. */
export function isInHook(queue: number): boolean {
  let each = running;
  while (each !== undefined && each.queue !== queue) each = each.outer;
  return each !== undefined;
}

/** How many changes there are in the journal of a queue. */
export function countChanges(queue: number): number {
  const journal = words[queue + QueueField.journal];
  return journal === 0 ? 0 : words[journal + JournalField.count];
}

/** Makes room for more changes. */
function reserve(queue: number, more: number): void {
  const old = words[queue + QueueField.journal];
  const count = countChanges(queue);
  const known = old === 0 ? 0 : words[old + JournalField.capacity];
  if (count + more <= known) return;
  let capacity = FIRST_CAPACITY;
  while (capacity < count + more) capacity *= 2;
  const journal = allocate(JournalField.changes + capacity * CHANGE_WORDS);
  words[journal + JournalField.count] = count;
  words[journal + JournalField.capacity] = capacity;
  const start = old + JournalField.changes;
  words.copyWithin(
    journal + JournalField.changes,
    start,
    start + count * CHANGE_WORDS,
  );
  lock(queue + Field.mutex);
  words[queue + QueueField.journal] = journal;
  removeDraft(journal);
  if (old !== 0) deallocate(old);
  unlock(queue + Field.mutex);
}

/** In the critical section of a change: notes it. There must be room. */
function note(queue: number, place: number, record: number): void {
  const journal = words[queue + QueueField.journal];
  const count = words[journal + JournalField.count];
  const change = journal + JournalField.changes + count * CHANGE_WORDS;
  words[change] = place;
  words[change + 1] = record;
  words[journal + JournalField.count] = count + 1;
}

/**
 * Undoes the last changes of a queue's list.
 *
 * @param queue The queue, whose hooks' lock this thread holds.
 * @param kept How many of the first changes stay.
 */
export function undoChanges(queue: number, kept: number): void {
  if (countChanges(queue) <= kept) return;
  const journal = words[queue + QueueField.journal];
  const list = words[queue + QueueField.list];
  lock(list + Field.mutex);
  let count = words[journal + JournalField.count];
  while (count > kept) {
    const change = journal + JournalField.changes + --count * CHANGE_WORDS;
    const place = words[change];
    const taken = words[change + 1];
    const length = words[list + RingField.length];
    // A thread that changes the list outside of hooks, against the rules, may
    // spoil the order of the items, but not the heap.
    if (taken !== 0 && length < words[list + RingField.capacity]) {
      insertAt(list, Math.min(place, length), taken);
    } else if (taken !== 0) {
      releaseRecord(taken);
    } else if (place < length) {
      const record = words[wordAt(list, place)];
      removeKeeping(list, place);
      releaseRecord(record);
    }
  }
  words[journal + JournalField.count] = kept;
  unlock(list + Field.mutex);
}

/**
 * In a critical section: makes all changes final, and gives back the records
 * that were taken out.
 */
export function keepChanges(queue: number): void {
  const journal = words[queue + QueueField.journal];
  if (journal === 0) return;
  const count = words[journal + JournalField.count];
  for (let i = 0; i < count; i++) {
    const change = journal + JournalField.changes + i * CHANGE_WORDS;
    if (words[change + 1] !== 0) releaseRecord(words[change + 1]);
  }
  words[journal + JournalField.count] = 0;
  if (words[journal + JournalField.capacity] <= KEPT_CAPACITY) return;
  words[queue + QueueField.journal] = 0;
  deallocate(journal);
}

/** Outside of critical sections: an empty list gives back a large block. */
export function shrinkList(queue: number): void {
  const list = words[queue + QueueField.list];
  if (words[list + RingField.length] !== 0 || !isLarge(list)) return;
  lock(list + Field.mutex);
  if (words[list + RingField.length] === 0) shrinkEmpty(list);
  unlock(list + Field.mutex);
}

/** Gives back what is left in the list of a queue that nothing is got from. */
export function clearList(queue: number): void {
  if (words[words[queue + QueueField.list] + RingField.length] === 0) return;
  listOf(queue).clear();
}

/** When a queue goes: gives the journal back, with what it owns. */
export function destroyJournal(queue: number): void {
  keepChanges(queue);
  const journal = words[queue + QueueField.journal];
  if (journal !== 0) deallocate(journal);
}

/** Puts items in at the place that `find` computes from the length. */
function putIn(
  list: number,
  items: readonly unknown[],
  find: (length: number) => number,
): number {
  const queue = queueOf(list)!;
  const records: number[] = [];
  try {
    for (const item of items) records.push(draftRecord(item));
    reserve(queue, records.length);
    lockWithRoom(list, records.length);
  } catch (error) {
    records.forEach(discard);
    throw error;
  }
  let place = find(words[list + RingField.length]);
  for (let i = 0; i < records.length; i++, place++) {
    insertAt(list, place, records[i]);
    commitRecord(records[i]);
    note(queue, place, 0);
  }
  const length = words[list + RingField.length];
  unlock(list + Field.mutex);
  return length;
}

const ABSENT = Symbol("absent");

/** Takes the item at an index out. */
function takeOut(list: number, index: number): unknown {
  const queue = queueOf(list)!;
  reserve(queue, 1);
  const before = countChanges(queue);
  lock(list + Field.mutex);
  const place = placeOf(list, index);
  if (place < 0) {
    unlock(list + Field.mutex);
    return ABSENT;
  }
  const record = words[wordAt(list, place)];
  const value = glance(record);
  if (value === UNREAD) shareRecord(record);
  removeKeeping(list, place);
  note(queue, place, record);
  unlock(list + Field.mutex);
  if (value !== UNREAD) return value;
  try {
    return readShared(record);
  } catch (error) {
    // A hook that catches the error finds the item where it was.
    undoChanges(queue, before);
    throw error;
  }
}

/** Puts another item at an index; false if none is there. */
function replace(list: number, index: number, item: unknown): boolean {
  const queue = queueOf(list)!;
  const record = draftRecord(item);
  try {
    reserve(queue, 2);
  } catch (error) {
    discard(record);
    throw error;
  }
  lock(list + Field.mutex);
  const place = placeOf(list, index);
  if (place >= 0) {
    const old = words[wordAt(list, place)];
    removeKeeping(list, place);
    note(queue, place, old);
    insertAt(list, place, record);
    commitRecord(record);
    note(queue, place, 0);
  }
  unlock(list + Field.mutex);
  if (place < 0) discard(record);
  return place >= 0;
}

/** The queue whose hooks run over a list in this thread, if any do. */
function queueOf(list: number): number | undefined {
  let each = running;
  while (each !== undefined && each.list !== list) each = each.outer;
  // A hook may have freed the handle, and with it the queue.
  return each?.handle[ADDRESS] === each?.queue ? each?.queue : undefined;
}

/** A list whose changes by hooks can be undone. */
class CustomList<T> extends SharedList<T> {
  static {
    sendableOwn(import.meta, this);
  }

  override push(...items: T[]): number {
    const list = addressOf(this);
    if (queueOf(list) === undefined) return super.push(...items);
    return putIn(list, items, (length) => length);
  }

  override insert(index: number, item: T): void {
    const list = addressOf(this);
    if (queueOf(list) === undefined || !Number.isSafeInteger(index)) {
      return super.insert(index, item);
    }
    putIn(
      list,
      [item],
      (length) =>
        index < 0 ? Math.max(index + length, 0) : Math.min(index, length),
    );
  }

  override pop(): T | undefined {
    const list = addressOf(this);
    if (queueOf(list) === undefined) return super.pop();
    const value = takeOut(list, -1);
    return value === ABSENT ? undefined : value as T;
  }

  override shift(): T | undefined {
    const list = addressOf(this);
    if (queueOf(list) === undefined) return super.shift();
    const value = takeOut(list, 0);
    return value === ABSENT ? undefined : value as T;
  }

  override removeAt(index: number): T {
    const list = addressOf(this);
    if (queueOf(list) !== undefined && Number.isSafeInteger(index)) {
      const value = takeOut(list, index);
      if (value !== ABSENT) return value as T;
    }
    // Outside of hooks, or with an index that it refuses.
    return super.removeAt(index);
  }

  override set(index: number, item: T): void {
    const list = addressOf(this);
    if (queueOf(list) !== undefined && Number.isSafeInteger(index)) {
      if (replace(list, index, item)) return;
    }
    super.set(index, item);
  }

  override clear(): void {
    const list = addressOf(this);
    if (queueOf(list) === undefined) return super.clear();
    while (takeRecord(list));
  }
}

/** Takes the last record out unread; false if there is none. */
function takeRecord(list: number): boolean {
  const queue = queueOf(list)!;
  reserve(queue, 1);
  lock(list + Field.mutex);
  const place = words[list + RingField.length] - 1;
  if (place >= 0) {
    note(queue, place, words[wordAt(list, place)]);
    removeKeeping(list, place);
  }
  unlock(list + Field.mutex);
  return place >= 0;
}
