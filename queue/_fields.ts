/**
 * The words of a queue. They change under the queue's mutex only, with the ends
 * closed, but for those that say otherwise.
 *
 * @module
 */

import { Field } from "../threading/_memory/shared_class.ts";

/**
 * Offsets in a queue; doubles are at even ones. What is written all the time at
 * an end is 16 words, a cache line, away from the other end's, and from what
 * both read and hardly any call writes, which comes first.
 */
export const QueueField = {
  /** Who waits to get, and who waits to put. */
  getters: Field.head,
  putters: Field.own,
  /** Whether the ends are open; grows whenever that changes, see `_ends.ts`. */
  opening: Field.own + 2,
  /** The most items there may be; fixed. */
  limit: Field.own + 3,
  /** The first of the places, and how many there are, a power of two or 0. */
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
   * Items that were put and not yet reported as done, a double; but for those
   * put since the ends were opened, and with hooks only those that are not in
   * the queue any more. Changes under the mutex, open or closed.
   */
  unfinished: Field.own + 10,
  /** `maxsize`, a double; fixed. */
  maxsize: Field.own + 12,
  /** Who waits until all is done. Changes under the mutex, open or closed. */
  joiners: Field.own + 14,
  /** What kind of keys the items have, while there are any. */
  keyKind: Field.own + 16,
  /** Number of the next item, orders equal ones. */
  sequence: Field.own + 17,
  /** The list, the lock and the record of the order of a queue with hooks. */
  list: Field.own + 18,
  lock: Field.own + 19,
  compare: Field.own + 20,
  /** The first place in use, and how many are; while the ends are closed. */
  first: Field.own + 21,
  length: Field.own + 22,
  /** The block that the places are in. */
  block: Field.own + 23,
  /** The end where items are got; see `_ends.ts`. */
  headMutex: Field.own + 24,
  /** How many items have been got, from some beginning. */
  head: Field.own + 25,
  /** What the index of the other end was when this one looked last. */
  seenTail: Field.own + 26,
  /** The end where items are put. */
  tailMutex: Field.own + 40,
  tail: Field.own + 41,
  seenHead: Field.own + 42,
  /**
   * How many items the getters are to take that were woken for one; the others
   * must leave them so many. Only where items are not handed over, see
   * `_serve.ts`.
   */
  reserved: Field.own + 44,
  /** The journal of a queue with hooks, see `_custom_list.ts`. */
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
