/**
 * The ring of a first-in first-out queue and its two ends.
 *
 * While nobody waits, the ends are open: put() takes only the mutex of the tail,
 * get() only that of the head. Each caches the index of the other end and reads
 * it again when the cached value says full or empty. This is the two-lock queue
 * of Michael and Scott (Simple, Fast, and Practical Non-Blocking and Blocking
 * Concurrent Queue Algorithms, 1996), in a ring. An index is written after the
 * words of its item, both atomically for the other end: whoever sees that there
 * is an item, or a free cell, finds it ready.
 *
 * Everything else (waiting, growing, shutting down, other orders) needs the
 * whole queue: it takes the queue's mutex and closes the ends. It marks them as
 * closing, and waits until the threads are through that came before the mark:
 * every thread that has taken an end's mutex checks the mark. The ends stay
 * closed while somebody waits, so every put and get takes the queue's mutex
 * then and cannot miss a waiter. A waiter looks and joins its line in one
 * section of the queue's mutex, after the mark. So no wake-up is lost.
 *
 * The cells lie in a block that grows when it is full and shrinks when it is
 * nearly empty. They are wide, with room for a message each, from when the first
 * message is put. A priority queue has its slots in the same block, see
 * `priority_heap.ts`.
 *
 * @module
 */

import {
  allocate,
  deallocate,
  discard,
  doubles,
  Field,
  isExplored,
  load,
  lock,
  lockInner,
  removeDraft,
  store,
  unlock,
  unlockInner,
  words,
} from "../../threading/_ground.ts";
import { commitRecord } from "../../threading/_threads.ts";
import {
  type Batch,
  copyCell,
  isBare,
  isNumberIn,
  messageOf,
  NO_ROOM,
  offer,
  Order,
  PlaceShift,
  Put,
  QueueField,
  takeCell,
  writeBare,
  writeOfBatch,
  writeOffer,
} from "./layout.ts";

/**
 * No index grows beyond this: then the ends are closed and opened again, and the
 * indices begin anew.
 */
export const MAX_INDEX = 2 ** 30;

/** What `opening` is, modulo 4: 1 is open, 2 is about to be closed. */
const CLOSED = 0;

/**
 * Whether the ends are open. Ask under the mutex of the queue or of an end. If
 * they are open under the mutex of an end, they stay so until it is released.
 */
export function areOpen(queue: number): boolean {
  // Atomic, so that the words written before the opening are seen, too.
  return (load(queue + QueueField.opening) & 1) !== 0;
}

/** The same as a hint, without a mutex, for a thread that then takes one. */
export function mayBeOpen(queue: number): boolean {
  return (words[queue + QueueField.opening] & 1) !== 0;
}

/** Takes the queue's mutex and closes the ends. */
export function enter(queue: number): void {
  lock(queue + Field.mutex);
  close(queue);
}

/** Opens the ends if nobody waits, and releases the queue's mutex. */
export function leave(queue: number): void {
  open(queue);
  unlock(queue + Field.mutex);
}

/** Under the queue's mutex: closes the ends. */
export function close(queue: number): void {
  if (!areOpen(queue)) return;
  const closing = words[queue + QueueField.opening] + 1;
  store(queue + QueueField.opening, closing);
  pass(queue + QueueField.tailMutex);
  pass(queue + QueueField.headMutex);
  const head = words[queue + QueueField.head];
  const tail = words[queue + QueueField.tail];
  words[queue + QueueField.first] = head &
    words[queue + QueueField.capacity] - 1;
  words[queue + QueueField.length] = tail - head;
  doubles[queue + QueueField.unfinished >> 1] += putSinceOpened(queue, tail);
  store(queue + QueueField.opening, closing + 2);
}

function pass(mutex: number): void {
  lockInner(mutex);
  unlockInner(mutex);
}

/**
 * Under the queue's mutex: opens the ends of a first-in first-out queue, unless
 * somebody waits, it was shut down, or items came back or will: those come first.
 */
export function open(queue: number): void {
  const busy = words[queue + QueueField.getters] |
    words[queue + QueueField.putters] | words[queue + QueueField.shutDown] |
    words[queue + QueueField.returned] | words[queue + QueueField.delayed] |
    words[queue + QueueField.order] ^ Order.fifo;
  if (busy !== 0 || words[queue + QueueField.capacity] === 0) return;
  if (areOpen(queue) || words[queue + QueueField.limit] === NO_ROOM) return;
  const head = words[queue + QueueField.first];
  const tail = head + words[queue + QueueField.length];
  words[queue + QueueField.head] = head;
  words[queue + QueueField.seenHead] = head;
  words[queue + QueueField.tail] = tail;
  words[queue + QueueField.seenTail] = tail;
  words[queue + QueueField.openedAt] = tail;
  store(queue + QueueField.opening, words[queue + QueueField.opening] + 1);
}

function putSinceOpened(queue: number, tail: number): number {
  return tail - words[queue + QueueField.openedAt];
}

/** Under the queue's mutex: items that were put and not reported as done. */
export function unfinishedIn(queue: number): number {
  const counted = doubles[queue + QueueField.unfinished >> 1];
  if (!areOpen(queue)) return counted;
  return counted + putSinceOpened(queue, load(queue + QueueField.tail));
}

/** How many items a queue has at the moment; takes no mutex. */
export function sizeOf(queue: number): number {
  for (;;) {
    const opening = load(queue + QueueField.opening);
    let size: number;
    // While the ends are being closed the length is not valid yet.
    if ((opening & 3) !== CLOSED) {
      // Head first: so the difference is never negative.
      const head = load(queue + QueueField.head);
      const tail = load(queue + QueueField.tail);
      size = Math.min(tail - head, words[queue + QueueField.limit]);
    } else {
      size = Math.max(
        0,
        load(queue + QueueField.length) +
          load(queue + QueueField.returnedCount),
      );
    }
    if (load(queue + QueueField.opening) === opening) return size;
  }
}

/**
 * Under the tail's mutex: `done` if there is room for so many items, `full`, or
 * `closed`.
 */
function lookForRoom(queue: number, count: number): number {
  if (!areOpen(queue)) return Put.closed;
  const end = words[queue + QueueField.tail] + count;
  if (end > MAX_INDEX) return Put.closed;
  const capacity = words[queue + QueueField.capacity];
  const limit = words[queue + QueueField.limit];
  const room = capacity < limit ? capacity : limit;
  if (end - words[queue + QueueField.seenHead] <= room) return Put.done;
  const head = load(queue + QueueField.head);
  words[queue + QueueField.seenHead] = head;
  if (end - head <= room) return Put.done;
  return end - head > limit ? Put.full : Put.closed;
}

/**
 * Puts a number in at the open tail, if that needs nothing but a free cell; whether
 * it did. It is the short way of the most common item, and the first calls of a
 * program are not compiled: what matters then is how many calls it makes.
 */
export function putNumberAtTail(queue: number, item: number): boolean {
  if (!mayBeOpen(queue)) return false;
  lock(queue + QueueField.tailMutex);
  const fits = lookForRoom(queue, 1) === Put.done;
  if (fits) {
    const tail = words[queue + QueueField.tail];
    writeBare(cellOf(queue, tail), item);
    store(queue + QueueField.tail, tail + 1);
  }
  unlock(queue + QueueField.tailMutex);
  return fits;
}

/** Puts the offer in at the open tail, if that needs nothing but a free cell. */
export function putOfferAtTail(queue: number): number {
  lock(queue + QueueField.tailMutex);
  let end: number = lookForRoom(queue, 1);
  if (end === Put.done) {
    if (offer.message === undefined || isWide(queue)) {
      const tail = words[queue + QueueField.tail];
      writeOffer(cellOf(queue, tail));
      if (offer.record !== 0) commitRecord(offer.record);
      store(queue + QueueField.tail, tail + 1);
    } else {
      end = Put.closed;
    }
  }
  unlock(queue + QueueField.tailMutex);
  return end;
}

/** Puts items in together that need no record, if there are free cells. */
export function putBareAtTail(
  queue: number,
  items: readonly unknown[],
): number {
  const count = items.length;
  lock(queue + QueueField.tailMutex);
  const end = lookForRoom(queue, count);
  if (end === Put.done) {
    const places = words[queue + QueueField.places];
    const last = words[queue + QueueField.capacity] - 1;
    const shift = words[queue + QueueField.placeShift];
    const tail = words[queue + QueueField.tail];
    for (let i = 0; i < count; i++) {
      writeBare(places + ((tail + i & last) << shift), items[i]);
    }
    store(queue + QueueField.tail, tail + count);
  }
  unlock(queue + QueueField.tailMutex);
  return end;
}

/** Puts the items of a batch in together, if there are free cells, wide ones. */
export function putBatchAtTail(
  queue: number,
  batch: Batch,
  items: readonly unknown[],
): number {
  const { count } = batch;
  lock(queue + QueueField.tailMutex);
  let end = lookForRoom(queue, count);
  if (end === Put.done && !isWide(queue)) end = Put.closed;
  if (end === Put.done) {
    const tail = words[queue + QueueField.tail];
    for (let i = 0; i < count; i++) {
      writeOfBatch(cellOf(queue, tail + i), batch, items, i);
    }
    store(queue + QueueField.tail, tail + count);
  }
  unlock(queue + QueueField.tailMutex);
  return end;
}

/** Whether all items fit into cells as they are. */
export function areBare(items: readonly unknown[]): boolean {
  for (let i = 0; i < items.length; i++) {
    if (!isBare(items[i])) return false;
  }
  return true;
}

/** Under the head's mutex, with open ends: whether there is no item. */
export function isEmptyAtHead(queue: number): boolean {
  const head = words[queue + QueueField.head];
  return head === words[queue + QueueField.seenTail] &&
    head === lookAtTail(queue);
}

/** Under the head's mutex: reads the index of the tail. */
export function lookAtTail(queue: number): number {
  const tail = load(queue + QueueField.tail);
  words[queue + QueueField.seenTail] = tail;
  return tail;
}

/** Under the head's mutex, with an item there: takes it, like `takeOut`. */
export function takeAtHead(queue: number): unknown {
  const head = words[queue + QueueField.head];
  const cell = cellOf(queue, head);
  const value = isNumberIn(cell)
    ? doubles[cell >> 1]
    : takeCell(cell, messageOf(cell), 0);
  // From here on the cell belongs to the tail.
  store(queue + QueueField.head, head + 1);
  return value;
}

/**
 * Under the head's mutex, after one item was taken: whether it is time to call
 * {@linkcode isWastefulAtHead}. That comes between two sizes to shrink at.
 */
export function isTimeToLook(queue: number): boolean {
  return (words[queue + QueueField.head] & LOOK_EVERY - 1) === 0;
}

/** Under the head's mutex: whether there are far more places than items. */
export function isWastefulAtHead(queue: number): boolean {
  const most = wastefulLength(queue) + words[queue + QueueField.head];
  return words[queue + QueueField.seenTail] <= most &&
    lookAtTail(queue) <= most;
}

const FIRST_CAPACITY = 8;
/** The words of a cache line. A wide cell never lies in two of them. */
const LINE_WORDS = 16;
/** A block of up to so many words never shrinks. */
const KEPT_WORDS = 4096;
/** The smallest block that shrinks does so with so many items, or fewer. */
const LOOK_EVERY = (KEPT_WORDS >> PlaceShift.wideCell) * 2 >> 3;

/** The cell at an index of a ring, which goes round. */
export function cellOf(queue: number, index: number): number {
  const at = index & words[queue + QueueField.capacity] - 1;
  return words[queue + QueueField.places] +
    (at << words[queue + QueueField.placeShift]);
}

/** The cell at a place of a ring, counted from the first. */
export function cellAt(queue: number, place: number): number {
  return cellOf(queue, words[queue + QueueField.first] + place);
}

/** Under the mutex: whether the cells of a ring are wide. */
export function isWide(queue: number): boolean {
  return words[queue + QueueField.placeShift] === PlaceShift.wideCell;
}

/** Under the mutex: whether there are places for so many more items. */
export function hasPlaces(queue: number, count: number): boolean {
  return words[queue + QueueField.length] + count <=
    words[queue + QueueField.capacity];
}

/**
 * Makes places for so many items in all, unless there are. Not under the mutex.
 *
 * @throws {HeapExhaustedError} If there is no room; nothing has changed.
 */
export function growTo(queue: number, needed: number): void {
  let capacity = FIRST_CAPACITY;
  while (capacity < needed) capacity *= 2;
  const shift = words[queue + QueueField.placeShift];
  resize(
    queue,
    capacity,
    shift,
    () =>
      capacity > words[queue + QueueField.capacity] &&
      shift === words[queue + QueueField.placeShift],
  );
}

/**
 * Makes the cells of a ring wide, unless they are. Not under the mutex.
 *
 * @throws {HeapExhaustedError} If there is no room; nothing has changed.
 */
export function widen(queue: number): void {
  const capacity = Math.max(words[queue + QueueField.capacity], FIRST_CAPACITY);
  resize(
    queue,
    capacity,
    PlaceShift.wideCell,
    () => capacity >= words[queue + QueueField.capacity] && !isWide(queue),
  );
}

/** Under the mutex: whether the queue should give memory back. */
export function isWasteful(queue: number): boolean {
  return words[queue + QueueField.length] <= wastefulLength(queue) &&
    words[queue + QueueField.putters] === 0;
}

/** The length up to which the block is far too large; -1 if it never is. */
function wastefulLength(queue: number): number {
  const capacity = words[queue + QueueField.capacity];
  return capacity > keptCapacity(queue) ? capacity >> 3 : -1;
}

function keptCapacity(queue: number): number {
  return KEPT_WORDS >> words[queue + QueueField.placeShift];
}

/** Gives memory back if there is much to give. Not under the mutex. */
export function shrink(queue: number): void {
  const capacity = words[queue + QueueField.capacity] >> 2;
  const shift = words[queue + QueueField.placeShift];
  try {
    resize(
      queue,
      Math.max(capacity, keptCapacity(queue)),
      shift,
      () =>
        isWasteful(queue) &&
        words[queue + QueueField.length] <= capacity &&
        shift === words[queue + QueueField.placeShift],
    );
  } catch {
    // The heap is full: it stays as it is.
  }
}

/** Moves all to a new block, if `wanted` says so under the mutex. */
function resize(
  queue: number,
  capacity: number,
  shift: number,
  wanted: () => boolean,
): void {
  const slack = shift === PlaceShift.wideCell ? LINE_WORDS - 1 : 0;
  const block = allocate(capacity * (1 << shift) + slack);
  const places = block + slack & ~slack;
  enter(queue);
  const moves = wanted();
  if (moves) {
    const old = words[queue + QueueField.block];
    if (shift === words[queue + QueueField.placeShift]) {
      copyPlaces(queue, places, shift);
    } else {
      const length = words[queue + QueueField.length];
      for (let i = 0; i < length; i++) {
        copyCell(places + (i << shift), cellAt(queue, i));
      }
    }
    words[queue + QueueField.block] = block;
    words[queue + QueueField.places] = places;
    words[queue + QueueField.capacity] = capacity;
    words[queue + QueueField.placeShift] = shift;
    words[queue + QueueField.first] = 0;
    removeDraft(block);
    if (old !== 0) deallocate(old);
  }
  leave(queue);
  if (!moves) discard(block);
}

function copyPlaces(queue: number, to: number, shift: number): void {
  const places = words[queue + QueueField.places];
  const first = words[queue + QueueField.first];
  const length = words[queue + QueueField.length];
  const toEnd = Math.min(
    length,
    words[queue + QueueField.capacity] - first,
  );
  const start = places + (first << shift);
  words.copyWithin(to, start, start + (toEnd << shift));
  words.copyWithin(
    to + (toEnd << shift),
    places,
    places + (length - toEnd << shift),
  );
}

/** Under the mutex: gives the block back, whose places are all free. */
export function dropPlaces(queue: number): void {
  if (words[queue + QueueField.block] === 0) return;
  deallocate(words[queue + QueueField.block]);
  words[queue + QueueField.block] = 0;
  words[queue + QueueField.capacity] = 0;
  words[queue + QueueField.first] = 0;
}

/**
 * How often to look before sleeping. With a pause after each, that takes about
 * as long as waking a thread, so two threads that are nearly as fast as each
 * other never sleep.
 */
export const LOOKS = isExplored ? 0 : 400;

/**
 * Spends a tenth of a microsecond without touching shared memory: each look
 * takes a cache line away from the thread at the other end.
 */
export function pause(): void {
  performance.now();
}
