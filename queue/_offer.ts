/**
 * Offers: what this thread is about to put, ready to go in.
 *
 * @module
 */

import { discard } from "../threading/_memory/allocator.ts";
import { decode } from "../threading/_memory/codec/decode.ts";
import { encode, type Encoded } from "../threading/_memory/codec/encode.ts";
import { removeDraft } from "../threading/_memory/draft.ts";
import { words } from "../threading/_memory/heap.ts";
import { commitRecord, draftEncoded } from "../threading/_memory/record.ts";
import { isBare, writeBare, writeMessageLength, writeRecord } from "./_cell.ts";
import { Order, QueueField } from "./_fields.ts";
import { draftEntry, INCOMPARABLE, insertSlot } from "./_heap.ts";
import { key, makeKey } from "./_key.ts";
import { isMessage, writeMessage } from "./_message.ts";
import { cellAt, messageOf } from "./_places.ts";

/** An item that is to be put: itself, its drafts, its key. */
export const offer = {
  item: undefined as unknown,
  /** The record of what is neither bare nor a message, or 0. */
  record: 0,
  /** The item's message in a ring; valid until this thread encodes again. */
  message: undefined as Encoded | undefined,
  kind: 0,
  beginning: 0,
  /** The entry in a heap, or 0. */
  entry: 0,
};

/**
 * Makes {@linkcode offer} ready. Not under the mutex.
 *
 * @throws {TypeError} If it cannot be compared.
 * @throws {NotSendableError} If it cannot be sent.
 * @throws {HeapExhaustedError} If there is no room.
 */
export function draftOffer(queue: number, item: unknown): void {
  if (words[queue + QueueField.order] === Order.priority) {
    draftWithKey(item);
    return;
  }
  let message: Encoded | undefined;
  let record = 0;
  if (!isBare(item)) {
    // This may run code of the user's, which may put something.
    message = encode(item);
    if (!isMessage(message)) {
      record = draftEncoded(message);
      message = undefined;
    }
  }
  offer.item = item;
  offer.record = record;
  offer.message = message;
  offer.kind = 0;
  offer.entry = 0;
}

/** How often this thread has begun to make an offer with a key. */
let turns = 0;

function draftWithKey(item: unknown): void {
  const turn = ++turns;
  let record = 0;
  let entry = 0;
  if (typeof item === "number") {
    makeKey(item);
  } else {
    let encoded = encode(item);
    if (turn === turns) {
      makeKey(item);
      // One of the tuple itself has put something in place of the message.
      if (turn !== turns) encoded = encode(item);
    }
    if (turn !== turns) {
      // A getter in the item has put something else. A copy has no getters.
      draftWithKey(decode(encoded.bytes, 0, encoded.length));
      return;
    }
    if (isMessage(encoded)) {
      entry = draftEntry(0, encoded);
    } else {
      record = draftEncoded(encoded);
      entry = entryOf(record);
    }
  }
  offer.item = item;
  offer.record = record;
  offer.message = undefined;
  offer.kind = key.kind;
  offer.beginning = key.beginning;
  offer.entry = entry;
}

function entryOf(record: number): number {
  try {
    return draftEntry(record, undefined);
  } catch (error) {
    discard(record);
    throw error;
  }
}

/** Gives the message of the offer a record, since it is to lie elsewhere. */
export function draftMessage(): void {
  if (offer.message === undefined) return;
  offer.record = draftEncoded(offer.message);
  offer.message = undefined;
}

/** Gives back the drafts of an offer. Not under the mutex. */
export function discardOffer(record: number, entry: number): void {
  if (entry !== 0) discard(entry);
  if (record !== 0) discard(record);
}

/** Number of the next item in a heap. */
export function nextSequence(queue: number): number {
  const sequence = words[queue + QueueField.sequence];
  words[queue + QueueField.sequence] = sequence + 1;
  return sequence;
}

/** Whether items with that kind of key may join those that are there. */
export function isKindRight(queue: number, kind: number): boolean {
  return words[queue + QueueField.order] !== Order.priority ||
    words[queue + QueueField.length] === 0 ||
    words[queue + QueueField.keyKind] === kind;
}

/**
 * With a free place, a wide one if it has a message: puts the offer in.
 *
 * @returns Whether it is in; if not, it cannot be compared.
 */
export function insertOffer(queue: number): boolean {
  const { record } = offer;
  if (words[queue + QueueField.order] !== Order.priority) {
    const length = words[queue + QueueField.length];
    writeOffer(cellAt(queue, length));
    words[queue + QueueField.length] = length + 1;
  } else {
    const { beginning, entry, kind } = offer;
    if (!isKindRight(queue, kind)) return false;
    const sequence = nextSequence(queue);
    const at = insertSlot(queue, beginning, entry, sequence, false);
    if (at === INCOMPARABLE) return false;
    words[queue + QueueField.keyKind] = kind;
    if (entry !== 0) removeDraft(entry);
  }
  if (record !== 0) commitRecord(record);
  return true;
}

/** Writes the offer of a queue without keys into a free cell. */
export function writeOffer(cell: number): void {
  const { record, message } = offer;
  if (message !== undefined) {
    writeMessageLength(cell, message.length);
    writeMessage(messageOf(cell), message);
  } else if (record !== 0) {
    writeRecord(cell, record);
  } else {
    writeBare(cell, offer.item);
  }
}
