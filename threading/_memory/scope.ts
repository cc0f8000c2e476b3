/**
 * Scopes of cancelling. A thread has one, a task of a pool has its own: whoever
 * wants it to stop cancels its scope, and the code that belongs to the scope
 * finds out at its next wait, or in the one that is under way.
 *
 * A scope is a few words of a shared object, and guarded by the mutex of that
 * object. Any thread can cancel it, with a reason, once (`cancelScope` in
 * `_runtime/cancelling.ts`). A JavaScript thread enters a scope to run code in it
 * ({@linkcode runInScope}): what that code calls, awaits and starts belongs to
 * the innermost scope that was entered around it, and to no other. So cancelling
 * a task reaches neither its thread nor a task that is further down or up on the
 * stack.
 *
 *     import { admitScope, runInScope, SCOPE_WORDS } from "_memory/scope.ts";
 *     import { cancelScope, draftReason, signalOfScope } from
 *       ".../_runtime/cancelling.ts";
 *
 *     // words [address + Own.scope, + SCOPE_WORDS) of the object are 0 at first
 *     store(address + Own.scope + ScopeField.slot, self);
 *     const scope = admitScope(address, address + Own.scope);
 *     runInScope(scope, run, [task]); // run may be async
 *     store(address + Own.scope + ScopeField.slot, 0);
 *     // in any thread:
 *     cancelScope(address, address + Own.scope, draftReason(reason));
 *     // in `destroy`:
 *     releaseScope(address + Own.scope);
 *
 * Whoever enters a scope keeps the object's handle until it has left it.
 *
 * How a thread finds out: whoever cancels a scope stores its state, then sets
 * `Slot.cancels` of the slot in which the scope was entered, then bumps the
 * slot's event word. A wait that blocks reads the event word first, then
 * `Slot.cancels`, and sleeps only if the event word is still what it was, so it
 * cannot miss the change. Waits in the promise form are given up when the event
 * loop turns, which the event word makes it do. `Slot.cancels` is a hint: it is
 * set whenever one of the scopes entered in the slot is cancelled, and may be set
 * when none is. All that a call costs that is not cancelled is to read it.
 *
 * @module
 */

import type { AsyncLocalStorage } from "node:async_hooks";
import { builtIn } from "../../_internal/built_in.ts";
import { isThenable } from "../../_internal/check.ts";
import {
  exchange,
  Field,
  load,
  self,
  Slot,
  store,
  tid,
  words,
} from "./heap.ts";
import { tryLock, unlock } from "./mutex.ts";

/** The words of a scope. */
export const ScopeField = {
  /** Not 0 once it has been cancelled. */
  state: 0,
  /** The record of the reason. */
  reason: 1,
  /** The slot in which it was entered, or 0. */
  slot: 2,
} as const;
/** Number of words of a scope. */
export const SCOPE_WORDS = 3;

/** A scope that this thread has entered. */
export interface Scope {
  /** The object that has it. */
  readonly object: number;
  /** Its words. */
  readonly address: number;
  /** Whether it has been left. */
  over: boolean;
  /** Called from the event loop when it has been cancelled. */
  listeners: Set<(reason: unknown) => void> | undefined;
  /** The reason, once it has been read. */
  reason?: { value: unknown };
  /** When it will be cancelled, if it has a limit. */
  limit: ScopeLimit | undefined;
  /** What a task of a pool is for its thread; `undefined` for a thread's scope. */
  readonly owner: unknown;
}

/** When the thread that has entered a scope cancels it. */
export interface ScopeLimit {
  /** The time, by `performance.now()`. */
  readonly at: number;
  /** Cancels it. */
  expire(): void;
}

/** What the code of an async flow belongs to. */
interface Flow {
  /** `undefined` for the thread's. */
  scope: Scope | undefined;
  shielded: boolean;
  /** A flow ends with its thread. */
  tid: number;
}

/** Where the hint of this thread is. */
const HINT = self + Slot.cancels;

let storage: AsyncLocalStorage<Flow> | undefined;
/** The scopes that this thread has entered and not left. */
const entered = new Set<Scope>();
let threadScope: Scope | undefined;
/** How many of them have a limit: then the hint stays set. */
let limited = 0;
/** How many calls further up must not be cancelled. */
let sheltered = 0;

/** Reads the record of a reason; set by `_runtime/cancelling.ts`. */
let readReason = (_record: number): unknown => undefined;

/** Sets how the record of a reason is read. */
export function setReasonReader(read: (record: number) => unknown): void {
  readReason = read;
}

/** Whether a scope has been cancelled. */
export function isScopeCancelled(address: number): boolean {
  return load(address + ScopeField.state) !== 0;
}

/** The scope of the code that calls this; `undefined` in a shield. */
export function currentScope(): Scope | undefined {
  const flow = storage?.getStore();
  if (flow === undefined || flow.tid !== tid) return threadScope;
  if (flow.shielded) return undefined;
  const { scope } = flow;
  return scope === undefined || scope.over ? threadScope : scope;
}

/** The scope of the thread that runs here. */
export function scopeOfThread(): Scope | undefined {
  return threadScope;
}

/** Whether a scope of this thread that may be cancelled has been. */
export function isCancelled(scope: Scope | undefined): scope is Scope {
  if (words[HINT] === 0 || scope === undefined || scope.over) return false;
  if (scope.limit !== undefined) expire(scope);
  return isScopeCancelled(scope.address);
}

/** Cancels a scope if its time is up. */
function expire(scope: Scope): void {
  const { limit } = scope;
  if (limit === undefined || performance.now() < limit.at) return;
  unlimit(scope);
  limit.expire();
}

function unlimit(scope: Scope): void {
  if (scope.limit === undefined) return;
  scope.limit = undefined;
  limited--;
}

/**
 * Cancels the scopes entered here whose time is up.
 *
 * @returns When the next one's is, by `performance.now()`.
 */
export function expireScopes(): number {
  let next = Infinity;
  if (limited === 0) return next;
  for (const scope of entered) {
    expire(scope);
    if (scope.limit !== undefined) next = Math.min(next, scope.limit.at);
  }
  return next;
}

/** Whether the code that calls this has been cancelled. */
export function isInterrupted(): boolean {
  return words[HINT] !== 0 && interruption() !== undefined;
}

/** The scope of the code that calls this if it has been cancelled. */
export function interruption(): Scope | undefined {
  if (sheltered > 0) return undefined;
  const scope = currentScope();
  if (isCancelled(scope)) return scope;
  // Another one was, or none is any more.
  settleHint();
  return undefined;
}

/**
 * Throws the reason if the code that calls this has been cancelled. To be called
 * by whatever waits, before it changes anything.
 */
export function checkInterrupted(): void {
  if (words[HINT] !== 0) throwIfCancelled();
}

function throwIfCancelled(): void {
  const scope = interruption();
  if (scope !== undefined) throw reasonOf(scope);
}

/** Why a scope was cancelled. */
export function reasonOf(scope: Scope): unknown {
  if (scope.reason === undefined) {
    // Code that has been told is stopped at its next wait, though whoever
    // cancels the scope may not have come to the hint yet.
    store(HINT, 1);
    const record = words[scope.address + ScopeField.reason];
    scope.reason = { value: readReason(record) };
  }
  return scope.reason.value;
}

/**
 * Clears the hint if none of the scopes entered here is cancelled. One that is
 * cancelled meanwhile is seen, or sets it again: its state is stored first.
 */
function settleHint(): void {
  exchange(HINT, limited > 0 ? 1 : 0);
  for (const { address } of entered) {
    if (isScopeCancelled(address)) store(HINT, 1);
  }
}

/** Calls those who listen to scopes that have been cancelled. */
export function tellListeners(): void {
  for (const scope of entered) {
    if (scope.listeners === undefined || !isScopeCancelled(scope.address)) {
      continue;
    }
    const listeners = [...scope.listeners];
    scope.listeners = undefined;
    for (const listener of listeners) listener(reasonOf(scope));
  }
}

/** Calls back, from the event loop, when a scope is cancelled. */
export function onCancel(
  scope: Scope,
  callback: (reason: unknown) => void,
): () => void {
  const listeners = scope.listeners ??= new Set();
  listeners.add(callback);
  return () => void listeners.delete(callback);
}

/**
 * Makes a scope one of those entered here. Whoever calls this has stored the slot
 * in it.
 *
 * @param object The object that has the scope.
 * @param address The scope.
 * @param limit When this thread is to cancel the scope.
 * @param owner What {@linkcode ownerOfCode} gives to what runs in it.
 */
export function admitScope(
  object: number,
  address: number,
  limit?: ScopeLimit,
  owner?: unknown,
): Scope {
  const scope: Scope = {
    object,
    address,
    over: false,
    listeners: undefined,
    reason: undefined,
    limit,
    owner,
  };
  entered.add(scope);
  if (limit !== undefined) {
    limited++;
    store(HINT, 1);
  }
  // Whoever cancels it stores its state before it looks which slot entered it.
  if (isScopeCancelled(address)) store(HINT, 1);
  return scope;
}

/** Undoes {@linkcode admitScope}; the slot in it is the caller's business. */
function dismissScope(scope: Scope): void {
  // Killed or ended, the thread has left all of its scopes.
  if (scope.over) return;
  scope.over = true;
  unlimit(scope);
  entered.delete(scope);
  scope.listeners = undefined;
  if (words[HINT] !== 0) settleHint();
}

/** Stores in a thread's scope that it has entered it, or has left it. */
function mark(object: number, address: number, slot: number): void {
  // Not just a store: a thread that is being killed must not write there.
  const isWhole = tryLock(object + Field.mutex);
  store(address + ScopeField.slot, slot);
  if (isWhole) unlock(object + Field.mutex);
}

/** The scope of the thread that begins to run here. */
export function enterThread(object: number, address: number): void {
  store(HINT, 0);
  mark(object, address, self);
  threadScope = admitScope(object, address);
}

/** The thread that ran here has ended, and with it all that it entered. */
export function leaveThread(): void {
  if (threadScope !== undefined) {
    mark(threadScope.object, threadScope.address, 0);
    dismissScope(threadScope);
  }
  for (const scope of entered) {
    scope.over = true;
    unlimit(scope);
    scope.listeners = undefined;
  }
  entered.clear();
  threadScope = undefined;
}

function flows(): AsyncLocalStorage<Flow> {
  return storage ??= new (builtIn("node:async_hooks").AsyncLocalStorage)();
}

/**
 * Runs a function in a scope that was admitted; what it calls, awaits and starts
 * belongs to that. The scope is dismissed when the function has returned, or its
 * promise is settled.
 *
 * @param scope The scope.
 * @param fn The function.
 * @param args What it is called with.
 * @returns What it returns.
 */
export function runInScope<A extends unknown[], R>(
  scope: Scope,
  fn: (...args: A) => R,
  args: A,
): R {
  let isAsync = false;
  try {
    const flow = { scope, shielded: false, tid };
    const result = flows().run(flow, fn, ...args);
    if (!isThenable(result)) return result;
    isAsync = true;
    return dismissAfter(scope, result as PromiseLike<unknown>) as R;
  } finally {
    if (!isAsync) dismissScope(scope);
  }
}

/** The owner of the scope that the code belongs to which calls this. */
export function ownerOfCode(): unknown {
  const flow = storage?.getStore();
  return flow?.tid === tid ? flow.scope?.owner : undefined;
}

async function dismissAfter<T>(
  scope: Scope,
  promise: PromiseLike<T>,
): Promise<T> {
  try {
    return await promise;
  } finally {
    dismissScope(scope);
  }
}

/** Runs a function, which may be async, whose waits are not cancelled. */
export function runShielded<T>(fn: () => T): T {
  const flow = storage?.getStore();
  const scope = flow?.tid === tid ? flow.scope : undefined;
  return flows().run({ scope, shielded: true, tid }, fn);
}

/**
 * Runs a function that blocks, and calls no code of the user's, for what must be
 * waited for in any case.
 */
export function runSheltered<T>(fn: () => T): T {
  sheltered++;
  try {
    return fn();
  } finally {
    sheltered--;
  }
}
