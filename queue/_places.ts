/**
 * The places of a queue: a block that grows when it is full and shrinks when it
 * is nearly empty. In a priority queue they are a binary heap of slots (see
 * `_heap.ts`), else a ring of cells.
 *
 * @module
 */

import {
  allocate,
  deallocate,
  discard,
} from "../threading/_memory/allocator.ts";
import { removeDraft } from "../threading/_memory/draft.ts";
import { words } from "../threading/_memory/heap.ts";
import { lock, unlock } from "../threading/_memory/mutex.ts";
import { Field } from "../threading/_memory/shared_object.ts";
import { CELL_WORDS } from "./_cell.ts";
import { Order, QueueField } from "./_fields.ts";

const FIRST_CAPACITY = 8;
/** A block of so many places never shrinks. */
const KEPT_CAPACITY = 1024;
/** Size of a slot in words. */
export const SLOT_WORDS = 4;

/** Words of a place. */
export function placeWords(queue: number): number {
  return words[queue + QueueField.order] === Order.priority
    ? SLOT_WORDS
    : CELL_WORDS;
}

/** The cell at a place of a ring, counted from the first. */
export function cellAt(queue: number, place: number): number {
  const at = words[queue + QueueField.first] + place &
    words[queue + QueueField.capacity] - 1;
  return words[queue + QueueField.places] + at * CELL_WORDS;
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
  resize(queue, capacity, () => capacity > words[queue + QueueField.capacity]);
}

/** Under the mutex: whether it is time to give memory back. */
export function isWasteful(queue: number): boolean {
  const capacity = words[queue + QueueField.capacity];
  return capacity > KEPT_CAPACITY &&
    words[queue + QueueField.length] <= capacity >> 3 &&
    words[queue + QueueField.putters] === 0;
}

/** Gives memory back if that makes sense and works. Not under the mutex. */
export function shrink(queue: number): void {
  const capacity = words[queue + QueueField.capacity] >> 2;
  try {
    resize(
      queue,
      Math.max(capacity, KEPT_CAPACITY),
      () =>
        isWasteful(queue) &&
        words[queue + QueueField.length] <= capacity,
    );
  } catch {
    // The heap is full: it stays as it is.
  }
}

/** Moves all to a new block, if `wanted` says so under the mutex. */
function resize(
  queue: number,
  capacity: number,
  wanted: () => boolean,
): void {
  const size = placeWords(queue);
  const block = allocate(capacity * size);
  lock(queue + Field.mutex);
  const moves = wanted();
  if (moves) {
    const old = words[queue + QueueField.places];
    copyPlaces(queue, block, size);
    words[queue + QueueField.places] = block;
    words[queue + QueueField.capacity] = capacity;
    words[queue + QueueField.first] = 0;
    removeDraft(block);
    if (old !== 0) deallocate(old);
  }
  unlock(queue + Field.mutex);
  if (!moves) discard(block);
}

function copyPlaces(queue: number, block: number, size: number): void {
  const places = words[queue + QueueField.places];
  const first = words[queue + QueueField.first];
  const length = words[queue + QueueField.length];
  const toEnd = Math.min(
    length,
    words[queue + QueueField.capacity] - first,
  );
  const start = places + first * size;
  words.copyWithin(block, start, start + toEnd * size);
  const rest = (length - toEnd) * size;
  words.copyWithin(block + toEnd * size, places, places + rest);
}

/** Under the mutex: gives the block back, whose places are all free. */
export function dropPlaces(queue: number): void {
  if (words[queue + QueueField.places] === 0) return;
  deallocate(words[queue + QueueField.places]);
  words[queue + QueueField.places] = 0;
  words[queue + QueueField.capacity] = 0;
  words[queue + QueueField.first] = 0;
}
