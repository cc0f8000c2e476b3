/**
 * Waiting in the blocking and in the promise form, see `wait_queue.ts`, and the
 * event loop's part in it.
 *
 * The blocking form sleeps on the slot's event word. In the promise form a woken
 * node is pushed on its slot's stack `ready`. Its thread empties the stack when
 * its event loop turns ({@linkcode listen}), behind a blocking wait, or, if it
 * woke the node itself, in a microtask.
 *
 * @module
 */

import {
  exchange,
  Field,
  futex,
  Header,
  isExplored,
  isMain,
  load,
  self,
  Slot,
  words,
} from "./heap.ts";
import {
  callbacks,
  checkDying,
  damagedError,
  doWholly,
  isClosed,
  lock,
  LONG_MS,
  requireStack,
  tryLock,
  unlock,
} from "./mutex.ts";
import { classOf } from "./shared_class.ts";
import {
  finishLeaving,
  forgetPins,
  pin,
  type Pins,
  unpin,
} from "./shared_object.ts";
import {
  checkInterrupted,
  currentScope,
  interruption,
  isCancelled,
  isInterrupted,
  reasonOf,
  type Scope,
  tellListeners,
} from "./scope.ts";
import {
  beginBlocking,
  deadlockError,
  endBlocking,
  isDeadlock,
} from "./deadlock.ts";
import {
  allocateNode,
  enqueue,
  enqueueFirst,
  freeNode,
  isStranded,
  Node,
  NodeFlag,
  prepare,
  type Protocol,
  pushReady,
  Wake,
  withdraw,
} from "./wait_queue.ts";
import {
  beginWait,
  CANCELLED,
  endTask,
  endWait,
  isTracing,
  TraceBit,
  traceNow,
} from "./trace.ts";
import {
  timeoutError,
  timeoutOf,
  timeoutOfSync,
  type WaitOptions,
  type WaitSyncOptions,
} from "../../_internal/check.ts";

interface PendingWait {
  token: number;
  protocol: Protocol;
  node: number;
  object: number;
  queue: number;
  /** They keep the object's handle until the wait ends. */
  pins: Pins;
  /** What the code that waits belongs to; `undefined` if it waits in any case. */
  scope: Scope | undefined;
  /** When it began, for the trace; 0 if that does not have it. */
  began: number;
  resolve(state: number): void;
  reject(reason: unknown): void;
  /** Called at the end, while the node is still there. */
  inspect: ((node: number) => void) | undefined;
  /** Gives up now, if it was to give up while the node had been woken. */
  giveUpLate?(): void;
  /** Set if it is a selection, which has several nodes and goes on by itself. */
  selection?: SelectingTask;
}

/** A selection of a task, see `selection.ts`. */
export interface SelectingTask {
  /** Names it in its nodes. */
  readonly token: number;
  /** Its head. */
  readonly head: number;
  /** One of its nodes was woken. */
  resume(): void;
  /** Whether nobody will wake one of them, since its object is damaged. */
  isStranded(): boolean;
  /** Ends it, unless it has been given something. */
  giveUp(reason: unknown): void;
}

const pending = new Map<number, PendingWait>();
let lastToken = 0;
let drainScheduled = false;

/** Names a wait in the promise form. */
export function newToken(): number {
  lastToken = (lastToken + 1) & 0x3fff_ffff;
  return lastToken;
}

/** Number of promise-form waits under way in this thread. */
export function pendingWaits(): number {
  return pending.size;
}

/** Whether some of them have been woken and not been continued. */
export function areWaitsWoken(): boolean {
  return load(self + Slot.ready) !== 0 ||
    load(Header.damages) !== seenDamages;
}

/** Continues them in a microtask. */
function scheduleDrain(): void {
  if (drainScheduled) return;
  drainScheduled = true;
  queueMicrotask(drainReady);
}

/** Continues the promise-form waits of this thread that have been woken. */
function drainReady(): void {
  drainScheduled = false;
  checkDying();
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
  if (words[self + Slot.cancels] !== 0) endCancelled();
  // Those that still wait hold the event loop open only if somebody can wake them.
  if (woken.length > 0 && pending.size > 0) callbacks.pendingChange();
}

/** Gives up the waits that have been cancelled, and tells those who listen. */
function endCancelled(): void {
  for (const wait of [...pending.values()]) {
    if (isCancelled(wait.scope)) giveUp(wait, reasonOf(wait.scope));
  }
  tellListeners();
}

let seenDamages = 0;

/** Tokens of the waits at objects that have been damaged. */
function stranded(): number[] {
  seenDamages = load(Header.damages);
  const waits = Array.from(pending.values());
  return waits.filter(({ selection, node }) =>
    selection === undefined ? isStranded(node) : selection.isStranded()
  ).map((wait) => wait.token);
}

function proceed(wait: PendingWait): void {
  if (wait.selection !== undefined) return wait.selection.resume();
  const state = words[wait.node + Node.state];
  if (state === Wake.damaged) return endDamaged(wait);
  // A node that was moved to another object's queue is that object's business.
  const moved = words[wait.node + Node.object] !== wait.object;
  const { scope } = wait;
  if (!moved && isCancelled(scope) && undo(wait.protocol, wait.node)) {
    endPending(wait, CANCELLED);
    wait.reject(reasonOf(scope));
    return;
  }
  if (state !== Wake.retry || moved) {
    endPending(wait);
    wait.resolve(state);
    return;
  }
  wait.protocol.attend?.(wait.object, wait.node);
  const end = takeOrEnqueue(wait, true);
  if (end === Wake.damaged) endDamaged(wait);
  else if (end !== Wake.waiting) wait.resolve(end);
  else wait.giveUpLate?.();
}

/**
 * Lets others have what a node was woken for, whose wait has been cancelled.
 *
 * @returns Whether that was possible: if not, the wait ends as if it had not
 * been cancelled.
 */
export function undo(protocol: Protocol, node: number): boolean {
  const state = words[node + Node.state];
  if (protocol.undo === undefined || state === Wake.damaged) return false;
  let undone = false;
  // Killed in between, the thread would have it passed on once more.
  doWholly(() => {
    try {
      undone = protocol.undo!(words[node + Node.object], node, state);
    } catch {
      // Damaged meanwhile.
    }
    if (undone) words[node + Node.object] = 0;
  });
  return undone;
}

function giveUp(wait: PendingWait, reason: unknown): void {
  if (!pending.has(wait.token)) return;
  if (wait.selection !== undefined) return wait.selection.giveUp(reason);
  if (!withdraw(wait.protocol, wait.node, wait.object)) {
    wait.giveUpLate ??= () => giveUp(wait, reason);
    return;
  }
  endPending(wait, isCancelled(wait.scope) ? CANCELLED : Wake.waiting);
  wait.reject(reason);
}

function endDamaged(wait: PendingWait): void {
  const name = classOf(words[wait.node + Node.object])?.constructor.name;
  endPending(wait);
  wait.reject(damagedError(name));
}

/**
 * Returns how the wait ended, `Wake.waiting` if it is in the queue, or
 * `Wake.damaged` if the wait must end.
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
  if (end !== Wake.waiting) endPending(wait);
  return end;
}

function endPending(
  wait: PendingWait,
  state: number = words[wait.node + Node.state],
): void {
  const { inspect, node, token, object, pins } = wait;
  inspect?.(node);
  if (wait.began !== 0) {
    endTask(wait.began, object, node, state);
  }
  pending.delete(token);
  freeNode(node);
  // Behind the continuation of the wait, which uses the object.
  queueMicrotask(() => queueMicrotask(() => unpin(object, pins)));
  if (pending.size === 0) callbacks.pendingChange();
}

/** What a promise-form wait rejects with, and why it was given up. */
export interface Surrender {
  /** Milliseconds, `Infinity` for none. */
  timeout: number;
  /** Ends the wait. */
  signal?: AbortSignal;
  /** Makes the error of a wait whose time ran out. */
  timeoutError(): unknown;
  /** Set if it waits even if its code is cancelled. */
  sheltered?: boolean;
}

/**
 * Waits in the promise form.
 *
 * @param protocol How to wait for the object.
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
  const news = protocol.news ? NodeFlag.news : 0;
  const node = allocateNode(NodeFlag.promise | news, token);
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
  start: Omit<
    PendingWait,
    "pins" | "scope" | "began" | "resolve" | "reject"
  >,
  { timeout, signal, timeoutError, sheltered }: Surrender,
  enter?: (node: number) => void,
): Promise<number> {
  const { object, node, token } = start;
  const scope = sheltered ? undefined : currentScope();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const pendingWait: PendingWait = {
    ...start,
    pins: pin(object),
    scope,
    began: 0,
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
  if (isTracing(TraceBit.waits)) pendingWait.began = traceNow();
  if (isCancelled(scope)) {
    giveUp(pendingWait, reasonOf(scope));
    return promise;
  }
  if (pending.size === 1) callbacks.pendingChange();
  if (timeout === Infinity && signal === undefined) return promise;

  const onAbort = () => giveUp(pendingWait, signal!.reason);
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
    timer = setTimeout(() => giveUp(pendingWait, timeoutError()), timeout);
  }
  signal?.addEventListener("abort", onAbort, { once: true });
  return promise;
}

/** Lets the event loop, and whoever cancels its code, know of a selection. */
export function beginSelecting(
  selection: SelectingTask,
  scope: Scope | undefined,
): void {
  const { token } = selection;
  const none = () => {};
  pending.set(token, {
    token,
    protocol: { take: () => Wake.waiting },
    node: 0,
    object: 0,
    queue: 0,
    pins: new Map(),
    scope,
    began: isTracing(TraceBit.waits) ? traceNow() : 0,
    resolve: none,
    reject: none,
    inspect: undefined,
    selection,
  });
  if (pending.size === 1) callbacks.pendingChange();
}

/** Whether a selection goes on: neither has it ended, nor its thread. */
export function isSelecting(selection: SelectingTask): boolean {
  return pending.get(selection.token)?.selection === selection;
}

/** A selection has ended. */
export function endSelecting(
  { token, head }: SelectingTask,
  isGivenUp: boolean,
): void {
  const { began = 0, scope } = pending.get(token) ?? {};
  const isEndedEarly = isGivenUp && isCancelled(scope);
  const state = isEndedEarly ? CANCELLED : Wake.granted;
  if (began !== 0) endTask(began, head, head, state);
  pending.delete(token);
  if (pending.size === 0) callbacks.pendingChange();
}

/** Counts how often the waits of this JavaScript thread were forgotten. */
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
  callbacks.pendingChange();
}

callbacks.ownWake = scheduleDrain;

/**
 * When to give up a wait.
 *
 * @param options The options.
 * @param what What is being waited for, for messages: `acquire a Lock`.
 * @throws {TypeError} If the timeout is not a number.
 * @throws {RangeError} If it is negative, NaN or above `TIMEOUT_MAX`.
 * @throws The signal's reason, if that is aborted.
 */
export function surrenderOf(
  options: WaitOptions | undefined,
  what: string,
): Surrender {
  const timeout = timeoutOf(options, what);
  const signal = options?.signal;
  signal?.throwIfAborted();
  return { timeout, signal, timeoutError: () => timeoutError(what, timeout) };
}

/**
 * Like `timeoutOf`, for whatever waits and is not to take what is there if its
 * code has been cancelled.
 *
 * @throws As `timeoutOf` does; the reason, if it has been cancelled.
 */
export function waitTimeout(
  options: WaitOptions | undefined,
  what: string,
): number {
  const timeout = timeoutOf(options, what);
  checkInterrupted();
  return timeout;
}

/** Like {@linkcode waitTimeout}, for a wait that blocks. */
export function waitSyncTimeout(
  options: WaitSyncOptions | undefined,
  what: string,
): number {
  const timeout = timeoutOfSync(options, what);
  checkInterrupted();
  return timeout;
}

/** Like {@linkcode surrenderOf}, as {@linkcode waitTimeout} is. */
export function waitSurrender(
  options: WaitOptions | undefined,
  what: string,
): Surrender {
  const surrender = surrenderOf(options, what);
  checkInterrupted();
  return surrender;
}

/** The node of this thread's blocking waits. */
export const OWN_NODE: number = self + Slot.node;
/** About as long as a thread on another core takes for a short section. */
const SPINS = 200;

/** Adds what a thread does each time it is woken, whatever for; no user code. */
export function addOnWake(callback: () => void): void {
  const before = callbacks.wake;
  callbacks.wake = () => {
    before();
    callback();
  };
}

/**
 * Adds what a blocked thread does from time to time; no user code.
 *
 * @param due Does what is due; returns when to call it again, by
 * `performance.now()`.
 */
export function addDue(due: () => number): void {
  const before = callbacks.due;
  callbacks.due = () => Math.min(before(), due());
}

addOnWake(finishLeaving);

const endings: (() => void)[] = [];

/**
 * Adds a callback that clears something when a thread of this worker has ended.
 */
export function onThreadEnd(callback: () => void): void {
  endings.push(callback);
}

/** Calls these callbacks: a thread of this worker has ended. */
export function endThread(): void {
  for (const ending of endings) ending();
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
 * @param protocol How to wait for the object: how often to look before
 * sleeping, and what may have to be done meanwhile.
 * @param interruptible Whether the sleep ends when its code is cancelled.
 * @returns Whether it was woken; if not, the deadline has passed, or it was
 * cancelled.
 * @throws {DeadlockError} If nothing is left that could wake it.
 */
export function sleepUntilWoken(
  node: number,
  deadline: number,
  protocol?: Protocol,
  interruptible = false,
): boolean {
  const object = words[node + Node.object];
  const began = isTracing(TraceBit.waits) ? beginWait(object, node) : 0;
  let woken = true;
  try {
    woken = sleep(node, deadline, protocol, interruptible);
  } finally {
    endBlocking();
    if (began !== 0) {
      const isEndedEarly = !woken && interruptible && isInterrupted();
      const state = isEndedEarly ? CANCELLED : words[node + Node.state];
      endWait(began, object, node, state);
    }
  }
  // Nothing else may be left to keep the event loop alive until it looks.
  if (load(self + Slot.ready) !== 0) scheduleDrain();
  return woken;
}

function sleep(
  node: number,
  deadline: number,
  protocol: Protocol | undefined,
  interruptible: boolean,
): boolean {
  const spins = isExplored ? 0 : protocol?.spins ?? SPINS;
  for (let spin = 0; spin < spins; spin++) {
    if (load(node + Node.state) !== Wake.waiting) return true;
  }
  const object = load(node + Node.object);
  let helpAt = isMain ? performance.now() + LONG_MS : Infinity;
  for (;;) {
    const event = load(self + Slot.event);
    checkDying();
    declineReady();
    if (isStranded(node)) return true;
    if (load(node + Node.state) !== Wake.waiting) return true;
    // The event was read before: whoever cancels changes it last.
    if (interruptible && isInterrupted()) return false;
    callbacks.wake();
    const due = Math.min(
      protocol?.tick?.(load(node + Node.object)) ?? Infinity,
      callbacks.due(),
    );
    if (load(node + Node.state) !== Wake.waiting) return true;
    if (due === Infinity && (deadline === Infinity || protocol?.idle)) {
      beginBlocking(node);
      // What was moved has been notified, and has to have its lock again.
      if (isDeadlock(interruptible ? object : 0, event)) return false;
    } else {
      endBlocking();
    }
    const until = Math.min(deadline, helpAt, due);
    const left = until === Infinity ? until : until - performance.now();
    if (left > 0) {
      futex.wait(words, self + Slot.event, event, left);
    } else {
      if (until === deadline) return false;
      if (until !== helpAt) continue;
      helpAt = callbacks.longWait() ? Infinity : performance.now() + LONG_MS;
    }
  }
}

/**
 * A blocked thread's promise-form waits cannot go on. What they were woken for
 * would be kept from others, from this very thread's blocking wait even.
 */
function declineReady(): void {
  let node = load(self + Slot.ready);
  if (node === 0) return;
  // Until it is passed on, this thread is about to do something.
  endBlocking();
  let moved = false;
  while (node !== 0) {
    const object = words[node + Node.object];
    if (!isClosed(object + Field.mutex)) {
      classOf(object)?.protocol?.decline?.(object, node);
    }
    moved ||= words[node + Node.origin] !== 0;
    node = words[node + Node.ready];
  }
  if (moved) takeBackReady();
}

/**
 * Takes back those that were moved, so that others go on in their place. A node
 * that can be woken again must not be on the stack: all are taken off first.
 */
function takeBackReady(): void {
  const nodes: number[] = [];
  let node = exchange(self + Slot.ready, 0);
  for (; node !== 0; node = words[node + Node.ready]) nodes.push(node);
  for (const node of nodes.reverse()) {
    if (!takeBack(node)) pushReady(self, node);
  }
}

function takeBack(node: number): boolean {
  const origin = words[node + Node.origin];
  const wait = pending.get(words[node + Node.token]);
  if (
    origin === 0 || words[node + Node.state] !== Wake.retry ||
    // It would have to give up at once.
    wait?.giveUpLate !== undefined || isClosed(origin + Field.mutex)
  ) return false;
  try {
    return classOf(origin)?.takeBack?.(origin, node) ?? false;
  } catch {
    // Damaged meanwhile.
    return false;
  }
}

/**
 * Blocks this thread for some milliseconds; it can be killed meanwhile.
 *
 * @throws The reason, if it is cancelled.
 */
export function sleepFor(ms: number): void {
  prepareOwnNode();
  sleepUntilWoken(OWN_NODE, performance.now() + ms, undefined, true);
  checkInterrupted();
}

/**
 * Waits in the blocking form.
 *
 * @param protocol How to wait for the object.
 * @param object The object.
 * @param queue Offset of the queue.
 * @param timeout Milliseconds.
 * @param what For messages.
 * @param node The node; one of its own for a wait whose `attend` may wait.
 * @returns How the wait ended; `Wake.waiting` if the time ran out.
 * @throws {DeadlockError} If nothing is left that could end the wait.
 * @throws The reason, if its code is cancelled.
 */
export function waitSync(
  protocol: Protocol,
  object: number,
  queue: number,
  timeout: number,
  what: string,
  node: number = OWN_NODE,
): number {
  prepare(node, protocol.idle ? idleFlags(timeout) : 0);
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

function idleFlags(timeout: number): number {
  return timeout === Infinity ? NodeFlag.idle : NodeFlag.idle | NodeFlag.ends;
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
  let woken = sleepUntilWoken(node, deadline, protocol, true);
  if (!woken && withdraw(protocol, node, object)) {
    words[self + Slot.waitsFor] = 0;
    checkInterrupted();
    if (deadline !== Infinity) return Wake.waiting;
    throw deadlockError(what);
  }
  // It may have been moved to another queue, where no time can run out.
  while (!woken) {
    woken = sleepUntilWoken(node, Infinity);
    if (woken) break;
    const other = load(node + Node.object);
    if (withdraw(classOf(other)!.protocol!, node, other)) {
      throw deadlockError(what);
    }
  }
  words[self + Slot.waitsFor] = 0;
  const state = words[node + Node.state];
  const cancelled = isInterrupted() ? interruption() : undefined;
  if (
    cancelled !== undefined && words[node + Node.object] === object &&
    undo(protocol, node)
  ) throw reasonOf(cancelled);
  if (state === Wake.damaged) {
    const name = classOf(words[node + Node.object])?.constructor.name;
    words[node + Node.object] = 0;
    throw damagedError(name);
  }
  // A node that is to retry counts as waiting on until it has been taken in.
  if (state !== Wake.retry) words[node + Node.object] = 0;
  return state;
}

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
    drainReady();
    callbacks.wake();
    callbacks.turn();
    const result = futex.waitAsync(words, self + Slot.event, event);
    if (result.async) await result.value;
  }
  listening = false;
}
