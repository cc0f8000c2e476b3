/**
 * Interned texts: a process-wide, append-only table in shared memory that gives
 * a small number to a text that many messages would otherwise repeat: the
 * `url#name` of marked classes and functions.
 *
 * The texts form a list, the newest first: word 0 is the next, word 1 the
 * number, word 2 the length in bytes, then the text in UTF-8. A thread looks
 * into the list only for what it has not met before.
 *
 * @module
 */

import { allocate, ALLOCATOR_END, discard } from "./allocator.ts";
import { removeDraft } from "./draft.ts";
import { bytes, Header, words } from "./heap.ts";
import { lock, unlock } from "./mutex.ts";

const FIRST = ALLOCATOR_END;
const Text = { next: 0, id: 1, length: 2, bytes: 3 } as const;

const ids = new Map<string, number>();
const texts: string[] = [];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Learns what other threads have added. */
function catchUp(): void {
  let entry = words[FIRST];
  while (entry !== 0 && texts[words[entry + Text.id]] === undefined) {
    const start = (entry + Text.bytes) * 4;
    const text = decoder.decode(
      bytes.slice(start, start + words[entry + Text.length]),
    );
    ids.set(text, words[entry + Text.id]);
    texts[words[entry + Text.id]] = text;
    entry = words[entry + Text.next];
  }
}

/**
 * The number of a text; the same in every thread.
 *
 * @param text The text.
 * @returns Its number, from 1.
 */
export function intern(text: string): number {
  let id = ids.get(text);
  if (id !== undefined) return id;
  const utf8 = encoder.encode(text);
  const entry = allocate(Text.bytes + (utf8.length + 3 >> 2));
  bytes.set(utf8, (entry + Text.bytes) * 4);
  words[entry + Text.length] = utf8.length;
  lock(Header.internMutex);
  catchUp();
  id = ids.get(text);
  if (id === undefined) {
    id = ++words[Header.internCount];
    words[entry + Text.id] = id;
    words[entry + Text.next] = words[FIRST];
    words[FIRST] = entry;
    removeDraft(entry);
    ids.set(text, id);
    texts[id] = text;
    unlock(Header.internMutex);
  } else {
    unlock(Header.internMutex);
    discard(entry);
  }
  return id;
}

/**
 * The text of a number that {@linkcode intern} returned in any thread.
 *
 * @param id The number.
 * @returns The text.
 */
export function interned(id: number): string {
  if (texts[id] === undefined) {
    lock(Header.internMutex);
    catchUp();
    unlock(Header.internMutex);
  }
  return texts[id];
}

/** All texts interned so far. */
export function allInterned(): string[] {
  lock(Header.internMutex);
  catchUp();
  unlock(Header.internMutex);
  return texts.slice(1);
}
