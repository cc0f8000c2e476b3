/**
 * Who is told of an error that a thread did not catch.
 *
 * A hook that is marked as sendable runs in the thread that failed. Any other
 * function runs in the thread that set it: the errors wait for it in a list on
 * the heap (`Header.uncaughtErrors`, links of two words: next, record).
 *
 * @module
 */

import { shown } from "../../_internal/check.ts";
import { NotSendableError } from "../errors.ts";
import type { Thread } from "../thread.ts";
import { allocate, deallocate, removeDraft } from "../_memory/allocator.ts";
import { loadSendableSync } from "../_memory/codec/load.ts";
import { sendableId } from "../_memory/codec/registry.ts";
import {
  Header,
  load,
  Slot,
  slotOf,
  tid,
  wakeSlot,
  words,
} from "../_memory/heap.ts";
import { lock, unlock } from "../_memory/mutex.ts";
import {
  commitRecord,
  draftRecord,
  dropRecord,
  readRecord,
  takeRecord,
} from "../_memory/record.ts";
import { withoutFields } from "../_memory/shared_object.ts";
import { sendableError } from "./sendable_error.ts";

/** What an excepthook is told. */
export interface ExceptHookArgs {
  /** What was thrown. */
  error: unknown;
  /** The thread that did not catch it. */
  thread: Thread;
}

/** Is told of every error that a thread did not catch. */
export type ExceptHook = (args: ExceptHookArgs) => void;

let ownHook: ExceptHook | undefined;

/**
 * Sets who is told of every error that a thread does not catch; by default it
 * is printed to stderr. The error is thrown by `join` all the same. After
 * `threading.excepthook` of Python.
 *
 * A function that is marked with `sendable` is called in the thread that
 * failed. Any other is called in the thread that set it, when that waits for a
 * thread or its event loop turns.
 *
 * @param hook The function, or `undefined` for the default.
 * @throws {TypeError} If it is not a function.
 *
 * @example
 * ```ts
 * import { setExcepthook } from "@skein/std/threading";
 *
 * setExcepthook(({ error, thread }) => {
 *   console.error(`${thread.name} failed:`, error);
 * });
 * setExcepthook(undefined);
 * ```
 */
export function setExcepthook(hook: ExceptHook | undefined): void {
  if (hook !== undefined && typeof hook !== "function") {
    throw new TypeError(
      `Cannot set the excepthook: it must be a function or undefined, received ${
        shown(hook)
      }`,
    );
  }
  const id = hook === undefined ? 0 : sendableId(hook) ?? 0;
  lock(Header.registryMutex);
  words[Header.excepthookId] = id;
  words[Header.excepthookTid] = hook !== undefined && id === 0 ? tid : 0;
  unlock(Header.registryMutex);
  ownHook = hook;
}

/** Tells whoever is to be told. */
export function reportUncaught(
  error: unknown,
  thread: Thread | undefined,
  name: string,
): void {
  try {
    if (thread === undefined || !tellHook({ error, thread })) {
      console.error(`Uncaught error in thread ${name}:`, error);
    }
  } catch (reason) {
    console.error(`Uncaught error in thread ${name}:`, error);
    console.error("The excepthook could not be told:", reason);
  }
}

/** Returns false if there is no hook. */
function tellHook(args: ExceptHookArgs): boolean {
  const owner = load(Header.excepthookTid);
  if (owner === tid) {
    ownHook?.(args);
    return true;
  }
  if (owner !== 0 && load(slotOf(owner) + Slot.tid) === owner) {
    post(args, slotOf(owner));
    return true;
  }
  const id = load(Header.excepthookId);
  if (id === 0) return false;
  (loadSendableSync(id).value as ExceptHook)(args);
  return true;
}

function post(args: ExceptHookArgs, slot: number): void {
  const error = sendableError(args.error);
  const record = draftArgs({ error, thread: args.thread });
  const link = allocate(2);
  words[link + 1] = record;
  lock(Header.registryMutex);
  words[link] = words[Header.uncaughtErrors];
  words[Header.uncaughtErrors] = link;
  removeDraft(link);
  commitRecord(record);
  wakeSlot(slot);
  unlock(Header.registryMutex);
}

/** Encodes the arguments, if need be without the fields of a subclass. */
function draftArgs(args: ExceptHookArgs): number {
  try {
    return draftRecord(args);
  } catch (error) {
    if (!(error instanceof NotSendableError)) throw error;
    return draftRecord({ ...args, thread: withoutFields(args.thread) });
  }
}

/** Tells this thread's hook of the errors that wait for it. */
export function deliverUncaught(): void {
  if (load(Header.uncaughtErrors) === 0 || load(Header.excepthookTid) !== tid) {
    return;
  }
  const records: number[] = [];
  lock(Header.registryMutex);
  let link = words[Header.uncaughtErrors];
  words[Header.uncaughtErrors] = 0;
  while (link !== 0) {
    const next = words[link];
    records.push(words[link + 1]);
    takeRecord(words[link + 1]);
    deallocate(link);
    link = next;
  }
  unlock(Header.registryMutex);
  for (const record of records.reverse()) {
    const args = readRecord(record) as ExceptHookArgs;
    dropRecord(record);
    ownHook?.(args);
  }
}
