/**
 * The allocator of the shared heap: segregated free lists with immediate
 * coalescing (two-level, as TLSF), all under one ground mutex.
 *
 * A block is a header of two words and its payload, the address handed out:
 *
 *     block + 0   size in words, header included, shifted left by one; low bit
 *                 set if the block is free
 *     block + 1   size of the block physically before it, 0 for the first
 *     block + 2   payload; in a free block the links of its list
 *
 * Sizes are even, so payloads are 8-byte aligned. The size words alone tell
 * what is allocated: they form a chain from the first block to the last at
 * every instant, since a block is split or merged by one store. The links, the
 * bitmap and the `block + 1` words are derived from them, and so can be made
 * anew ({@linkcode rebuild}) if a thread runs out of memory in here.
 *
 * Drafts are blocks that belong to one thread alone for the moment, because it
 * has allocated them and not yet linked them anywhere, or has unlinked them and
 * not yet given them back. If the thread is killed, whoever cleans up after it
 * finds them in its slot and gives them back. A block is linked and taken off
 * the drafts in one critical section, so that a killer sees both or neither.
 *
 * @module
 */

import { HeapExhaustedError } from "../errors.ts";
import { seam } from "../../_internal/built_in.ts";
import {
  Header,
  isMain,
  MAX_DRAFTS,
  self,
  Slot,
  SLOTS_END,
  WORD_COUNT,
  words,
} from "./heap.ts";
import { lock, lockInner, unlock, unlockInner } from "./mutex.ts";

const { onBlock } = seam;

const HEADER_WORDS = 2;
const MIN_BLOCK = 4;
const FREE = 1;

/** Below this size in words there is one list per size. */
const SMALL_LIMIT = 64;
const SMALL_LISTS = SMALL_LIMIT / 2;
const SMALL_LOG2 = 6;
/** Above, eight lists per power of two. */
const SUBDIVISION_LOG2 = 3;
const LISTS = SMALL_LISTS + ((31 - SMALL_LOG2) << SUBDIVISION_LOG2);
const BITMAP = SLOTS_END;
const BITMAP_WORDS = Math.ceil(LISTS / 32);
const HEADS = BITMAP + BITMAP_WORDS;
/** Where other tables of fixed size may be put. */
export const ALLOCATOR_END = (HEADS + LISTS + 7) & ~7;
/** Words reserved behind the allocator's own for the intern table's roots. */
const RESERVED = 64;
const FIRST_BLOCK = ALLOCATOR_END + RESERVED;
/** A used block without payload that ends the chain. */
const LAST_BLOCK = WORD_COUNT - HEADER_WORDS;

function sizeOf(block: number): number {
  return words[block] >>> 1;
}

function listOf(size: number): number {
  if (size < SMALL_LIMIT) return size >> 1;
  const log2 = 31 - Math.clz32(size);
  const subdivision = (size >> (log2 - SUBDIVISION_LOG2)) & 7;
  return SMALL_LISTS + ((log2 - SMALL_LOG2) << SUBDIVISION_LOG2) + subdivision;
}

/** The first list in which every block has at least that size. */
function fittingList(size: number): number {
  if (size < SMALL_LIMIT) return size >> 1;
  const log2 = 31 - Math.clz32(size);
  return listOf(size + (1 << (log2 - SUBDIVISION_LOG2)) - 1);
}

function insertFree(block: number, size: number): void {
  const list = listOf(size);
  const head = words[HEADS + list];
  words[block + 2] = head;
  words[block + 3] = 0;
  if (head !== 0) words[head + 3] = block;
  words[HEADS + list] = block;
  words[BITMAP + (list >> 5)] |= 1 << (list & 31);
}

function removeFree(block: number, size: number): void {
  const next = words[block + 2];
  const previous = words[block + 3];
  if (next !== 0) words[next + 3] = previous;
  if (previous !== 0) {
    words[previous + 2] = next;
    return;
  }
  const list = listOf(size);
  words[HEADS + list] = next;
  if (next === 0) words[BITMAP + (list >> 5)] &= ~(1 << (list & 31));
}

/** A free block of at least that size, or 0. */
function findFree(size: number): number {
  const first = fittingList(size);
  let mask = ~0 << (first & 31);
  for (let i = first >> 5; i < BITMAP_WORDS; i++) {
    const lists = words[BITMAP + i] & mask;
    if (lists !== 0) {
      const list = (i << 5) + (31 - Math.clz32(lists & -lists));
      return words[HEADS + list];
    }
    mask = ~0;
  }
  // Blocks that fit may still be among those that are not sure to.
  let block = words[HEADS + listOf(size)];
  while (block !== 0 && sizeOf(block) < size) block = words[block + 2];
  return block;
}

/** Cuts the block to `size` and makes a free block of the rest. */
function takeBlock(block: number, size: number): void {
  const whole = sizeOf(block);
  removeFree(block, whole);
  const rest = whole - size;
  const after = block + whole;
  if (rest < MIN_BLOCK) {
    words[block] = whole << 1;
    return;
  }
  const remainder = block + size;
  words[remainder] = rest << 1 | FREE;
  words[remainder + 1] = size;
  words[block] = size << 1;
  words[after + 1] = rest;
  insertFree(remainder, rest);
}

/**
 * Allocates a block. Its content is whatever was there before. It is a draft
 * of this thread until it is committed.
 *
 * @param count Number of 32-bit words.
 * @returns The address of the first word, even.
 * @throws {HeapExhaustedError} If there is no room; nothing has changed.
 */
export function allocate(count: number): number {
  const size = Math.max(MIN_BLOCK, (count + HEADER_WORDS + 1) & ~1);
  // Also catches counts so large that the line above wrapped around.
  if (!(count >= 0 && count < WORD_COUNT)) throw exhausted(count);
  lockInner(Header.allocatorMutex);
  const block = findFree(size);
  if (block !== 0) {
    takeBlock(block, size);
    words[Header.allocatedWords] += sizeOf(block);
    addDraft(block + HEADER_WORDS);
    onBlock?.(block, sizeOf(block), true);
  }
  unlockInner(Header.allocatorMutex);
  if (block === 0) throw exhausted(count);
  return block + HEADER_WORDS;
}

/** Like {@linkcode allocate}, with all words 0. */
export function allocateZeroed(count: number): number {
  const address = allocate(count);
  if (count <= 64) {
    for (let i = 0; i < count; i++) words[address + i] = 0;
  } else {
    words.fill(0, address, address + count);
  }
  return address;
}

/** Number of words that fit in the payload of an allocated block. */
export function payloadWords(address: number): number {
  return sizeOf(address - HEADER_WORDS) - HEADER_WORDS;
}

/**
 * Gives a block back.
 *
 * @param address What {@linkcode allocate} returned.
 */
export function deallocate(address: number): void {
  let block = address - HEADER_WORDS;
  lockInner(Header.allocatorMutex);
  let size = sizeOf(block);
  words[Header.allocatedWords] -= size;
  onBlock?.(block, size, false);
  const after = block + size;
  if (words[after] & FREE) {
    const more = sizeOf(after);
    removeFree(after, more);
    size += more;
  }
  const before = words[block + 1];
  if (before !== 0 && words[block - before] & FREE) {
    block -= before;
    removeFree(block, before);
    size += before;
  }
  words[block] = size << 1 | FREE;
  words[block + size + 1] = size;
  insertFree(block, size);
  unlockInner(Header.allocatorMutex);
}

/** Gives back a draft that was not needed. */
export function discard(draft: number): void {
  lock(self + Slot.mutex);
  removeDraft(draft);
  deallocate(draft);
  unlock(self + Slot.mutex);
}

function exhausted(count: number): HeapExhaustedError {
  return new HeapExhaustedError(
    `Cannot allocate ${count * 4} bytes: ${
      words[Header.allocatedWords] * 4
    } of the shared heap's ${
      WORD_COUNT * 4
    } bytes are in use; free something or raise SKEIN_HEAP_MIB`,
  );
}

/**
 * Makes links, bitmap and back links anew from the chain of sizes. For a
 * holder of the allocator's mutex, on behalf of one that died in here.
 */
export function rebuild(): void {
  words.fill(0, BITMAP, HEADS + LISTS);
  let before = 0;
  let allocated = 0;
  for (let block = FIRST_BLOCK; block < LAST_BLOCK;) {
    let size = sizeOf(block);
    words[block + 1] = before;
    if (words[block] & FREE) {
      while (words[block + size] & FREE) size += sizeOf(block + size);
      words[block] = size << 1 | FREE;
      insertFree(block, size);
    } else {
      allocated += size;
    }
    before = size;
    block += size;
  }
  words[LAST_BLOCK + 1] = before;
  words[Header.allocatedWords] = allocated;
}

/** The address of the block that a word lies in: goes through all before it. */
export function addressAround(word: number): number {
  lockInner(Header.allocatorMutex);
  let block = FIRST_BLOCK;
  while (block + sizeOf(block) <= word) block += sizeOf(block);
  unlockInner(Header.allocatorMutex);
  return block + HEADER_WORDS;
}

/** Checks the chain, the links and the counts; for tests. */
export function checkHeap(): { blocks: number; allocatedWords: number } {
  let before = 0;
  let blocks = 0;
  let allocated = 0;
  let free = 0;
  lockInner(Header.allocatorMutex);
  let fault = "";
  for (let block = FIRST_BLOCK; block < LAST_BLOCK && !fault;) {
    const size = sizeOf(block);
    if (size < MIN_BLOCK) fault = `block ${block} has size ${size}`;
    if (words[block + 1] !== before) fault = `back link of ${block}`;
    if (words[block] & FREE) {
      free++;
      if (words[block + size] & FREE) fault = `two free at ${block}`;
    } else {
      allocated += size;
      blocks++;
    }
    before = size;
    block += size;
  }
  for (let list = 0; list < LISTS; list++) {
    for (let b = words[HEADS + list]; b !== 0; b = words[b + 2]) {
      if (!(words[b] & FREE)) fault = `block ${b} in list ${list} is used`;
      if (listOf(sizeOf(b)) !== list) fault = `block ${b} in wrong list`;
      free--;
    }
  }
  if (free !== 0) fault ||= `${free} free blocks in no list`;
  if (allocated !== words[Header.allocatedWords]) fault ||= "count";
  unlockInner(Header.allocatorMutex);
  if (fault) throw new Error(`The shared heap is broken: ${fault}`);
  return { blocks, allocatedWords: allocated };
}

if (isMain) {
  const size = LAST_BLOCK - FIRST_BLOCK;
  words[LAST_BLOCK] = HEADER_WORDS << 1;
  words[LAST_BLOCK + 1] = size;
  words[FIRST_BLOCK] = size << 1 | FREE;
  words[FIRST_BLOCK + 1] = 0;
  insertFree(FIRST_BLOCK, size);
}

/**
 * Marks a draft that is a record whose references have been counted: it must
 * be dropped, not only deallocated. Addresses are even.
 */
export const COUNTED = 1;

/**
 * A negative draft is not a block but a reference to a shared object that this
 * thread has for the moment, see `borrow` and `giveBack` in `shared_object.ts`.
 */
export function referenceDraft(address: number): number {
  return -address;
}

/**
 * Adds a draft. To be called inside a critical section.
 *
 * @param draft The draft.
 * @param slot Whose draft it is.
 */
export function addDraft(draft: number, slot: number = self): void {
  const count = words[slot + Slot.draftCount];
  // A draft without room here is lost if the thread is killed, and only then.
  if (count < MAX_DRAFTS) words[slot + Slot.drafts + count] = draft;
  words[slot + Slot.draftCount] = count + 1;
  if (isOpen(draft)) words[slot + Slot.openDrafts]++;
}

/**
 * Removes a draft. To be called inside a critical section.
 *
 * @param draft The draft.
 * @param slot Whose draft it is.
 */
export function removeDraft(draft: number, slot: number = self): void {
  const drafts = slot + Slot.drafts;
  const last = words[slot + Slot.draftCount] - 1;
  // The last ones come first out, nearly always.
  let found = Math.min(last, MAX_DRAFTS - 1);
  while (found >= 0 && words[drafts + found] !== draft) found--;
  if (found >= 0) {
    const moved = drafts + Math.min(last, MAX_DRAFTS - 1);
    words[drafts + found] = words[moved];
    words[moved] = 0;
  }
  words[slot + Slot.draftCount] = last;
  if (isOpen(draft)) words[slot + Slot.openDrafts]--;
}

/** Whether a draft is a block that its thread may still write to. */
function isOpen(draft: number): boolean {
  return draft > 0 && !(draft & COUNTED);
}
