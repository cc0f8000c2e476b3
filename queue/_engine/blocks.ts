/**
 * Blocks of items: several items on their way into a queue, and one that has to
 * wait for room.
 *
 * A block is a shared object that nobody has a handle of. Its thread refers to
 * it, then the node of the put that waits with it. If the thread is killed, the
 * items are given back with the block, however many there are.
 *
 *     block + count      the number of items
 *     block + priority   1 if they are for a heap
 *     block + kind       what kind of keys they have then
 *     block + ticket     names the wait that it belongs to, see `transaction.ts`
 *     block + places     a slot or a cell for each
 *
 * What changes a queue here is called under its mutex, with the ends closed.
 *
 * @module
 */

import {
  addDraft,
  allocate,
  doubles,
  Field,
  giveBack,
  lock,
  referenceDraft,
  registerClass,
  removeDraft,
  self,
  SharedObject,
  Slot,
  unlock,
  words,
} from "../../threading/_ground.ts";
import {
  commitRecord,
  draftEncoded,
  readRecord,
} from "../../threading/_threads.ts";
import { mismatch } from "../errors.ts";
import {
  discardOffer,
  draftMessage,
  draftOffer,
  isKindRight,
  nextSequence,
  offerRecord,
  releasePlace,
} from "./items.ts";
import {
  bareIn,
  type Batch,
  CELL_WORDS,
  copyCell,
  encodedIn,
  isBare,
  offer,
  Order,
  QueueField,
  recordIn,
  writeBare,
  writeRecord,
} from "./layout.ts";
import {
  INCOMPARABLE,
  insertSlot,
  SLOT_WORDS,
  SlotField,
  undoInsert,
} from "./priority_heap.ts";
import { cellAt } from "./ring.ts";

const BlockField = {
  count: Field.own,
  priority: Field.own + 1,
  kind: Field.own + 2,
  ticket: Field.own + 3,
  places: Field.own + 4,
} as const;

/** How many drafts go into a block at once; a slot has room for few drafts. */
const CHUNK = 4;

/** The class of blocks, of which there are no handles. */
class Block extends SharedObject {}
const KIND = registerClass(import.meta, { constructor: Block, destroy });

function createBlock(queue: number, count: number): number {
  const priority = words[queue + QueueField.order] === Order.priority;
  const size = priority ? SLOT_WORDS : CELL_WORDS;
  // Only the head is zeroed: zeroing all would cost more than the rest.
  const block = allocate(BlockField.places + count * size);
  for (let i = 0; i < BlockField.places; i++) words[block + i] = 0;
  words[block + Field.kind] = KIND;
  words[block + Field.references] = 1;
  words[block + BlockField.priority] = priority ? 1 : 0;
  lock(self + Slot.mutex);
  removeDraft(block);
  addDraft(referenceDraft(block));
  unlock(self + Slot.mutex);
  return block;
}

function isForHeap(block: number): boolean {
  return words[block + BlockField.priority] !== 0;
}

function placeOf(block: number, index: number): number {
  const size = isForHeap(block) ? SLOT_WORDS : CELL_WORDS;
  return block + BlockField.places + index * size;
}

/** How many items a block has. */
export function countOf(block: number): number {
  return words[block + BlockField.count];
}

/** The drafts of the offer, which are the caller's from now on. */
function takeOffer(): Drafted {
  draftMessage();
  const { record, entry, beginning } = offer;
  return { record, entry, beginning };
}

interface Drafted {
  record: number;
  entry: number;
  beginning: number;
}

/**
 * Makes a block of items. It belongs to this thread until it is inserted or
 * linked.
 *
 * @param batch What has been encoded of them.
 * @throws {TypeError} If they cannot be compared.
 * @throws {NotSendableError} If one cannot be sent.
 * @throws {HeapExhaustedError} If there is no room.
 */
export function draftBlock(
  queue: number,
  items: readonly unknown[],
  batch?: Batch,
): number {
  const block = createBlock(queue, items.length);
  const forHeap = isForHeap(block);
  const drafted: Drafted[] = [];
  let kind = 0;
  try {
    for (let i = 0; i < items.length; i++) {
      if (!forHeap && isBare(items[i])) continue;
      const encoded = batch && encodedIn(batch, i);
      if (encoded === undefined) draftOffer(queue, items[i]);
      else offerRecord(items[i], draftEncoded(encoded));
      drafted.push(takeOffer());
      if (i === 0) kind = offer.kind;
      else if (offer.kind !== kind) throw mismatch(items[i]);
      if (drafted.length === CHUNK) append(block, items, i + 1, drafted, kind);
    }
    append(block, items, items.length, drafted, kind);
  } catch (error) {
    for (const { record, entry } of drafted) discardOffer(record, entry);
    giveBack(block);
    throw error;
  }
  return block;
}

/** A block of the offer alone; gives the offer back if there is no room. */
export function blockOfOffer(queue: number): number {
  const { item, record, entry, kind } = offer;
  let block = 0;
  try {
    block = createBlock(queue, 1);
    append(block, [item], 1, [takeOffer()], kind);
  } catch (error) {
    discardOffer(record, entry);
    if (block !== 0) giveBack(block);
    throw error;
  }
  return block;
}

/**
 * Appends the items up to `end`. `drafted` has the drafts of those that need
 * some; it is emptied.
 */
function append(
  block: number,
  items: readonly unknown[],
  end: number,
  drafted: Drafted[],
  kind: number,
): void {
  const forHeap = isForHeap(block);
  let next = 0;
  lock(self + Slot.mutex);
  const start = countOf(block);
  let place = placeOf(block, start);
  for (
    let i = start;
    i < end;
    i++, place += forHeap ? SLOT_WORDS : CELL_WORDS
  ) {
    if (!forHeap && isBare(items[i])) {
      writeBare(place, items[i]);
      continue;
    }
    const { record, entry, beginning } = drafted[next++];
    if (forHeap) {
      doubles[place + SlotField.beginning >> 1] = beginning;
      words[place + SlotField.entry] = entry;
      if (entry !== 0) removeDraft(entry);
    } else {
      writeRecord(place, record);
    }
    if (record !== 0) commitRecord(record);
  }
  words[block + BlockField.count] = end;
  words[block + BlockField.kind] = kind;
  unlock(self + Slot.mutex);
  drafted.length = 0;
}

/** Under the mutex: whether the items may join those that are there. */
export function isBlockRight(queue: number, block: number): boolean {
  return isKindRight(queue, words[block + BlockField.kind]);
}

/**
 * Under the mutex, with places for them: puts the items of a block in.
 *
 * @returns Whether they are in, and the block is empty; if not, they cannot be
 * compared.
 */
export function insertBlock(queue: number, block: number): boolean {
  const count = countOf(block);
  if (!isForHeap(block)) insertCells(queue, block, count);
  else if (!insertSlots(queue, block, count)) return false;
  words[block + BlockField.count] = 0;
  return true;
}

function insertCells(queue: number, block: number, count: number): void {
  const length = words[queue + QueueField.length];
  for (let i = 0; i < count; i++) {
    copyCell(cellAt(queue, length + i), placeOf(block, i));
  }
  words[queue + QueueField.length] = length + count;
}

function insertSlots(queue: number, block: number, count: number): boolean {
  if (!isBlockRight(queue, block)) return false;
  for (let i = 0; i < count; i++) {
    const slot = placeOf(block, i);
    const at = insertSlot(
      queue,
      doubles[slot + SlotField.beginning >> 1],
      words[slot + SlotField.entry],
      nextSequence(queue),
      false,
    );
    if (at === INCOMPARABLE) {
      while (i-- > 0) {
        undoInsert(queue, words[placeOf(block, i) + SlotField.sequence]);
      }
      return false;
    }
    words[slot + SlotField.sequence] = at;
  }
  words[queue + QueueField.keyKind] = words[block + BlockField.kind];
  return true;
}

/** Under the mutex: this thread's block belongs to the queue from now on. */
export function linkBlock(block: number): void {
  removeDraft(referenceDraft(block));
}

/** Under the mutex: a block of the queue belongs to this thread from now on. */
export function unlinkBlock(block: number): void {
  addDraft(referenceDraft(block));
}

/** Under the mutex: names the wait that a block belongs to. */
export function setTicket(block: number, ticket: number): void {
  words[block + BlockField.ticket] = ticket;
}

/** The name of the wait that a block belongs to. */
export function ticketOf(block: number): number {
  return words[block + BlockField.ticket];
}

/**
 * Copies of the items of a block of cells. The block must not go meanwhile.
 *
 * @throws {ModuleNotLoaded} If a module must be imported first.
 */
export function readBlock(block: number): unknown[] {
  const items: unknown[] = [];
  const count = countOf(block);
  for (let i = 0; i < count; i++) {
    const cell = placeOf(block, i);
    const record = recordIn(cell);
    items.push(record === 0 ? bareIn(cell) : readRecord(record));
  }
  return items;
}

function destroy(block: number): void {
  for (let i = countOf(block) - 1; i >= 0; i--) {
    releasePlace(placeOf(block, i), isForHeap(block));
  }
}
