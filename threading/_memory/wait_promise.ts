/**
 * Waiting in the promise form, see `wait_queue.ts`.
 *
 * A woken node is pushed on its slot's stack `ready`. Its thread empties the
 * stack when its event loop turns (`listen.ts`), behind a blocking wait, or, if
 * it woke the node itself, in a microtask.
 *
 * @module
 */

import { exchange, Header, load, words } from "./heap.ts";
import { damagedError, tryLock, unlock } from "./mutex.ts";
import { classOf, Field } from "./shared_class.ts";
import { forgetPins, pin, type Pins, unpin } from "./shared_object.ts";
import { self, Slot } from "./slot.ts";
import {
  allocateNode,
  enqueue,
  enqueueFirst,
  freeNode,
  isStranded,
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
  /** What keeps the object's handle meanwhile. */
  pins: Pins;
  resolve(state: number): void;
  reject(reason: unknown): void;
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
  if (load(Header.damages) !== seenDamages) woken.unshift(...stranded());
  // The stack has the last one woken on top.
  for (const token of woken.reverse()) {
    const wait = pending.get(token);
    if (wait !== undefined) proceed(wait);
  }
  // Those that still wait hold the event loop open only if somebody can wake them.
  if (woken.length > 0 && pending.size > 0) onPendingChange();
}

let seenDamages = 0;

/** Tokens of the waits at objects that have been damaged. */
function stranded(): number[] {
  seenDamages = load(Header.damages);
  const waits = Array.from(pending.values());
  return waits.filter(({ node }) => isStranded(node)).map((w) => w.token);
}

function proceed(wait: PendingWait): void {
  const state = words[wait.node + Node.state];
  if (state === Wake.damaged) return endDamaged(wait);
  // A node that was moved to another object's queue is that object's business.
  const moved = words[wait.node + Node.object] !== wait.object;
  if (state !== Wake.retry || moved) {
    endWait(wait);
    wait.resolve(state);
    return;
  }
  wait.protocol.attend?.(wait.object, wait.node);
  const end = takeOrEnqueue(wait, true);
  if (end === Wake.damaged) endDamaged(wait);
  else if (end !== Wake.waiting) wait.resolve(end);
  else wait.giveUpLate?.();
}

function endDamaged(wait: PendingWait): void {
  const name = classOf(words[wait.node + Node.object])?.constructor.name;
  endWait(wait);
  wait.reject(damagedError(name));
}

/**
 * Returns how the wait ended, `Wake.waiting` if it is in the queue, or
 * `Wake.damaged` if it is to be ended.
 */
function takeOrEnqueue(wait: PendingWait, again: boolean): number {
  const { protocol, object, queue, node } = wait;
  if (!tryLock(object + Field.mutex)) {
    words[node + Node.object] = object;
    return Wake.damaged;
  }
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

function endWait(wait: PendingWait): void {
  const { inspect, node, token, object, pins } = wait;
  inspect?.(node);
  pending.delete(token);
  freeNode(node);
  // Behind the continuation of the wait, which uses the object.
  queueMicrotask(() => queueMicrotask(() => unpin(object, pins)));
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
 * @param origin The object at which it has waited before, or 0.
 * @returns How the wait ended.
 */
export function waitPromise(
  protocol: Protocol,
  object: number,
  queue: number,
  surrender: Surrender,
  inspect?: (node: number) => void,
  origin = 0,
): Promise<number> {
  if (surrender.signal?.aborted) {
    return Promise.reject(surrender.signal.reason);
  }
  const token = newToken();
  const node = allocateNode(NodeFlag.promise, token);
  words[node + Node.origin] = origin;
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
  start: Omit<PendingWait, "pins" | "resolve" | "reject">,
  { timeout, signal, timeoutError }: Surrender,
  enter?: (node: number) => void,
): Promise<number> {
  const { protocol, object, node, token } = start;
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const pendingWait: PendingWait = {
    ...start,
    pins: pin(object),
    resolve,
    reject,
  };
  pending.set(token, pendingWait);
  if (enter === undefined) {
    const end = takeOrEnqueue(pendingWait, false);
    if (end === Wake.damaged) {
      endDamaged(pendingWait);
      return promise;
    }
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
    pendingWait.reject(reason);
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
  pendingWait.reject = (reason) => {
    settled();
    reject(reason);
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
  forgetPins();
  if (pending.size === 0) return;
  pending.clear();
  onPendingChange();
}

setOnOwnWake(scheduleDrain);
