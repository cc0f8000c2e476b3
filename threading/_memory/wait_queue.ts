/**
 * Wait queues: who waits for a shared object, in order of arrival, in blocking
 * (`wait.ts`) and in promise form alike.
 *
 * A waiter is a node. A thread's one blocking wait has its node in the slot,
 * each promise-form wait has one of its own on the heap, and a selection one for
 * each of its cases (`selection.ts`). A node is in at most one queue, and queue
 * and node change only under the mutex of the object that `Node.object` names.
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

import { allocateZeroed, deallocate, removeDraft } from "./allocator.ts";
import {
  compareExchange,
  Field,
  load,
  self,
  Slot,
  store,
  tid,
  wakeSlot,
  words,
} from "./heap.ts";
import { callbacks, isClosed, lock, tryLock, unlock } from "./mutex.ts";
import { isTracing, noteWake, TraceBit } from "./trace.ts";

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
  /** Free for the object: a barrier's index, a number of permits, ... */
  value: 10,
  /** Milliseconds (32 bits) at which the wait began. */
  since: 11,
  listNext: 12,
  listPrevious: 13,
  /** The object in whose queue it was before it was moved to this one, or 0. */
  origin: 14,
} as const;
/** Size of a node in words. */
export const NODE_WORDS = 15;

/** The further word of a selection's node: the head of the selection. */
export const SELECTION = NODE_WORDS;

/**
 * What `state` of a selection's head is, if it is not the node that was chosen;
 * `selection.ts` says who changes it.
 */
export const Choice = {
  /** It waits: whoever has something for one of its nodes chooses that. */
  open: 0,
  /** Its thread is looking at its cases: nobody may choose. */
  busy: 1,
  /** The same, and somebody had something for one of its nodes meanwhile. */
  missed: 2,
} as const;

/** Flags of a node. */
export const NodeFlag = {
  /** The promise form. */
  promise: 1,
  /** It has been overtaken for too long: hand over to it directly. */
  handOver: 2,
  /** It counts for others already: it can no longer give up. */
  bound: 4,
  /** It is one of the nodes of a selection. */
  selected: 8,
  /** Its thread waits for work, and for nothing else, see `deadlock.ts`. */
  idle: 1 << 20,
  /** The same, and ends when none has come for some time. */
  ends: 1 << 21,
  /** Being woken it is told something, and given nothing, see `Protocol.news`. */
  news: 1 << 22,
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
  /** The object is damaged: the wait throws. */
  damaged: -1,
  /** It is in no queue: not yet, or its selection could not take anything. */
  passed: -2,
} as const;

/** How to wait for an object. */
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
  /**
   * Outside of critical sections, before a node that was woken to retry looks
   * again in `take`: does what runs code of the user's. Until `take` the node
   * counts as woken, so what it was given is passed on if the thread is killed.
   * Must not throw.
   */
  attend?(object: number, node: number): void;
  /** In the critical section, after a node gave up and left the queue. */
  withdraw?(object: number, node: number): void;
  /**
   * Outside of critical sections, after a node was woken whose wait has been
   * cancelled: lets others have what it was given, as if it had not waited.
   *
   * @returns Whether that could be done. If not, and without this function, the
   * wait ends as it has.
   */
  undo?(object: number, node: number, state: number): boolean;
  /**
   * Outside of critical sections: lets others have what a promise-form node of
   * this thread was woken for, since the thread blocks and cannot go on with it.
   */
  decline?(object: number, node: number): void;
  /**
   * Outside of critical sections, before a blocked thread sleeps at the object:
   * does what is due by now.
   *
   * @returns When to look again, by `performance.now()`; `Infinity` for never.
   */
  tick?(object: number): number;
  /** How often a blocking wait looks whether it was woken before it sleeps. */
  spins?: number;
  /**
   * Set if a thread waits like this that has nothing to do, and ends if its time
   * runs out: it counts as asleep, see `deadlock.ts`.
   */
  idle?: true;
  /**
   * Set if what ends the wait is news, such as the end of a thread, of which others
   * lose nothing while this thread blocks and cannot hear of it.
   */
  news?: true;
}

/** Word offset of the queue that most objects have. */
export const MAIN_QUEUE = Field.head;

/** The first node of a queue, or 0. */
export function firstOf(object: number, queue = MAIN_QUEUE as number): number {
  return words[object + queue];
}

/** Whether a node is a promise-form wait of this thread. */
export function isOwnTask(node: number): boolean {
  return words[node + Node.slot] === self &&
    (words[node + Node.flags] & NodeFlag.promise) !== 0;
}

/**
 * The first node of a queue that is no promise-form wait of this thread, or 0:
 * while the thread is blocked its own could not use what they are given.
 */
export function firstOther(
  object: number,
  queue = MAIN_QUEUE as number,
): number {
  let node = firstOf(object, queue);
  while (node !== 0 && isOwnTask(node)) node = words[node + Node.next];
  return node;
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
 * In the critical section, after a node was taken out of its queue and before
 * it is given anything: whether it takes that. A node of a selection does if
 * the selection waits, which chooses that node; if not, the next waiter gets
 * it.
 */
export function claim(node: number): boolean {
  return !(words[node + Node.flags] & NodeFlag.selected) || choose(node);
}

/** Whether a node is one of a selection. */
export function isSelected(node: number): boolean {
  return node !== 0 && (words[node + Node.flags] & NodeFlag.selected) !== 0;
}

/** Whether a node is the one of its selection that was chosen. */
export function isChosen(node: number): boolean {
  return isSelected(node) &&
    load(words[node + SELECTION] + Node.state) === node;
}

/** The head of the selection whose cases this thread is looking at, or 0. */
export const visiting = { head: 0 };

/** Whether a node is one of the selection whose cases this thread looks at. */
export function isOwnCase(node: number): boolean {
  return visiting.head !== 0 && isSelected(node) &&
    words[node + SELECTION] === visiting.head;
}

function choose(node: number): boolean {
  const choice = words[node + SELECTION] + Node.state;
  for (;;) {
    const found = compareExchange(choice, Choice.open, node);
    if (found === Choice.open || found === node) return true;
    if (found !== Choice.busy) break;
    const now = compareExchange(choice, Choice.busy, Choice.missed);
    if (now === Choice.busy) break;
  }
  store(node + Node.state, Wake.passed);
  return false;
}

/**
 * Wakes a node that has been taken out of its queue. To be called in the
 * critical section: killed behind it, the waker would leave a sleeper that
 * nobody wakes. One of a selection that does not wait stays as it is.
 */
export function wake(node: number, state: number): void {
  const slot = words[node + Node.slot];
  const flags = words[node + Node.flags];
  if (flags & NodeFlag.selected && !choose(node)) return;
  if (isTracing(TraceBit.waits)) traceWake(node);
  if (flags & NodeFlag.promise) {
    store(node + Node.state, state);
    pushReady(slot, node);
    if (slot === self) {
      callbacks.ownWake();
      return;
    }
  } else {
    store(node + Node.state, state);
  }
  wakeSlot(slot);
}

function traceWake(node: number): void {
  const sleeper = isSelected(node) ? words[node + SELECTION] : node;
  noteWake(words[node + Node.tid], sleeper, words[node + Node.object]);
}

/** Puts a node on the stack of those of its slot that were woken. */
export function pushReady(slot: number, node: number): void {
  let top = load(slot + Slot.ready);
  for (;;) {
    words[node + Node.ready] = top;
    const found = compareExchange(slot + Slot.ready, top, node);
    if (found === top) return;
    top = found;
  }
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

/** Makes a node ready for a wait of this thread. */
export function prepare(node: number, flags: number): void {
  words[node + Node.object] = 0;
  words[node + Node.state] = Wake.waiting;
  words[node + Node.tid] = tid;
  words[node + Node.slot] = self;
  words[node + Node.flags] = flags;
  words[node + Node.since] = performance.now() | 0;
}

/**
 * Whether a node waits at a damaged object, where nobody will wake it. If so it
 * is woken: its queue changes no more, so it may be used again.
 */
export function isStranded(node: number): boolean {
  if (load(node + Node.state) !== Wake.waiting) return false;
  if (!isClosed(load(node + Node.object) + Field.mutex)) return false;
  store(node + Node.state, Wake.damaged);
  return true;
}

/**
 * Takes the mutex of the object in whose queue a node is.
 *
 * @returns The object, or 0 if it is damaged: then the mutex was not taken.
 */
export function lockObjectOf(node: number): number {
  for (;;) {
    const object = load(node + Node.object);
    if (!tryLock(object + Field.mutex)) return 0;
    // Meanwhile it may have been moved to another object's queue.
    if (load(node + Node.object) === object) return object;
    unlock(object + Field.mutex);
  }
}

/**
 * Takes a node out of the object's queue, unless it is bound, has been woken or
 * moved to the queue of another object; true if it did.
 */
export function withdraw(
  protocol: Protocol,
  node: number,
  expected: number,
): boolean {
  const object = lockObjectOf(node);
  if (object === 0) return false;
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

/**
 * A node of this thread's, in its slot's list.
 *
 * @param flags Its flags.
 * @param token Names the promise.
 * @param size Its number of words.
 */
export function allocateNode(
  flags: number,
  token = 0,
  size = NODE_WORDS,
): number {
  const node = allocateZeroed(size);
  prepare(node, flags);
  words[node + Node.token] = token;
  lock(self + Slot.mutex);
  link(node);
  removeDraft(node);
  unlock(self + Slot.mutex);
  return node;
}

/** In a critical section: puts a node into the list of its slot. */
export function link(node: number): void {
  const list = words[node + Node.slot] + Slot.nodes;
  const first = words[list];
  words[node + Node.listNext] = first;
  words[node + Node.listPrevious] = 0;
  if (first !== 0) words[first + Node.listPrevious] = node;
  words[list] = node;
}

/** In a critical section: puts a node that is in no list into this thread's. */
export function listNode(node: number): void {
  prepare(node, 0);
  link(node);
}

/** Gives back a node that is in no queue. */
export function freeNode(node: number): void {
  lock(self + Slot.mutex);
  unlistNode(node);
  deallocateNode(node);
  unlock(self + Slot.mutex);
}

/**
 * In a critical section: gives back a node that is in no list. Those of a
 * selection lie in one block, which goes with the last of them.
 */
export function deallocateNode(node: number): void {
  if (!(words[node + Node.flags] & NodeFlag.selected)) {
    deallocate(node);
    return;
  }
  const head = words[node + SELECTION];
  if (--words[head + Node.value] === 0) deallocate(head);
}

/**
 * In a critical section: takes a node out of the list of its thread, which is
 * this one or a dead one.
 */
export function unlistNode(node: number): void {
  const next = words[node + Node.listNext];
  const previous = words[node + Node.listPrevious];
  if (next !== 0) words[next + Node.listPrevious] = previous;
  if (previous === 0) words[words[node + Node.slot] + Slot.nodes] = next;
  else words[previous + Node.listNext] = next;
}

/** Whether a slot has waits that are under way, or were not abandoned. */
export function hasWaits(slot: number): boolean {
  return words[slot + Slot.nodes] !== 0 ||
    words[slot + Slot.node + Node.object] !== 0;
}

/*
 * What promise-form waits have been given and their thread has not seen yet.
 *
 * A wait in the promise form goes on when its thread's event loop turns. Until
 * then, and for as long as the thread computes or blocks, nobody really has what
 * the wait was given. So it counts as not given: if the thread ends, or blocks
 * for the same thing, it goes to the next in the queue. And that must not be
 * another promise-form wait of the same thread, which would be as stuck.
 */

/**
 * Whether a thread has been given something that it has not seen. To be called
 * in the object's critical section, by that thread or whoever cleans up after
 * it: nobody else may look at its nodes.
 *
 * @param object What was waited for.
 * @param value What the wait's node has in `Node.value`.
 * @param slot The thread's slot.
 */
export function isUnseen(object: number, value = 0, slot = self): boolean {
  let node = words[slot + Slot.nodes];
  while (node !== 0) {
    if (
      words[node + Node.object] === object &&
      words[node + Node.value] === value &&
      load(node + Node.state) === Wake.granted
    ) return true;
    node = words[node + Node.listNext];
  }
  return false;
}
