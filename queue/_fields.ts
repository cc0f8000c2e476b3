/**
 * The words of a queue. They change under the object's mutex only, but for
 * those that say so.
 *
 * @module
 */

import { Field } from "../threading/_memory/shared_class.ts";

/** Offsets in a queue; the first two pairs of words are doubles. */
export const QueueField = {
  /** Who waits to get. */
  getters: Field.head,
  /** `maxsize`, a double; fixed. */
  maxsize: Field.own,
  /**
   * Items that were put and not yet reported as done, a double. With hooks only
   * those that are not in the queue any more.
   */
  unfinished: Field.own + 2,
  /** Who waits to put. */
  putters: Field.own + 4,
  /** Who waits until all is done. */
  joiners: Field.own + 6,
  /** The most items there may be; fixed. */
  limit: Field.own + 8,
  /** The block of places, its number of places, a power of two or 0. */
  places: Field.own + 9,
  capacity: Field.own + 10,
  /** The first place in use, and how many are. */
  first: Field.own + 11,
  length: Field.own + 12,
  /** An `Order`; fixed. */
  order: Field.own + 13,
  /** 1 when the queue was shut down. */
  shutDown: Field.own + 14,
  /** What kind of keys the items have, while there are any. */
  keyKind: Field.own + 15,
  /** Number of the next item, orders equal ones. */
  sequence: Field.own + 16,
  /** The list, the lock and the record of the order of a queue with hooks. */
  list: Field.own + 17,
  lock: Field.own + 18,
  compare: Field.own + 19,
  /** A `PlaceShift`. */
  placeShift: Field.own + 20,
} as const;
/** Size of a queue in words. */
export const QUEUE_WORDS = Field.own + 21;

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
  /** Whatever the hooks of a subclass say. */
  hooks: 3,
} as const;

/** The limit of a queue without one. */
export const UNLIMITED = 0x7fff_ffff;
