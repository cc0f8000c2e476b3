/**
 * Queues whose order a subclass decides: its hooks run under the queue's lock,
 * over a SharedList, as those of `queue.py` do.
 *
 * The hooks are the user's code, so they run outside of the ground's critical
 * sections; in one after them those who wait are let go on. They look again, and
 * wait again if another one was faster. The length that the words of the queue
 * have is what `_qsize` said last.
 *
 * @module
 */

import { add, doubles, words } from "../threading/_memory/heap.ts";
import { lock, unlock } from "../threading/_memory/mutex.ts";
import { Field } from "../threading/_memory/shared_class.ts";
import {
  ADDRESS,
  objectAt,
  objectAtAs,
  type SharedObject,
} from "../threading/_memory/shared_object.ts";
import { waitPromise } from "../threading/_memory/wait_promise.ts";
import {
  type Protocol,
  Wake,
  wakeAll,
} from "../threading/_memory/wait_queue.ts";
import { waitSync } from "../threading/_memory/wait_sync.ts";
import { OwnerDiedError } from "../threading/errors.ts";
import { Lock } from "../threading/lock.ts";
import { SharedList } from "../threading/shared_list.ts";
import { Order, QueueField } from "./_fields.ts";
import { empty, GET, getShutDown } from "./_get.ts";
import { full, PUT, putShutDown } from "./_prepare.ts";
import { HookList, undoOnThrow } from "./_hook_list.ts";
import { releaseJoiners } from "./_tasks.ts";

/** What a queue with hooks has. */
export interface Hooked extends SharedObject {
  /** Puts an item in. */
  _put(item: unknown): void;
  /** Takes the next item out. */
  _get(): unknown;
  /** How many items there are. */
  _qsize(): number;
}

const NAMES = ["_init", "_put", "_get", "_qsize"];
const builtIn = new Set<unknown>();

/** Makes the hooks of skein's own class known. */
export function markBuiltIn(prototype: object): void {
  for (const name of NAMES) builtIn.add(Reflect.get(prototype, name));
}

/** Whether the class of the queue overrides a hook. */
export function areOverridden(handle: SharedObject): boolean {
  return NAMES.some((name) => !builtIn.has(Reflect.get(handle, name)));
}

/** Whether a queue has hooks. */
export function hasHooks(queue: number): boolean {
  return words[queue + QueueField.order] === Order.hooks;
}

/** A queue whose hooks, which are protected, are to be called. */
export function hooked(queue: SharedObject): Hooked {
  return queue as Hooked;
}

/** Gives a new queue, which no other thread knows, its list and its lock. */
export function attachList(queue: number): void {
  words[queue + QueueField.order] = Order.hooks;
  attach(queue, QueueField.list, new SharedList());
  attach(queue, QueueField.lock, new Lock());
}

function attach(queue: number, field: number, part: SharedObject): void {
  const address = part[ADDRESS];
  lock(queue + Field.mutex);
  add(address + Field.references, 1);
  words[queue + field] = address;
  unlock(queue + Field.mutex);
  part.free();
}

/** The list of a queue with hooks. */
export function listOf(queue: number): SharedList<unknown> {
  const list = objectAtAs(words[queue + QueueField.list], HookList);
  return list as HookList<unknown>;
}

/**
 * Takes the lock. A thread that was killed in a hook leaves the list as it was
 * at that moment; every change of it is one step, so the queue goes on.
 */
function acquire(queue: number): Lock {
  const mutex = objectAt(words[queue + QueueField.lock]) as Lock;
  for (;;) {
    try {
      return mutex.acquireSync();
    } catch (error) {
      if (!(error instanceof OwnerDiedError)) throw error;
      mutex.recover();
    }
  }
}

/**
 * Runs hooks under the lock, and lets go on who waits for what they did. If one
 * throws, the queue is as it was before.
 *
 * @param handle The queue's handle.
 * @param queue The queue.
 * @param hooks Calls the hooks.
 * @param settle Called in the critical section that makes it known.
 */
function runHooks<R>(
  handle: Hooked,
  queue: number,
  hooks: () => R,
  settle?: (result: R) => void,
): R {
  using _ = acquire(queue);
  let size = 0;
  const result = undoOnThrow(() => {
    const result = hooks();
    size = handle._qsize();
    return result;
  });
  lock(queue + Field.mutex);
  settle?.(result);
  words[queue + QueueField.length] = Math.max(0, size);
  releaseJoiners(queue);
  if (size > 0) wakeAll(queue, QueueField.getters, Wake.granted);
  if (size < words[queue + QueueField.limit]) {
    wakeAll(queue, QueueField.putters, Wake.granted);
  }
  unlock(queue + Field.mutex);
  return result;
}

/** How many items the put that is about to wait has. */
let count = 0;

const putProtocol: Protocol = {
  take(queue) {
    if (words[queue + QueueField.shutDown] !== 0) return Wake.refused;
    const room = words[queue + QueueField.limit] -
      words[queue + QueueField.length];
    return room >= count ? Wake.granted : Wake.waiting;
  },
};

const getProtocol: Protocol = {
  take(queue) {
    if (words[queue + QueueField.length] > 0) return Wake.granted;
    return words[queue + QueueField.shutDown] !== 0
      ? Wake.refused
      : Wake.waiting;
  },
};

/** Puts items together if there is room for all. */
function tryPut(
  handle: Hooked,
  queue: number,
  items: readonly unknown[],
): boolean {
  return runHooks(handle, queue, () => {
    if (words[queue + QueueField.shutDown] !== 0) throw putShutDown();
    const room = words[queue + QueueField.limit] - handle._qsize();
    if (room < items.length) return false;
    for (const item of items) handle._put(item);
    return true;
  });
}

/** Gets up to `n` items; none if the queue is empty. */
function tryGet(handle: Hooked, queue: number, n: number): unknown[] {
  const take = () => {
    const items: unknown[] = [];
    while (items.length < n && handle._qsize() > 0) items.push(handle._get());
    if (items.length > 0 || words[queue + QueueField.shutDown] === 0) {
      return items;
    }
    throw getShutDown();
  };
  // Only items that were taken out count as unfinished besides those that are
  // in the list: who is killed in a hook does not leave a task that nobody can
  // finish.
  return runHooks(handle, queue, take, (items) => {
    doubles[queue + QueueField.unfinished >> 1] += items.length;
  });
}

/** Puts items together, and blocks until there is room for all. */
export function putSync(
  handle: Hooked,
  queue: number,
  items: readonly unknown[],
  timeout: number,
): void {
  const end = performance.now() + timeout;
  while (!tryPut(handle, queue, items)) {
    count = items.length;
    const left = leftUntil(end);
    const how = waitSync(putProtocol, queue, QueueField.putters, left, PUT);
    if (how === Wake.waiting) throw full(queue, timeout);
  }
}

/** Puts items together if there is room for all. */
export function putNowait(
  handle: Hooked,
  queue: number,
  items: readonly unknown[],
): void {
  if (!tryPut(handle, queue, items)) throw full(queue);
}

/** Puts items together without blocking the thread. */
export async function put(
  handle: Hooked,
  queue: number,
  items: readonly unknown[],
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const end = performance.now() + timeout;
  while (!tryPut(handle, queue, items)) {
    count = items.length;
    await waitPromise(putProtocol, queue, QueueField.putters, {
      timeout: leftUntil(end),
      signal,
      timeoutError: () => full(queue, timeout),
    });
  }
}

/** Gets up to `n` items, and blocks until there is one. */
export function getSync(
  handle: Hooked,
  queue: number,
  n: number,
  timeout: number,
): unknown[] {
  const end = performance.now() + timeout;
  for (;;) {
    const items = tryGet(handle, queue, n);
    if (items.length > 0) return items;
    const left = leftUntil(end);
    const how = waitSync(getProtocol, queue, QueueField.getters, left, GET);
    if (how === Wake.waiting) throw empty(timeout);
  }
}

/** Gets up to `n` items if there are any. */
export function getNowait(
  handle: Hooked,
  queue: number,
  n: number,
): unknown[] {
  const items = tryGet(handle, queue, n);
  if (items.length > 0) return items;
  throw empty();
}

/** Gets up to `n` items without blocking the thread. */
export async function get(
  handle: Hooked,
  queue: number,
  n: number,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<unknown[]> {
  const end = performance.now() + timeout;
  for (;;) {
    const items = tryGet(handle, queue, n);
    if (items.length > 0) return items;
    await waitPromise(getProtocol, queue, QueueField.getters, {
      timeout: leftUntil(end),
      signal,
      timeoutError: () => empty(timeout),
    });
  }
}

function leftUntil(end: number): number {
  return end === Infinity ? Infinity : Math.max(0, end - performance.now());
}

/** Ends a queue with hooks. */
export function shutDown(
  handle: Hooked,
  queue: number,
  immediate: boolean,
): void {
  const drain = () => {
    while (immediate && handle._qsize() > 0) handle._get();
  };
  runHooks(handle, queue, drain, () => {
    words[queue + QueueField.shutDown] = 1;
    wakeAll(queue, QueueField.getters, Wake.granted);
    wakeAll(queue, QueueField.putters, Wake.granted);
  });
}
