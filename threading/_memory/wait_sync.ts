/**
 * Waiting in the blocking form, see `wait_queue.ts`.
 *
 * @module
 */

import { ThreadingError } from "../errors.ts";
import { Header, load, words } from "./heap.ts";
import {
  checkDying,
  damagedError,
  isClosed,
  lock,
  requireStack,
  unlock,
} from "./mutex.ts";
import { classOf, Field } from "./shared_class.ts";
import { isMain, self, Slot } from "./slot.ts";
import {
  enqueue,
  enqueueFirst,
  isStranded,
  Node,
  prepare,
  type Protocol,
  Wake,
  withdraw,
} from "./wait_queue.ts";
import { scheduleDrain } from "./wait_promise.ts";

/** The node of this thread's blocking waits. */
export const OWN_NODE: number = self + Slot.node;
/** About as long as a thread on another core takes for a short section. */
const SPINS = 200;

/** What a thread does each time it wakes. */
let onWake: () => void = () => {};

/** Adds what a thread does each time it is woken, whatever for; no user code. */
export function addOnWake(callback: () => void): void {
  const before = onWake;
  onWake = () => {
    before();
    callback();
  };
}

/** Does what is to be done each time this thread has been woken. */
export function attendWake(): void {
  onWake();
}

/** Blocked for so many milliseconds, the main thread needs a sentinel. */
const LONG_MS = 200;
/** Called when the main thread has been blocked for long. */
let onLongWait: () => void = () => {};

/** Sets what the main thread does when it has been blocked for long. */
export function setOnLongWait(callback: () => void): void {
  onLongWait = callback;
}

/**
 * Makes {@linkcode OWN_NODE} ready for a wait.
 *
 * @throws {RangeError} If there is too little stack for what this thread may
 * have to do while it is blocked: it must not leave a node in a queue.
 */
export function prepareOwnNode(): void {
  requireStack();
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
    if (isStranded(node)) return true;
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
    if (!isClosed(object + Field.mutex)) {
      classOf(object)?.protocol?.decline?.(object, node);
    }
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
 * @param node The node; one of its own for a wait whose `attend` may wait.
 * @returns How the wait ended; `Wake.waiting` if the time ran out.
 * @throws {ThreadingError} If nothing is left that could end the wait.
 */
export function waitSync(
  protocol: Protocol,
  object: number,
  queue: number,
  timeout: number,
  what: string,
  node: number = OWN_NODE,
): number {
  prepare(node, 0);
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
    protocol.attend?.(object, node);
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
    throw neverEnds(what);
  }
  // It may have been moved to another queue, where no time can run out.
  while (!woken) {
    woken = sleepUntilWoken(node, Infinity);
    if (woken) break;
    const other = load(node + Node.object);
    if (withdraw(classOf(other)!.protocol!, node, other)) throw neverEnds(what);
  }
  words[self + Slot.waitsFor] = 0;
  const state = words[node + Node.state];
  if (state === Wake.damaged) {
    const name = classOf(words[node + Node.object])?.constructor.name;
    words[node + Node.object] = 0;
    throw damagedError(name);
  }
  // A node that is to retry counts as waiting on until it has been taken in.
  if (state !== Wake.retry) words[node + Node.object] = 0;
  return state;
}

function neverEnds(what: string): ThreadingError {
  return new ThreadingError(
    `Cannot ${what}: this would never end, since no other thread is left that could end it`,
  );
}
