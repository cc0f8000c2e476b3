/**
 * What a queue is in memory: its words, and how an item lies in it.
 *
 * This folder is the engine of all queues. Each file knows those before it:
 *
 *     layout.ts          words, cells, the item at hand
 *     ring.ts            cells in a ring, with one mutex for each end
 *     priority_heap.ts   keys, and a binary heap of them
 *     items.ts           items into and out of a queue, in its order, and back
 *     blocks.ts          several items at once, and one that waits for room
 *     waiters.ts         who waits, and who is served; tasks; the end
 *     deliveries.ts      items that are out with a thread until it acknowledges
 *     custom_list.ts     the list of a queue with hooks, and its journal
 *     transaction.ts     hooks and `compare` run in transactions
 *     custom_order.ts    puts and gets that do that
 *     put.ts, get.ts, get_many.ts   what the faces call, in all forms
 *
 * An item lies in a cell of two words. A number is there as a double. Everything
 * else is marked by a high word that no number has; the low word is then the
 * address of a record, the length of a message, or stands for one of the few
 * values that need neither.
 *
 * A message is an item that is encoded in a few words and refers to nothing. It
 * lies in the queue itself, behind its cell, so it needs no block of its own.
 * Whoever takes it out copies it in the same critical section: there is no draft
 * that could be left over.
 *
 * @module
 */

import {
  decode,
  encode,
  type Encoded,
  takeRecord,
} from "../../threading/_threads.ts";
import { doubles, Field, Node, Wake, words } from "../../threading/_ground.ts";

/**
 * Offsets of a queue's words; doubles are at even ones. The words that each end
 * writes at every call lie a cache line (16 words) away from those of the other
 * end, and from the first ones, which both ends read and few calls write. A word
 * changes under the queue's mutex, with the ends closed, unless it says more.
 */
export const QueueField = {
  /** The lines of those who wait to get and to put. */
  getters: Field.head,
  putters: Field.own,
  /** Whether the ends are open; grows whenever that changes, see `ring.ts`. */
  opening: Field.own + 2,
  /** The most items there may be; fixed. */
  limit: Field.own + 3,
  /** The first cell or slot, and how many there are: a power of two or 0. */
  places: Field.own + 4,
  capacity: Field.own + 5,
  /** A `PlaceShift`. */
  placeShift: Field.own + 6,
  /** An `Order`; fixed. */
  order: Field.own + 7,
  /** A `ShutDownMode`. */
  shutDown: Field.own + 8,
  /** The tail when the ends were opened. */
  openedAt: Field.own + 9,
  /**
   * Number of items that were put and not yet reported as done, a double. It
   * leaves out what was put since the ends were opened and, in a queue with
   * hooks, what is still in the queue. Changes under the mutex, ends open or
   * closed.
   */
  unfinished: Field.own + 10,
  /** `maxsize`, a double; fixed. */
  maxsize: Field.own + 12,
  /** The line of those in join(). Changes as `unfinished` does. */
  joiners: Field.own + 14,
  /** What kind of keys the items have, while there are any. */
  keyKind: Field.own + 16,
  /** The next sequence number; it orders items that are equal. */
  sequence: Field.own + 17,
  /** The list, the lock and the record of the order of a queue with hooks. */
  list: Field.own + 18,
  lock: Field.own + 19,
  compare: Field.own + 20,
  /** The first place in use, and how many are. Valid while the ends are closed. */
  first: Field.own + 21,
  length: Field.own + 22,
  /** The block that the places are in. */
  block: Field.own + 23,
  /** The end where items are got; see `ring.ts`. */
  headMutex: Field.own + 24,
  /** Index of the next item to get; see `MAX_INDEX` for its beginning. */
  head: Field.own + 25,
  /** The index of the other end when this end read it last. */
  seenTail: Field.own + 26,
  /**
   * How many deliveries are out, delayed ones included. Grows under the mutex
   * that the item was taken under, shrinks under the queue's; atomically.
   */
  out: Field.own + 27,
  /** How many items are in the line behind it: those that came back. */
  returnedCount: Field.own + 28,
  returned: Field.own + 29,
  /** The line of those that come back later, the next one first. */
  delayed: Field.own + 31,
  /** The end where items are put. */
  tailMutex: Field.own + 40,
  tail: Field.own + 41,
  seenHead: Field.own + 42,
  /** How many producers and consumers are open, see `_ends.ts`. */
  producers: Field.own + 44,
  consumers: Field.own + 46,
  /** The journal of a queue with hooks, see `custom_list.ts`. */
  journal: Field.own + 45,
} as const;
/** Size of a queue in words. */
export const QUEUE_WORDS = Field.own + 56;

/** The logarithm to base 2 of the size of a place in words. */
export const PlaceShift = {
  /** A cell of a ring. */
  cell: 1,
  /** A cell with room for a message. */
  wideCell: 4,
  /** A slot of a heap. */
  slot: 2,
} as const;

/** Which item is next. */
export const Order = {
  /** The one that was put first. */
  fifo: 0,
  /** The one that was put last. */
  lifo: 1,
  /** The lowest. */
  priority: 2,
  /** Whatever the hooks of a subclass or a `compare` say. */
  custom: 3,
} as const;

/** Whether a queue was shut down. */
export const ShutDownMode = {
  no: 0,
  /** What is there can still be got. */
  drains: 1,
  /** What is there was thrown away, and what comes back is, too. */
  immediate: 2,
} as const;

/** The limit of a queue without one. */
export const UNLIMITED = 0x7fff_ffff;

/** The limit of a `SynchronousQueue`, which has no room. */
export const NO_ROOM = 0;

/** The most items that a queue may have. */
export function limitOf(queue: number): number {
  return words[queue + QueueField.limit];
}

/** How an attempt to put ended, with the numbers of `Wake`. */
export const Put = {
  full: Wake.waiting,
  done: Wake.granted,
  shutDown: Wake.refused,
  /** More places are needed. */
  grow: 4,
  /** As many places as the limit allows are needed, so that it can wait. */
  growToLimit: 5,
  /** The item cannot be compared. */
  mismatch: 6,
  /** Wide places are needed, for a message. */
  widen: 7,
  /** A record is needed: somebody waits, whose node cannot have a message. */
  record: 8,
  /** It takes the queue's mutex to tell, see `ring.ts`. */
  closed: 9,
  /** It may be possible by now: try again. */
  again: 10,
  /** A hook threw. */
  failed: 11,
} as const;

/** Flags of a node, above those of the ground. */
export const WaitFlag = {
  /** One of a selection was woken to run the hooks itself, and is in no line. */
  called: 1 << 4,
  /** A getter gave back what it was woken for: it comes before those in line. */
  declined: 1 << 5,
  /** A getter that waits for what is out, though the queue was shut down. */
  patient: 1 << 6,
  /** The node is no wait but a delivery, see `deliveries.ts`. */
  delivered: 1 << 7,
  /** A getter was handed an item, which its node has. */
  handed: 1 << 8,
  /** The node is an item that a transaction will hand over. */
  prepared: 1 << 9,
  /** It was woken to run the hooks itself, and is still in line. */
  nudged: 1 << 10,
  /** A woken node's wait has ended, as the bits from `END_SHIFT` on tell. */
  ended: 1 << 11,
} as const;
/** From this bit on a node's flags have a `Put`, if it has ended. */
export const END_SHIFT = 12;

/**
 * Where a node has the block of what it puts, or what it was handed: a cell, or
 * the slot of a priority queue in three parts. It is in no line by then.
 */
export const NodeItem = {
  block: Node.value,
  cell: Node.value,
  beginning: Node.value,
  entry: Node.next,
  sequence: Node.previous,
} as const;

/** Size of a cell in words. */
export const CELL_WORDS = 2;

/** The high words of some NaNs; the one that is written is another. */
export const NO_NUMBER = -1;
const MESSAGE = -2;
const PARCEL = -3;
const NAN = 0x7ff8_0000;

const CONSTANTS = [undefined, null, false, true];

/** Whether an item fits into a cell as it is. */
export function isBare(item: unknown): boolean {
  switch (typeof item) {
    case "number":
    case "undefined":
    case "boolean":
      return true;
    default:
      return item === null;
  }
}

/** Writes an item that is bare. */
export function writeBare(cell: number, item: unknown): void {
  if (typeof item === "number") {
    doubles[cell >> 1] = item;
    // A NaN may have any bits.
    if (item !== item) words[cell + 1] = NAN;
    return;
  }
  words[cell] = item === undefined ? 0 : item === null ? 1 : item ? 3 : 2;
  words[cell + 1] = NO_NUMBER;
}

/** Writes the address of an item's record. */
export function writeRecord(cell: number, record: number): void {
  words[cell] = record;
  words[cell + 1] = NO_NUMBER;
}

/** Writes the length of an item's message in bytes. */
export function writeMessageLength(cell: number, length: number): void {
  words[cell] = length;
  words[cell + 1] = MESSAGE;
}

/** Copies a cell. */
export function copyCell(to: number, from: number): void {
  words[to] = words[from];
  words[to + 1] = words[from + 1];
}

/** Whether a cell holds a number, the quickest of all to take. */
export function isNumberIn(cell: number): boolean {
  return words[cell + 1] >>> 0 < PARCEL >>> 0;
}

/** The record in a cell, or 0 if it has none. */
export function recordIn(cell: number): number {
  const low = words[cell];
  return words[cell + 1] === NO_NUMBER && low >>> 0 >= CONSTANTS.length
    ? low
    : 0;
}

/** The length of a cell's message in bytes, or 0 if it has none. */
export function messageLengthIn(cell: number): number {
  return words[cell + 1] === MESSAGE ? words[cell] : 0;
}

/** Writes the address of a parcel, see `items.ts`. */
export function writeParcel(cell: number, parcel: number): void {
  words[cell] = parcel;
  words[cell + 1] = PARCEL;
}

/** The parcel in a cell, or 0 if it has none. */
export function parcelIn(cell: number): number {
  return words[cell + 1] === PARCEL ? words[cell] : 0;
}

/** The item in a cell with neither. */
export function bareIn(cell: number): unknown {
  return words[cell + 1] === NO_NUMBER
    ? CONSTANTS[words[cell]]
    : doubles[cell >> 1];
}

/** The most words a message has: with its cell it fills 64 bytes. */
const MESSAGE_WORDS = 14;
const PLACE_BYTES = 64;

/** So many messages can be taken out before the first of them is read. */
export const MAX_RECEIVED = 8;

/** Where messages are read: shared, so that the decoder keeps its view on it. */
const received = new Uint8Array(
  new SharedArrayBuffer(MAX_RECEIVED * PLACE_BYTES),
);
const receivedWords = new Int32Array(received.buffer);

/** Whether an encoded item is a message. */
export function isMessage(encoded: Encoded): boolean {
  return encoded.length <= MESSAGE_WORDS * 4 &&
    encoded.references.length === 0 && encoded.sendables.length === 0;
}

/** The size of a message in words. */
export function messageWords(length: number): number {
  return length + 3 >> 2;
}

/** Writes a message to an address. */
export function writeMessage(at: number, message: Encoded): void {
  const source = message.words;
  const count = messageWords(message.length);
  for (let i = 0; i < count; i++) words[at + i] = source[i];
}

/** Copies a message, whatever becomes of it, to the nth place. */
export function receive(at: number, length: number, n: number): void {
  const start = n * (PLACE_BYTES / 4);
  const count = messageWords(length);
  for (let i = 0; i < count; i++) receivedWords[start + i] = words[at + i];
}

/** The item of the message in the nth place. */
export function readReceived(n: number, length: number): unknown {
  const start = n * PLACE_BYTES;
  return decode(received, start, start + length);
}

/** Where a wide cell has its message. */
export function messageOf(cell: number): number {
  return cell + CELL_WORDS;
}

/** The item that this thread is about to put, with its drafts and its key. */
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

/** Items that are put together, the first of them, or all, encoded. */
export interface Batch {
  /** How many are encoded; all if each is bare or a message. */
  readonly count: number;
  /** The length of each one's message in bytes; 0 if it is bare. */
  readonly lengths: readonly number[];
  /** Their messages, each in its place. */
  readonly messages: Int32Array<ArrayBuffer>;
  /** The first one that is neither, if there is one. */
  readonly other: Encoded | undefined;
}

/**
 * Encodes items up to the first that is neither bare nor a message. Not under a
 * mutex: this may run getters, which may put something themselves.
 *
 * @throws {NotSendableError} If it cannot be sent.
 */
export function encodeBatch(items: readonly unknown[]): Batch {
  const lengths: number[] = [];
  const messages = new Int32Array(items.length * MESSAGE_WORDS);
  for (let i = 0; i < items.length; i++) {
    if (isBare(items[i])) {
      lengths.push(0);
      continue;
    }
    const encoded = encode(items[i]);
    if (!isMessage(encoded)) {
      return { count: i, lengths, messages, other: copyEncoded(encoded) };
    }
    const start = i * MESSAGE_WORDS;
    const words = messageWords(encoded.length);
    for (let j = 0; j < words; j++) messages[start + j] = encoded.words[j];
    lengths.push(encoded.length);
  }
  return { count: items.length, lengths, messages, other: undefined };
}

/** A copy that stays when this thread encodes again. */
function copyEncoded(encoded: Encoded): Encoded {
  const { length, references, sendables } = encoded;
  const bytes = encoded.bytes.slice(0, length + 3 & ~3);
  const words = new Int32Array(bytes.buffer);
  return { bytes, words, length, references, sendables };
}

/** What a batch has of its nth item, or `undefined` if that is nothing. */
export function encodedIn(batch: Batch, n: number): Encoded | undefined {
  if (n === batch.count) return batch.other;
  if (n > batch.count || batch.lengths[n] === 0) return undefined;
  const start = n * MESSAGE_WORDS;
  const words = batch.messages.subarray(start, start + MESSAGE_WORDS);
  const bytes = new Uint8Array(
    words.buffer,
    words.byteOffset,
    words.byteLength,
  );
  const length = batch.lengths[n];
  return { bytes, words, length, references: [], sendables: [] };
}

/** Writes the nth item of a batch, which has all of them, into a wide cell. */
export function writeOfBatch(
  cell: number,
  batch: Batch,
  items: readonly unknown[],
  n: number,
): void {
  const length = batch.lengths[n];
  if (length === 0) return writeBare(cell, items[n]);
  writeMessageLength(cell, length);
  const from = n * MESSAGE_WORDS;
  const to = messageOf(cell);
  const count = messageWords(length);
  for (let i = 0; i < count; i++) words[to + i] = batch.messages[from + i];
}

/**
 * The item that this thread took out last and has not read yet: a record or a
 * message, and for a priority queue what is needed to put it back; or a parcel,
 * which is this thread's delivery until it has been read.
 */
export const taken = {
  parcel: 0,
  record: 0,
  length: 0,
  entry: 0,
  beginning: 0,
  sequence: 0,
};

/** Stands for an item that is still to be read. */
export const UNREAD: unique symbol = Symbol("unread");

/** Takes the item of a cell that was taken out, with its message, if any. */
export function takeCell(cell: number, message: number, n: number): unknown {
  if (isNumberIn(cell)) return doubles[cell >> 1];
  const length = messageLengthIn(cell);
  taken.parcel = 0;
  taken.length = length;
  taken.record = 0;
  taken.entry = 0;
  if (length !== 0) {
    receive(message, length, n);
    return UNREAD;
  }
  const record = recordIn(cell);
  if (record === 0) return bareIn(cell);
  taken.record = record;
  takeRecord(record);
  return UNREAD;
}
