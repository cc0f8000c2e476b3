/**
 * Which threads there are, and which one runs here.
 *
 * @module
 */

import { removeDraft } from "./_memory/allocator.ts";
import { isMain, MAIN_SLOT, Slot, tid, words } from "./_memory/heap.ts";
import { giveBack, objectAt } from "./_memory/shared_object.ts";
import {
  countLiving,
  livingThreads,
  ThreadField,
  ThreadState,
} from "./_runtime/thread_object.ts";
import { createThread, setName, type Thread } from "./thread.ts";

let current: Thread | undefined;

/** Makes a Thread the one that runs here. */
export function setCurrentThread(thread: Thread | undefined): void {
  current = thread;
}

/**
 * The thread that runs this code.
 *
 * @returns The thread; in the main module, the main thread.
 *
 * @example
 * ```ts
 * import { currentThread, mainThread } from "@skein/std/threading";
 * import { assertStrictEquals } from "@std/assert";
 *
 * assertStrictEquals(currentThread(), mainThread());
 * ```
 */
export function currentThread(): Thread {
  return current ?? mainThread();
}

/**
 * The thread that the program started with.
 *
 * @returns The main thread.
 *
 * @example
 * ```ts
 * import { mainThread } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(mainThread().name, "MainThread");
 * ```
 */
export function mainThread(): Thread {
  return objectAt(words[MAIN_SLOT + Slot.thread]) as Thread;
}

/**
 * All threads that are alive, daemons included, the main thread first.
 *
 * @returns The threads.
 *
 * @example
 * ```ts
 * import { enumerate, mainThread } from "@skein/std/threading";
 * import { assert } from "@std/assert";
 *
 * assert(enumerate().includes(mainThread()));
 * ```
 */
export function enumerate(): Thread[] {
  const threads = livingThreads().map((address) => {
    const thread = objectAt(address) as Thread;
    giveBack(address);
    return thread;
  });
  return [mainThread(), ...threads.reverse()];
}

/**
 * The number of threads that are alive, the main thread included.
 *
 * @returns The length of `enumerate()`.
 *
 * @example
 * ```ts
 * import { activeCount } from "@skein/std/threading";
 * import { assert } from "@std/assert";
 *
 * assert(activeCount() >= 1);
 * ```
 */
export function activeCount(): number {
  // Not `Header.allThreads`, from which a thread goes behind those who join it.
  return countLiving() + 1;
}

/**
 * What tells this thread from every other living one. After
 * `threading.get_ident` of Python.
 *
 * @returns `currentThread().ident`, an integer above 0.
 *
 * @example
 * ```ts
 * import { currentThread, getIdent } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(getIdent(), currentThread().ident);
 * ```
 */
export function getIdent(): number {
  return tid;
}

if (isMain) {
  const thread = createThread(false);
  setName(thread, "MainThread");
  words[thread + ThreadField.tid] = tid;
  words[thread + ThreadField.state] = ThreadState.alive;
  words[MAIN_SLOT + Slot.thread] = thread;
  // This handle, which is never freed, keeps the object.
  current = objectAt(thread) as Thread;
  removeDraft(thread);
}
