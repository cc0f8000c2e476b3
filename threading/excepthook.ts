/**
 * The excepthook: the function that is told of errors that no thread catches.
 *
 * A hook that is marked as sendable runs in the thread that failed. Any other
 * function runs in the thread that set it: the errors wait for it in a list on
 * the heap (`Header.uncaughtErrors`, links of two words: next, record).
 *
 * @module
 */

import { shown } from "../_internal/check.ts";
import type { Thread } from "./thread.ts";
import {
  allocate,
  deallocate,
  discard,
  removeDraft,
} from "./_memory/allocator.ts";
import { loadSendableSync, sendableId } from "./_codec/sendable.ts";
import {
  Header,
  load,
  Slot,
  slotOf,
  tid,
  wakeSlot,
  words,
} from "./_memory/heap.ts";
import { callbacks, lock, unlock } from "./_memory/mutex.ts";
import {
  commitRecord,
  dropRecord,
  readRecord,
  takeRecord,
} from "./_codec/record.ts";
import { addressOf, withoutFields } from "./_memory/shared_object.ts";
import { draftError } from "./_runtime/reaper.ts";
import { nameOf } from "./_runtime/thread_table.ts";

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
 * Sets the function that is told of every error that a thread does not catch;
 * by default the error is printed to stderr. `join` still throws it. After
 * `threading.excepthook` of Python.
 *
 * A function that is marked with `sendable` is called in the thread that
 * failed. Any other is called in the thread that set it, when that waits for a
 * thread or its event loop turns. What the hook itself throws is printed, with
 * the error that it was told of.
 *
 * It is also told of what a thread leaves behind and nobody handles, such as a
 * promise that is rejected in the turn of the event loop in which the thread
 * ends; that does not change how the thread ended.
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

/** Calls the hook. Throws nothing, whatever the hook does. */
export function reportUncaught(
  error: unknown,
  thread: Thread,
  name: string,
): void {
  try {
    if (tellHook({ error, thread }, name)) return;
  } catch (reason) {
    console.error("Cannot tell the excepthook of an error:", reason);
  }
  print(error, name);
}

function print(error: unknown, name: string): void {
  console.error(`Uncaught error in thread ${name}:`, error);
}

/** Calls a hook. What that throws is printed, and what it was told, too. */
function call(hook: ExceptHook, args: ExceptHookArgs, name: string): void {
  const onError = (reason: unknown) => {
    console.error("Uncaught error in the excepthook:", reason);
    print(args.error, name);
  };
  try {
    // It may be an async function, whatever its type says.
    const result = hook(args) as unknown;
    if (result instanceof Promise) result.catch(onError);
  } catch (reason) {
    onError(reason);
  }
}

/** Returns false if there is no hook. */
function tellHook(args: ExceptHookArgs, name: string): boolean {
  const owner = load(Header.excepthookTid);
  if (owner === tid) {
    if (ownHook === undefined) return false;
    call(ownHook, args, name);
    return true;
  }
  if (owner !== 0 && load(slotOf(owner) + Slot.tid) === owner) {
    return post(args, slotOf(owner));
  }
  const id = load(Header.excepthookId);
  if (id === 0) return false;
  call(loadSendableSync(id).value as ExceptHook, args, name);
  return true;
}

/** Returns false if the heap has no room for it. */
function post({ error, thread }: ExceptHookArgs, slot: number): boolean {
  const address = addressOf(thread);
  const record = draftError(error, address, (error) => ({ error, thread })) ||
    // The fields of a subclass may be what cannot be sent.
    draftError(error, address, (error) => ({
      error,
      thread: withoutFields(thread),
    }));
  if (record === 0) return false;
  let link: number;
  try {
    link = allocate(2);
  } catch {
    discard(record);
    return false;
  }
  words[link + 1] = record;
  lock(Header.registryMutex);
  words[link] = words[Header.uncaughtErrors];
  words[Header.uncaughtErrors] = link;
  removeDraft(link);
  commitRecord(record);
  wakeSlot(slot);
  unlock(Header.registryMutex);
  return true;
}

/** Tells this thread's hook of the errors that wait for it. */
function deliverUncaught(): void {
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
  for (const record of records.reverse()) deliver(record);
}

/** Must not throw: joining any thread comes here, and the event loop's turn. */
function deliver(record: number): void {
  let args: ExceptHookArgs;
  try {
    args = readRecord(record) as ExceptHookArgs;
  } catch (reason) {
    console.error("Cannot tell the excepthook of an error:", reason);
    return;
  } finally {
    dropRecord(record);
  }
  const name = nameOf(addressOf(args.thread));
  if (ownHook === undefined) print(args.error, name);
  else call(ownHook, args, name);
}

// The hook runs code of the user's: in the event loop and in `join`, but not in
// other blocking waits.
callbacks.turn = deliverUncaught;
