/**
 * Cancelling scopes (`_memory/scope.ts` says what that is): the reasons, the
 * signals, and the time after which a thread that was cancelled is terminated.
 *
 * @module
 */

import { unrefTimer } from "../../_internal/runtime.ts";
import { discard } from "../_memory/allocator.ts";
import {
  birth,
  clockOffset,
  Dying,
  Field,
  FREED,
  Header,
  isMain,
  load,
  requestHost,
  self,
  Slot,
  slotAt,
  slotIndex,
  slotOf,
  store,
  wakeSlot,
  words,
} from "../_memory/heap.ts";
import { lock, unlock } from "../_memory/mutex.ts";
import { noteDone, TraceNote } from "../_memory/trace.ts";
import {
  checkInterrupted,
  currentScope,
  expireScopes,
  isInterrupted,
  isScopeCancelled,
  onCancel,
  reasonOf,
  runShielded,
  type Scope,
  ScopeField,
  scopeOfThread,
  setReasonReader,
} from "../_memory/scope.ts";
import { ADDRESS, type SharedObject } from "../_memory/shared_object.ts";
import { addDue, addOnWake, onThreadEnd } from "../_memory/wait.ts";
import { ModuleNotLoaded } from "../_codec/sendable.ts";
import {
  commitRecord,
  draftRecord,
  readRecord,
  releaseRecord,
} from "../_codec/record.ts";
import { cancelling } from "../../_internal/hooks.ts";
import { NotSendableError } from "../errors.ts";
import { hasEnded, nameOf, ThreadField } from "./thread_table.ts";

/**
 * Encodes why something is cancelled.
 *
 * @param reason Why; `undefined` for an `AbortError`.
 * @param what What is cancelled, for its message: `The thread`.
 * @returns A record, a draft of this thread.
 * @throws {NotSendableError} If it cannot be sent.
 * @throws {HeapExhaustedError} If there is no room for it.
 */
export function draftReason(reason: unknown, what = "The thread"): number {
  return draftRecord(
    reason === undefined
      ? new DOMException(`${what} was cancelled`, "AbortError")
      : reason,
  );
}

/**
 * Cancels a scope, from any thread. The first reason counts.
 *
 * @param object The object that has it, of which this thread has a handle.
 * @param address The scope.
 * @param reason The record of the reason, a draft of this thread; 0 for an
 * `AbortError`, which the one that is cancelled makes: encoding an error takes
 * longer than waking a thread.
 * @returns Whether it was not cancelled before.
 */
export function cancelScope(
  object: number,
  address: number,
  reason: number,
): boolean {
  let isFirst = false;
  try {
    lock(object + Field.mutex);
    isFirst = words[address + ScopeField.state] === 0;
    if (isFirst) {
      words[address + ScopeField.reason] = reason;
      if (reason !== 0) commitRecord(reason);
      store(address + ScopeField.state, 1);
      const slot = words[address + ScopeField.slot];
      const of = slot === 0 ? 0 : words[slot + Slot.tid];
      noteDone(TraceNote.cancelled, of, object);
      if (slot !== 0) {
        store(slot + Slot.cancels, 1);
        wakeSlot(slot);
      }
    }
    unlock(object + Field.mutex);
  } finally {
    if (!isFirst && reason !== 0) discard(reason);
  }
  return isFirst;
}

/** Gives back what a scope owns; for `destroy`. */
export function releaseScope(address: number): void {
  const reason = words[address + ScopeField.reason];
  if (reason !== 0) releaseRecord(reason);
}

/** Reads a reason, whose class this thread may not have loaded. */
function readReason(record: number): unknown {
  if (record === 0) {
    const thread = words[self + Slot.thread];
    const name = thread === 0 ? "" : ` ${nameOf(thread)}`;
    return new DOMException(`The thread${name} was cancelled`, "AbortError");
  }
  try {
    return readRecord(record);
  } catch (error) {
    const why = error instanceof ModuleNotLoaded
      ? `the reason needs a module that is not loaded here, ${error.url}`
      : "the reason cannot be read here";
    const reason = new DOMException(
      `The thread was cancelled; ${why}`,
      "AbortError",
    );
    Object.defineProperty(reason, "cause", { value: error });
    return reason;
  }
}

setReasonReader(readReason);

cancelling.check = checkInterrupted;
cancelling.isCancelled = isInterrupted;
cancelling.shield = runShielded;
cancelling.isPossible = () => currentScope() !== undefined;
cancelling.subscribe = (callback) => {
  const scope = currentScope();
  return scope === undefined ? () => {} : onCancel(scope, callback);
};
if (!isMain) {
  cancelling.wakeWord = () => ({
    buffer: words.buffer as SharedArrayBuffer,
    index: self + Slot.event,
  });
}

/** Whether the thread that runs here has been cancelled. */
export function isThreadCancelled(): boolean {
  const scope = scopeOfThread();
  return scope !== undefined && isScopeCancelled(scope.address);
}

/** Why the thread that runs here was cancelled, if it was. */
export function reasonOfThread(): unknown {
  return reasonOf(scopeOfThread()!);
}

/** Whether an error is the reason for which the thread that runs here was cancelled. */
export function isReasonOfThread(error: unknown): boolean {
  return isThreadCancelled() && Object.is(error, reasonOfThread());
}

// The signal of a scope.

const signals = new WeakMap<Scope, AbortSignal>();

/**
 * An AbortSignal that is aborted when a scope that this thread has entered is
 * cancelled; `undefined` for one that nobody can cancel. It says so at once, also
 * if the thread never returns to its event loop. Those who listen hear of it when
 * the loop turns.
 */
export function signalOfScope(scope: Scope | undefined): AbortSignal {
  if (scope === undefined) return new AbortController().signal;
  let signal = signals.get(scope);
  if (signal === undefined) {
    signal = makeSignal(scope);
    signals.set(scope, signal);
  }
  return signal;
}

function makeSignal(scope: Scope): AbortSignal {
  const controller = new AbortController();
  const { signal } = controller;
  const { aborted, reason } = descriptorsOf(AbortSignal.prototype);
  const isAborted = () => aborted.get!.call(signal) as boolean;
  const reasonNow = () => reason.get!.call(signal);
  /** While it is being aborted: whether its listeners are called later. */
  let aborting: { later: boolean } | undefined;
  const abort = (later: boolean) => {
    aborting = { later };
    try {
      controller.abort(reasonOf(scope));
    } finally {
      aborting = undefined;
    }
  };
  // What the platform has put on the signal (`fetch`, `AbortSignal.any`) must
  // never see it aborted without a reason of its own. So it is aborted by the
  // first look, and only the listeners of the user's are called later.
  const look = () => {
    const isAsked = !scope.over && isScopeCancelled(scope.address);
    if (isAsked && aborting === undefined && !isAborted()) abort(true);
    return isAborted();
  };
  define(signal, {
    aborted: { get: look },
    reason: { get: () => look() ? reasonNow() : undefined },
    throwIfAborted: {
      value: () => {
        if (look()) throw reasonNow();
      },
    },
    ...deferredListeners(signal, () => aborting?.later ?? false),
  });
  onCancel(scope, () => {
    if (!isAborted()) abort(false);
  });
  return signal;
}

type Listener = EventListenerOrEventListenerObject;

/** Methods for listeners that are called later while `isLate` says so. */
function deferredListeners(
  signal: AbortSignal,
  isLate: () => boolean,
): PropertyDescriptorMap {
  const wrapped = new WeakMap<object, Listener>();
  const wrap = (listener: Listener): Listener => {
    let known = wrapped.get(listener);
    if (known === undefined) {
      known = (event) => {
        const call = () =>
          typeof listener === "function"
            ? listener.call(signal, event)
            : listener.handleEvent(event);
        if (isLate()) setTimeout(call, 0);
        else call();
      };
      wrapped.set(listener, known);
    }
    return known;
  };
  const { addEventListener, removeEventListener } = EventTarget.prototype;
  const through =
    (method: typeof addEventListener | typeof removeEventListener) =>
    (type: string, listener: unknown, options?: AddEventListenerOptions) => {
      const isAny = typeof listener === "function" ||
        typeof listener === "object" && listener !== null;
      const given = isAny ? wrap(listener as Listener) : listener;
      method.call(signal, type, given as Listener, options);
    };
  const add = through(addEventListener);
  const remove = through(removeEventListener);
  let handler: unknown = null;
  return {
    addEventListener: { value: add },
    removeEventListener: { value: remove },
    onabort: {
      get: () => handler,
      set: (value: unknown) => {
        if (typeof handler === "function") remove("abort", handler);
        handler = typeof value === "function" ? value : null;
        if (handler !== null) add("abort", handler);
      },
    },
  };
}

function descriptorsOf(target: object): Record<string, PropertyDescriptor> {
  return Object.getOwnPropertyDescriptors(target);
}

function define(target: object, properties: PropertyDescriptorMap): void {
  for (const property of Object.values(properties)) {
    property.configurable = true;
  }
  Object.defineProperties(target, properties);
}

// The grace: how long a thread that was cancelled may go on. When it is over the
// thread is terminated, by the main thread, from its event loop or a blocking wait
// of its own; or by itself, from its own, if it waits in a shield while the main
// thread computes. Who set the grace need not be there any more.

const offset = birth === undefined ? 0 : clockOffset(birth.clock);

/**
 * Milliseconds by the clock of the main thread as a word. It wraps, but the
 * difference of two that are closer than 24 days is right.
 */
export function graceTime(): number {
  return (performance.now() + offset) | 0;
}

/**
 * Has a living thread terminated after a while. The earliest time counts.
 *
 * @param thread The Thread object.
 * @param grace Milliseconds.
 */
export function terminateAfter(thread: number, grace: number): void {
  const at = (graceTime() + Math.ceil(grace)) | 0 || 1;
  lock(Header.registryMutex);
  const slot = slotOf(words[thread + ThreadField.tid]);
  const set = words[slot + Slot.grace];
  if (
    words[slot + Slot.thread] === thread &&
    (set === 0 || ((at - set) | 0) < 0)
  ) {
    words[slot + Slot.grace] = at;
    wakeSlot(slot);
    requestHost();
  }
  unlock(Header.registryMutex);
}

/**
 * Sets when the thread in a slot is terminated; for a worker whose tasks come
 * and go.
 *
 * @param slot The slot.
 * @param at When, by {@linkcode graceTime}; 0 for never.
 * @param expected Only if this was set; by default whatever was.
 */
export function setGrace(slot: number, at: number, expected?: number): void {
  lock(Header.registryMutex);
  const set = words[slot + Slot.grace];
  if (expected === undefined || set === expected) words[slot + Slot.grace] = at;
  unlock(Header.registryMutex);
}

/** Milliseconds until a thread is terminated; `Infinity` if it is not. */
function graceLeft(slot: number): number {
  const at = load(slot + Slot.grace);
  return at === 0 ? Infinity : (at - graceTime()) | 0;
}

/** Terminates the threads whose time is up; when the next one's is, in ms. */
function endGraces(first: number, last: number): number {
  let next = Infinity;
  for (let i = first; i <= last; i++) {
    const slot = slotAt(i);
    const left = graceLeft(slot);
    if (left > 0) next = Math.min(next, left);
    else condemnLate(slot);
  }
  return next;
}

function condemnLate(slot: number): void {
  lock(Header.registryMutex);
  if (graceLeft(slot) <= 0) {
    words[slot + Slot.grace] = 0;
    if (words[slot + Slot.tid] !== 0 && load(slot + Slot.dying) === Dying.no) {
      store(slot + Slot.dying, Dying.asked);
      wakeSlot(slot);
      requestHost();
    }
  }
  unlock(Header.registryMutex);
}

/** When this thread looks again, by `performance.now()`. */
let alarmAt = Infinity;
let alarm: ReturnType<typeof setTimeout> | undefined;
let seenRequests = 0;

/** Ends what is due; when to look again, by `performance.now()`. */
function lookAtGraces(): number {
  if (isMain) {
    const requests = load(Header.hostRequests);
    const now = performance.now();
    if (requests === seenRequests && now < alarmAt) return alarmAt;
    seenRequests = requests;
    return now + endGraces(1, load(Header.usedSlots) - 1);
  }
  if (load(self + Slot.grace) === 0) return Infinity;
  const own = slotIndex(self);
  return performance.now() + endGraces(own, own);
}

/** The same, with a timer for the event loop. */
function setAlarm(): void {
  const next = lookAtGraces();
  if (next === alarmAt) return;
  clearTimeout(alarm);
  alarmAt = next;
  if (next === Infinity) return;
  alarm = setTimeout(() => {
    alarmAt = Infinity;
    seenRequests = -1;
    setAlarm();
  }, Math.max(0, Math.ceil(next - performance.now())));
  unrefTimer(alarm);
}

addDue(lookAtGraces);
addDue(expireScopes);
addOnWake(setAlarm);
onThreadEnd(() => {
  // Its timers end with it.
  alarmAt = Infinity;
  alarm = undefined;
});

// The signals that cancel threads. A listener keeps its thread's handle, so the
// listeners of threads that have ended are taken away when others come.

/** A Thread, which can be cancelled. */
interface Cancellable extends SharedObject {
  cancel(reason?: unknown): void;
}

interface Heeding {
  thread: Cancellable;
  stop(): void;
}

let heedings: Heeding[] = [];
const MIN_HEEDINGS = 16;
let sweepAt = MIN_HEEDINGS;

onThreadEnd(() => {
  for (const { stop } of heedings) stop();
  heedings = [];
  sweepAt = MIN_HEEDINGS;
});

/** Cancels a thread when a signal is aborted. */
export function heed(thread: Cancellable, signal: AbortSignal): void {
  if (signal.aborted) return;
  if (heedings.length >= sweepAt) sweep();
  const onAbort = () => cancelBy(thread, signal);
  signal.addEventListener("abort", onAbort, { once: true });
  const stop = () => signal.removeEventListener("abort", onAbort);
  heedings.push({ thread, stop });
}

function sweep(): void {
  const over = (thread: Cancellable) =>
    thread[ADDRESS] === FREED || hasEnded(thread[ADDRESS]);
  for (const { thread, stop } of heedings) if (over(thread)) stop();
  heedings = heedings.filter(({ thread }) => !over(thread));
  sweepAt = Math.max(MIN_HEEDINGS, heedings.length * 2);
}

/** Cancels a thread with the reason of a signal, if that can be sent. */
export function cancelBy(thread: Cancellable, signal: AbortSignal): void {
  // Its handle may have been freed; that error would reach nobody.
  if (thread[ADDRESS] === FREED) return;
  try {
    thread.cancel(signal.reason);
  } catch (error) {
    if (!(error instanceof NotSendableError)) throw error;
    thread.cancel();
  }
}
