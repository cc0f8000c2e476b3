/**
 * Queues whose order a subclass decides: its hooks run under the queue's lock,
 * over a SharedList, as those of `queue.py` do.
 *
 * The hooks are the user's code, so nothing here runs in a critical section of
 * the ground but `publish`, which lets go on who waits. Those look again, and
 * wait again if another one was faster. The length that the words of the queue
 * have is what `_qsize` said last.
 *
 * @module
 */

import { add, doubles, words } from "../threading/_memory/heap.ts";
import { lock, unlock } from "../threading/_memory/mutex.ts";
import {
  ADDRESS,
  Field,
  objectAt,
  type SharedObject,
} from "../threading/_memory/shared_object.ts";
import {
  type Protocol,
  waitPromise,
  waitSync,
  Wake,
  wakeAll,
} from "../threading/_memory/wait_queue.ts";
import { OwnerDiedError } from "../threading/errors.ts";
import { Lock } from "../threading/lock.ts";
import { SharedList } from "../threading/shared_list.ts";
import { Order, QueueField } from "./_fields.ts";
import { empty, GET, getShutDown } from "./_get.ts";
import { full, PUT, putShutDown } from "./_put.ts";
import { releaseJoiners } from "./_waiting.ts";

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
  return objectAt(words[queue + QueueField.list]) as SharedList<unknown>;
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

/** Runs `change` under the lock, and lets go on who waits for what it did. */
function change<R>(handle: Hooked, queue: number, change: () => R): R {
  using _ = acquire(queue);
  try {
    return change();
  } finally {
    publish(queue, handle._qsize());
  }
}

function publish(queue: number, size: number): void {
  lock(queue + Field.mutex);
  words[queue + QueueField.length] = Math.max(0, size);
  releaseJoiners(queue);
  if (size > 0) wakeAll(queue, QueueField.getters, Wake.granted);
  if (size < words[queue + QueueField.limit]) {
    wakeAll(queue, QueueField.putters, Wake.granted);
  }
  unlock(queue + Field.mutex);
}

/**
 * Counts an item that was taken out. Of a queue with hooks only those count as
 * unfinished besides the ones that are in it: who is killed in a hook does not
 * leave a task that nobody can finish.
 */
function countTaken(queue: number): void {
  lock(queue + Field.mutex);
  doubles[queue + QueueField.unfinished >> 1]++;
  unlock(queue + Field.mutex);
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
  return change(handle, queue, () => {
    if (words[queue + QueueField.shutDown] !== 0) throw putShutDown();
    const room = words[queue + QueueField.limit] - handle._qsize();
    if (room < items.length) return false;
    for (const item of items) handle._put(item);
    return true;
  });
}

/** Gets up to `n` items; none if the queue is empty. */
function tryGet(handle: Hooked, queue: number, n: number): unknown[] {
  return change(handle, queue, () => {
    const items: unknown[] = [];
    while (items.length < n && handle._qsize() > 0) {
      items.push(handle._get());
      countTaken(queue);
    }
    if (items.length > 0 || words[queue + QueueField.shutDown] === 0) {
      return items;
    }
    throw getShutDown();
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
  change(handle, queue, () => {
    lock(queue + Field.mutex);
    words[queue + QueueField.shutDown] = 1;
    unlock(queue + Field.mutex);
    while (immediate && handle._qsize() > 0) {
      handle._get();
    }
  });
  lock(queue + Field.mutex);
  wakeAll(queue, QueueField.getters, Wake.granted);
  wakeAll(queue, QueueField.putters, Wake.granted);
  unlock(queue + Field.mutex);
}
