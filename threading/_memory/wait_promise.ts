/**
 * Waiting in the promise form, see `wait_queue.ts`.
 *
 * A woken node is pushed on its slot's stack `ready`. Its thread empties the
 * stack when its event loop turns (`listen.ts`), behind a blocking wait, or, if
 * it woke the node itself, in a microtask.
 *
 * @module
 */

import { exchange, words } from "./heap.ts";
import { lock, unlock } from "./mutex.ts";
import { Field } from "./shared_class.ts";
import { pin, unpin } from "./shared_object.ts";
import { self, Slot } from "./slot.ts";
import {
  allocateNode,
  enqueue,
  enqueueFirst,
  freeNode,
  Node,
  NodeFlag,
  type Protocol,
  setOnOwnWake,
  Wake,
  withdraw,
} from "./wait_queue.ts";

interface PendingWait {
  token: number;
  protocol: Protocol;
  node: number;
  object: number;
  queue: number;
  resolve(state: number): void;
  /** Called at the end, while the node is still there. */
  inspect: ((node: number) => void) | undefined;
  /** Gives up now, if it was to give up while the node had been woken. */
  giveUpLate?(): void;
}

const pending = new Map<number, PendingWait>();
let lastToken = 0;
let drainScheduled = false;

function newToken(): number {
  lastToken = (lastToken + 1) & 0x3fff_ffff;
  return lastToken;
}

/** Number of promise-form waits under way in this thread. */
export function pendingWaits(): number {
  return pending.size;
}

/** Called when a first promise-form wait begins, some were woken, or all ended. */
let onPendingChange: () => void = () => {};

/** Sets what happens when a first wait begins, some were woken, or all ended. */
export function setOnPendingChange(callback: () => void): void {
  onPendingChange = callback;
}

/** Continues them in a microtask. */
export function scheduleDrain(): void {
  if (drainScheduled) return;
  drainScheduled = true;
  queueMicrotask(drainReady);
}

/** Continues the promise-form waits of this thread that have been woken. */
export function drainReady(): void {
  drainScheduled = false;
  let node = exchange(self + Slot.ready, 0);
  const woken: number[] = [];
  for (; node !== 0; node = words[node + Node.ready]) {
    woken.push(words[node + Node.token]);
  }
  // The stack has the last one woken on top.
  for (const token of woken.reverse()) {
    const wait = pending.get(token);
    if (wait !== undefined) proceed(wait);
  }
  // Those that still wait hold the event loop open only if somebody can wake them.
  if (woken.length > 0 && pending.size > 0) onPendingChange();
}

function proceed(wait: PendingWait): void {
  const state = words[wait.node + Node.state];
  // A node that was moved to another object's queue is that object's business.
  const moved = words[wait.node + Node.object] !== wait.object;
  if (state !== Wake.retry || moved) {
    endWait(wait);
    wait.resolve(state);
    return;
  }
  const end = takeOrEnqueue(wait, true);
  if (end !== Wake.waiting) wait.resolve(end);
  else wait.giveUpLate?.();
}

/** Returns how the wait ended, or `Wake.waiting` if it is in the queue. */
function takeOrEnqueue(wait: PendingWait, again: boolean): number {
  const { protocol, object, queue, node } = wait;
  lock(object + Field.mutex);
  words[node + Node.state] = Wake.waiting;
  const end = protocol.take(object, node);
  if (end === Wake.waiting) {
    if (again) enqueueFirst(object, queue, node);
    else enqueue(object, queue, node);
  } else {
    words[node + Node.object] = 0;
  }
  unlock(object + Field.mutex);
  if (end !== Wake.waiting) endWait(wait);
  return end;
}

function endWait({ inspect, node, token, object }: PendingWait): void {
  inspect?.(node);
  pending.delete(token);
  freeNode(node);
  // Behind the continuation of the wait, which uses the object.
  queueMicrotask(() => queueMicrotask(() => unpin(object)));
  if (pending.size === 0) onPendingChange();
}

/** What a promise-form wait rejects with, and why it was given up. */
export interface Surrender {
  /** Milliseconds, `Infinity` for none. */
  timeout: number;
  /** Ends the wait. */
  signal?: AbortSignal;
  /** Makes the error of a wait whose time ran out. */
  timeoutError(): unknown;
}

/**
 * Waits in the promise form.
 *
 * @param protocol How the object lets wait.
 * @param object The object.
 * @param queue Offset of the queue.
 * @param surrender When to give up.
 * @param inspect Called at the end, while the node is still there.
 * @returns How the wait ended.
 */
export function waitPromise(
  protocol: Protocol,
  object: number,
  queue: number,
  surrender: Surrender,
  inspect?: (node: number) => void,
): Promise<number> {
  if (surrender.signal?.aborted) {
    return Promise.reject(surrender.signal.reason);
  }
  const token = newToken();
  const node = allocateNode(NodeFlag.promise, token);
  return wait({ protocol, object, queue, node, token, inspect }, surrender);
}

/**
 * Like {@linkcode waitPromise}, with a node that `enter` puts into a queue (in
 * a critical section of its own) instead of the protocol's `take`.
 */
export function waitEntered(
  protocol: Protocol,
  object: number,
  queue: number,
  surrender: Surrender,
  enter: (node: number) => void,
  inspect: (node: number) => void,
): Promise<number> {
  const token = newToken();
  const node = allocateNode(NodeFlag.promise, token);
  return wait(
    { protocol, object, queue, node, token, inspect },
    surrender,
    enter,
  );
}

function wait(
  start: Omit<PendingWait, "resolve">,
  { timeout, signal, timeoutError }: Surrender,
  enter?: (node: number) => void,
): Promise<number> {
  const { protocol, object, node, token } = start;
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const pendingWait: PendingWait = { ...start, resolve };
  pending.set(token, pendingWait);
  pin(object);
  if (enter === undefined) {
    const end = takeOrEnqueue(pendingWait, false);
    if (end !== Wake.waiting) return Promise.resolve(end);
  } else {
    enter(node);
  }
  if (pending.size === 1) onPendingChange();
  if (timeout === Infinity && signal === undefined) return promise;

  const giveUp = (reason: unknown) => {
    if (!pending.has(token)) return;
    if (!withdraw(protocol, node, object)) {
      pendingWait.giveUpLate ??= () => giveUp(reason);
      return;
    }
    endWait(pendingWait);
    settled();
    reject(reason);
  };
  const onAbort = () => giveUp(signal!.reason);
  const settled = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  };
  pendingWait.resolve = (state) => {
    settled();
    resolve(state);
  };
  if (timeout !== Infinity) {
    timer = setTimeout(() => giveUp(timeoutError()), timeout);
  }
  signal?.addEventListener("abort", onAbort, { once: true });
  return promise;
}

/** Changes when the waits of this JavaScript thread were forgotten. */
export let waitEpoch = 0;

/**
 * Forgets all promise-form waits: the thread that began them has ended, and its
 * nodes are gone. Their promises stay pending for ever.
 */
export function forgetWaits(): void {
  waitEpoch++;
  exchange(self + Slot.ready, 0);
  if (pending.size === 0) return;
  for (const { object } of pending.values()) unpin(object);
  pending.clear();
  onPendingChange();
}

setOnOwnWake(scheduleDrain);
