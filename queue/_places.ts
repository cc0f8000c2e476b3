/**
 * The places of a queue: a block that grows when it is full and shrinks when it
 * is nearly empty. In a priority queue they are a binary heap of slots (see
 * `_heap.ts`), else a ring of cells, which are wide, with room for a message
 * behind each, from when the first message is put.
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
import { CELL_WORDS, copyCell } from "./_cell.ts";
import { enter, leave } from "./_ends.ts";
import { PlaceShift, QueueField } from "./_fields.ts";

const FIRST_CAPACITY = 8;
/** The words of a cache line: a wide cell lies in one, and not in two. */
const LINE_WORDS = 16;
/** A block of up to so many words never shrinks. */
const KEPT_WORDS = 4096;

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

/** Where a wide cell has its message. */
export function messageOf(cell: number): number {
  return cell + CELL_WORDS;
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

/** Under the mutex: whether it is time to give memory back. */
export function isWasteful(queue: number): boolean {
  return words[queue + QueueField.length] <= wastefulLength(queue) &&
    words[queue + QueueField.putters] === 0;
}

/** With so few items there are far too many places; -1 if there never are. */
export function wastefulLength(queue: number): number {
  const capacity = words[queue + QueueField.capacity];
  return capacity > keptCapacity(queue) ? capacity >> 3 : -1;
}

function keptCapacity(queue: number): number {
  return KEPT_WORDS >> words[queue + QueueField.placeShift];
}

/** Gives memory back if that makes sense and works. Not under the mutex. */
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
