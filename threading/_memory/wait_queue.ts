/**
 * Wait queues: who waits for a shared object, in order of arrival, in blocking
 * and in promise form alike.
 *
 * A waiter is a node. A thread's one blocking wait has its node in the slot,
 * each promise-form wait has one of its own on the heap. A node is in at most
 * one queue, and queue and node change only under the mutex of the object
 * that `Node.object` names.
 *
 * Who wakes whom: a waker takes the first node out of the queue, writes its
 * `state`, and bumps the `event` word of the waiter's slot, all in one critical
 * section. A waiter reads `event`, then `state`, and sleeps only if `event` is
 * still what it was: a wake-up between the two reads changes `event`, so it is
 * not lost. A waiter that gives up does so under the mutex, and only if its
 * state is still `waiting`; if it is not, it has been given something and
 * takes it. So what a waker hands out always arrives at somebody who wants it.
 *
 * @module
 */

import { ThreadingError } from "../errors.ts";
import { allocateZeroed, deallocate } from "./allocator.ts";
import { removeDraft } from "./draft.ts";
import {
  compareExchange,
  exchange,
  Header,
  load,
  store,
  words,
} from "./heap.ts";
import { checkDying, lock, unlock } from "./mutex.ts";
import { classOf, Field, pin, unpin } from "./shared_object.ts";
import { isMain, self, Slot, tid, wakeSlot } from "./slot.ts";

/** The words of a node. */
export const Node = {
  next: 0,
  previous: 1,
  /** The object in whose queue it is, or that woke it and was not yet seen. */
  object: 2,
  /** Offset of the queue's two words in the object. */
  queue: 3,
  /** A `Wake`. */
  state: 4,
  tid: 5,
  slot: 6,
  flags: 7,
  /** Next in the stack of woken promise-form nodes. */
  ready: 8,
  /** Names the promise in the waiter's thread. */
  token: 9,
  /** Free for the object: a barrier's index, a number of permits, … */
  value: 10,
  /** Milliseconds (32 bits) at which the wait began. */
  since: 11,
  listNext: 12,
  listPrevious: 13,
} as const;
const NODE_WORDS = 14;

/** Flags of a node. */
export const NodeFlag = {
  /** The promise form. */
  promise: 1,
  /** It has been overtaken for too long: hand over to it directly. */
  handOver: 2,
  /** It counts for others already: it can no longer give up. */
  bound: 4,
} as const;

/** States of a node. */
export const Wake = {
  waiting: 0,
  /** It has been given what it waits for. */
  granted: 1,
  /** It is to try again. */
  retry: 2,
  /** The object says no (a broken barrier, a poisoned lock). */
  refused: 3,
} as const;

/** How an object lets wait. */
export interface Protocol {
  /**
   * In the object's critical section: takes what is asked for if it is there,
   * or gets ready to be waited for. Must not throw.
   *
   * @returns `Wake.waiting` to wait, else how the wait ends.
   */
  take(object: number, node: number): number;
  /**
   * Outside of critical sections: takes what is asked for if that can be done
   * without the mutex, which whoever woke the node may still hold.
   */
  takeFast?(object: number, node: number): boolean;
  /** In the critical section, after a node gave up and left the queue. */
  withdraw?(object: number, node: number): void;
  /**
   * Outside of critical sections: lets others have what a promise-form node of
   * this thread was woken for, since the thread blocks and cannot go on with it.
   */
  decline?(object: number, node: number): void;
  /** How often a blocking wait looks whether it was woken before it sleeps. */
  spins?: number;
}

/** Word offset of the queue that most objects have. */
export const MAIN_QUEUE = Field.head;

/** The first node of a queue, or 0. */
export function firstOf(object: number, queue = MAIN_QUEUE as number): number {
  return words[object + queue];
}

/** Puts a node at the end of a queue. */
export function enqueue(object: number, queue: number, node: number): void {
  const last = words[object + queue + 1];
  words[node + Node.object] = object;
  words[node + Node.queue] = queue;
  words[node + Node.next] = 0;
  words[node + Node.previous] = last;
  if (last === 0) words[object + queue] = node;
  else words[last + Node.next] = node;
  words[object + queue + 1] = node;
}

/** Puts a node that has waited before at the head of a queue. */
export function enqueueFirst(
  object: number,
  queue: number,
  node: number,
): void {
  const first = words[object + queue];
  words[node + Node.object] = object;
  words[node + Node.queue] = queue;
  words[node + Node.previous] = 0;
  words[node + Node.next] = first;
  if (first === 0) words[object + queue + 1] = node;
  else words[first + Node.previous] = node;
  words[object + queue] = node;
}

/** Takes a node out of its queue. */
export function dequeue(node: number): void {
  const queue = words[node + Node.object] + words[node + Node.queue];
  const next = words[node + Node.next];
  const previous = words[node + Node.previous];
  if (previous === 0) words[queue] = next;
  else words[previous + Node.next] = next;
  if (next === 0) words[queue + 1] = previous;
  else words[next + Node.previous] = previous;
}

/**
 * Wakes a node that has been taken out of its queue. To be called in the
 * critical section: killed behind it, the waker would leave a sleeper that
 * nobody wakes.
 */
export function wake(node: number, state: number): void {
  const slot = words[node + Node.slot];
  if (words[node + Node.flags] & NodeFlag.promise) {
    let top = load(slot + Slot.ready);
    store(node + Node.state, state);
    for (;;) {
      words[node + Node.ready] = top;
      const found = compareExchange(slot + Slot.ready, top, node);
      if (found === top) break;
      top = found;
    }
    if (slot === self) {
      scheduleDrain();
      return;
    }
  } else {
    store(node + Node.state, state);
  }
  wakeSlot(slot);
}

/** Wakes the first node of a queue, if there is one. */
export function wakeFirst(
  object: number,
  queue: number,
  state: number,
): boolean {
  const node = words[object + queue];
  if (node === 0) return false;
  dequeue(node);
  wake(node, state);
  return true;
}

/** Wakes all nodes of a queue. */
export function wakeAll(object: number, queue: number, state: number): void {
  while (wakeFirst(object, queue, state));
}

function prepare(node: number, flags: number): void {
  words[node + Node.object] = 0;
  words[node + Node.state] = Wake.waiting;
  words[node + Node.tid] = tid;
  words[node + Node.slot] = self;
  words[node + Node.flags] = flags;
  words[node + Node.since] = performance.now() | 0;
}

/** Takes the mutex of the object in whose queue a node is; returns it. */
export function lockObjectOf(node: number): number {
  for (;;) {
    const object = load(node + Node.object);
    lock(object + Field.mutex);
    // Meanwhile it may have been moved to another object's queue.
    if (load(node + Node.object) === object) return object;
    unlock(object + Field.mutex);
  }
}

// ---------------------------------------------------------------------------
// The blocking form

/** The node of this thread's blocking waits. */
export const OWN_NODE: number = self + Slot.node;
/** About as long as a thread on another core takes for a short section. */
const SPINS = 200;

/** What a thread does each time it wakes; no user code. Set by `host.ts`. */
let onWake: () => void = () => {};

/** Sets what a thread does each time it is woken, whatever for. */
export function setOnWake(callback: () => void): void {
  onWake = callback;
}

/** What a thread does each time its event loop turns; set by `host.ts`. */
let onTurn: () => void = () => {};

/** Sets what a thread does when it is woken in its event loop. */
export function setOnTurn(callback: () => void): void {
  onTurn = callback;
}

/** Blocked for so many milliseconds, the main thread needs a sentinel. */
const LONG_MS = 200;
/** Called when the main thread has been blocked for long. */
let onLongWait: () => void = () => {};

/** Sets what the main thread does when it has been blocked for long. */
export function setOnLongWait(callback: () => void): void {
  onLongWait = callback;
}

/** Makes {@linkcode OWN_NODE} ready for a wait. */
export function prepareOwnNode(): void {
  prepare(OWN_NODE, 0);
}

/**
 * Sleeps until the node is woken.
 *
 * @param deadline Time by `performance.now()`; `Infinity` for none.
 * @param spins How often it looks before it sleeps.
 * @returns Whether it was woken; if not, the deadline has passed.
 * @throws {ThreadingError} If nothing is left that could wake it.
 */
export function sleepUntilWoken(
  node: number,
  deadline: number,
  spins: number = SPINS,
): boolean {
  const woken = sleep(node, deadline, spins);
  // Nothing else may be left to keep the event loop alive until it looks.
  if (load(self + Slot.ready) !== 0) scheduleDrain();
  return woken;
}

function sleep(node: number, deadline: number, spins: number): boolean {
  for (let spin = 0; spin < spins; spin++) {
    if (load(node + Node.state) !== Wake.waiting) return true;
  }
  let helpAt = isMain ? performance.now() + LONG_MS : Infinity;
  for (;;) {
    const event = load(self + Slot.event);
    checkDying();
    declineReady();
    if (load(node + Node.state) !== Wake.waiting) return true;
    onWake();
    if (load(node + Node.state) !== Wake.waiting) return true;
    if (isMain && deadline === Infinity && load(Header.allThreads) === 0) {
      return false;
    }
    const until = Math.min(deadline, helpAt);
    const left = until === Infinity ? until : until - performance.now();
    if (left > 0) {
      Atomics.wait(words, self + Slot.event, event, left);
    } else {
      if (until === deadline) return false;
      helpAt = Infinity;
      onLongWait();
    }
  }
}

/**
 * A blocked thread's promise-form waits cannot go on. What they were woken for
 * would be kept from others, from this very thread's blocking wait even.
 */
function declineReady(): void {
  let node = load(self + Slot.ready);
  while (node !== 0) {
    const object = words[node + Node.object];
    classOf(object)?.protocol?.decline?.(object, node);
    node = words[node + Node.ready];
  }
}

/** Blocks this thread for some milliseconds; it can be killed meanwhile. */
export function sleepFor(ms: number): void {
  prepareOwnNode();
  sleepUntilWoken(OWN_NODE, performance.now() + ms);
}

/**
 * Waits in the blocking form.
 *
 * @param protocol How the object lets wait.
 * @param object The object.
 * @param queue Offset of the queue.
 * @param timeout Milliseconds.
 * @param what For messages.
 * @returns How the wait ended; `Wake.waiting` if the time ran out.
 * @throws {ThreadingError} If nothing is left that could end the wait.
 */
export function waitSync(
  protocol: Protocol,
  object: number,
  queue: number,
  timeout: number,
  what: string,
): number {
  const node = OWN_NODE;
  prepareOwnNode();
  const deadline = timeout === Infinity
    ? Infinity
    : performance.now() + timeout;
  let again = false;
  for (;;) {
    lock(object + Field.mutex);
    words[node + Node.state] = Wake.waiting;
    const end = protocol.take(object, node);
    if (end !== Wake.waiting) {
      words[node + Node.object] = 0;
      unlock(object + Field.mutex);
      return end;
    }
    if (again) enqueueFirst(object, queue, node);
    else enqueue(object, queue, node);
    unlock(object + Field.mutex);
    const state = finishSync(protocol, node, deadline, what);
    if (state !== Wake.retry) return state;
    if (protocol.takeFast?.(object, node)) {
      words[node + Node.object] = 0;
      return Wake.granted;
    }
    again = true;
  }
}

/** Sleeps on a node that is in a queue, and leaves the queue at the end. */
export function finishSync(
  protocol: Protocol,
  node: number,
  deadline: number,
  what: string,
): number {
  const object = words[node + Node.object];
  words[self + Slot.waitsFor] = object;
  let woken = sleepUntilWoken(node, deadline, protocol.spins);
  if (!woken && withdraw(protocol, node, object)) {
    words[self + Slot.waitsFor] = 0;
    if (deadline !== Infinity) return Wake.waiting;
    throw new ThreadingError(
      `Cannot ${what}: this would never end, since no other thread is left that could end it`,
    );
  }
  // It may have been moved to another queue, where no time can run out.
  while (!woken) woken = sleepUntilWoken(node, Infinity);
  words[self + Slot.waitsFor] = 0;
  const state = words[node + Node.state];
  // A node that is to retry counts as waiting on until it has been taken in.
  if (state !== Wake.retry) words[node + Node.object] = 0;
  return state;
}

/**
 * Takes a node out of the object's queue, unless it is bound, has been woken or
 * moved to the queue of another object; true if it did.
 */
function withdraw(
  protocol: Protocol,
  node: number,
  expected: number,
): boolean {
  const object = lockObjectOf(node);
  const waiting = object === expected &&
    words[node + Node.state] === Wake.waiting &&
    !(words[node + Node.flags] & NodeFlag.bound);
  if (waiting) {
    dequeue(node);
    words[node + Node.object] = 0;
    protocol.withdraw?.(object, node);
  }
  unlock(object + Field.mutex);
  return waiting;
}

// ---------------------------------------------------------------------------
// The promise form

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

function scheduleDrain(): void {
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

/**
 * A node of this thread's, in its slot's list.
 *
 * @param flags Its flags.
 * @param token Names the promise.
 */
export function allocateNode(flags: number, token = 0): number {
  const node = allocateZeroed(NODE_WORDS);
  prepare(node, flags);
  words[node + Node.token] = token;
  lock(self + Slot.mutex);
  const first = words[self + Slot.nodes];
  words[node + Node.listNext] = first;
  if (first !== 0) words[first + Node.listPrevious] = node;
  words[self + Slot.nodes] = node;
  removeDraft(node);
  unlock(self + Slot.mutex);
  return node;
}

/** Gives back a node that is in no queue. */
export function freeNode(node: number): void {
  lock(self + Slot.mutex);
  const next = words[node + Node.listNext];
  const previous = words[node + Node.listPrevious];
  if (next !== 0) words[next + Node.listPrevious] = previous;
  if (previous === 0) words[self + Slot.nodes] = next;
  else words[previous + Node.listNext] = next;
  deallocate(node);
  unlock(self + Slot.mutex);
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

// ---------------------------------------------------------------------------
// Looking at the event word from the event loop

let listening = false;
let isWanted = () => false;

/**
 * Looks at this thread's event word whenever it changes while the event loop
 * runs. The promise of `waitAsync` does not keep the loop alive, and needs no
 * cancelling: there is never more than one.
 *
 * @param wanted Asked after each event whether to go on. Replaces what was given
 * before: that of an ended thread must not end the listening for the next one.
 */
export async function listen(wanted: () => boolean): Promise<void> {
  isWanted = wanted;
  if (listening) return;
  listening = true;
  while (isWanted()) {
    const event = load(self + Slot.event);
    checkDying();
    drainReady();
    onWake();
    onTurn();
    const result = Atomics.waitAsync(words, self + Slot.event, event);
    if (result.async) await result.value;
  }
  listening = false;
}
