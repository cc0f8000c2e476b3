/**
 * A worker runs several threads, one after the other. This file keeps them
 * apart.
 *
 * Timers and listeners that a thread leaves behind are taken away when it ends,
 * and its worker is used again. Other things cannot be taken away, so they end
 * with the worker: ports and channels, servers and connections, files,
 * children, workers, listeners of `process`. So do timers and listeners that a
 * module made when it was loaded: the next thread, which does not load the
 * module again, would miss them.
 *
 * What modules keep in variables, or change in global objects, stays as long as
 * the worker. So does an operation without a resource that was not awaited (a
 * digest, `Deno.readFile`, `Atomics.waitAsync`): Deno shows it only to the
 * tracing of leaks, which takes a stack trace, 2 to 4 us, for each operation of
 * every thread. The README says to await it.
 *
 * @module
 */

import { endThread } from "../_memory/wait.ts";
import { builtIn, deno } from "../../_internal/built_in.ts";
import { openResources, unrefTimer } from "../../_internal/runtime.ts";
import { setAsOwn } from "../../_internal/worker_module.ts";

// deno-lint-ignore no-explicit-any
type Callable = (...args: any[]) => any;

/** Puts another function in the place of a method. */
function replace(target: object, name: string, value: Callable): void {
  const native = Reflect.get(target, name);
  Object.defineProperties(value, Object.getOwnPropertyDescriptors(native));
  Object.defineProperty(target, name, {
    value,
    writable: true,
    configurable: true,
  });
}

/** For each timer that has not ended, however it was made: what ends it. */
const timers = new Map<number, () => void>();
/** Whether something was made that goes on in the event loop. */
let turns = false;

function trackTimers(): void {
  // Taken here, where it is needed: reading them loads Deno's module for them,
  // which takes 10 ms. Code of the user may put others in their place.
  const clearTimeout: Callable = globalThis.clearTimeout;
  const clearImmediate: Callable = globalThis.clearImmediate;
  builtIn("node:async_hooks").createHook({
    init(id, type, _trigger, timer) {
      turns = true;
      if (type === "Timeout") timers.set(id, () => clearTimeout(timer));
      if (type === "Immediate") timers.set(id, () => clearImmediate(timer));
    },
    destroy(id) {
      timers.delete(id);
    },
  }).enable();
  // The platform's own has a timer that nobody can see.
  replace(AbortSignal, "timeout", timeoutSignal(globalThis.setTimeout));
}

/** The longest time that a timer takes, in milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;

/** `AbortSignal.timeout`, with a timer that is tracked. */
function timeoutSignal(setTimeout: typeof globalThis.setTimeout) {
  return (ms: number): AbortSignal => {
    if (!(Number(ms) >= 0 && Number(ms) <= Number.MAX_SAFE_INTEGER)) {
      throw new TypeError(
        `Cannot make a signal: the timeout must be a number from 0, received ${ms}`,
      );
    }
    const controller = new AbortController();
    if (ms <= LONGEST_MS) {
      const timer = setTimeout(() => {
        const message = "The operation was aborted due to timeout";
        controller.abort(new DOMException(message, "TimeoutError"));
      }, ms);
      unrefTimer(timer);
    }
    return controller.signal;
  };
}

/** A listener, with all that is needed to remove it. */
interface Listening {
  args: unknown[];
  capture: boolean;
  remove(): void;
}

const listenings: Listening[] = [];

function trackListeners(
  target: object,
  names: { add: string; remove: string },
): void {
  const add: Callable = Reflect.get(target, names.add);
  const remove: Callable = Reflect.get(target, names.remove);
  const find = (args: unknown[]) =>
    listenings.findIndex((other) =>
      other.args[0] === args[0] && other.args[1] === args[1] &&
      other.capture === isCapture(args[2])
    );
  replace(target, names.add, (...args) => {
    add.apply(target, args);
    if (find(args) !== -1) return;
    listenings.push({
      args,
      capture: isCapture(args[2]),
      remove: () => remove.apply(target, args),
    });
  });
  replace(target, names.remove, (...args) => {
    remove.apply(target, args);
    const index = find(args);
    if (index !== -1) listenings.splice(index, 1);
  });
}

function isCapture(options: unknown): boolean {
  return typeof options === "object"
    ? Boolean((options as AddEventListenerOptions | null)?.capture)
    : Boolean(options);
}

/** Workers that code of this worker started and that have not ended. */
const nested = new Set<{ terminate(): unknown }>();
/** Workers and such that are skein's own. */
const owned = new WeakSet<object>();

function trackWorkers(process: Emitter): void {
  process.on("worker", (worker: Emitter & Worker) => {
    if (owned.has(worker)) return;
    nested.add(worker);
    worker.on("exit", () => nested.delete(worker));
  });
  const { Worker } = globalThis;
  if (Worker === undefined) return;
  const { terminate } = Worker.prototype;
  replace(Worker.prototype, "terminate", function (this: Worker) {
    nested.delete(this);
    terminate.call(this);
  });
  globalThis.Worker = new Proxy(Worker, {
    construct(target, args, newTarget) {
      const worker = Reflect.construct(target, args, newTarget);
      nested.add(worker);
      return worker;
    },
  });
}

/** As much of `process` and of workers as is needed. */
interface Emitter {
  on(name: string, listener: Callable): void;
  eventNames(): (string | symbol)[];
  listenerCount(name: string | symbol): number;
}

/** Whether `process` may have other listeners than in the beginning. */
let isProcessTouched = () => false;

function trackProcess(process: Emitter): void {
  const count = () =>
    process.eventNames().reduce((sum, n) => sum + process.listenerCount(n), 0);
  let added = false;
  process.on("newListener", () => added = true);
  const watchers = process.listenerCount("newListener");
  const listeners = count();
  isProcessTouched = () => {
    // Somebody may have removed all of them, the watcher included.
    if (!added && process.listenerCount("newListener") === watchers) {
      return false;
    }
    added = false;
    return count() !== listeners;
  };
}

/**
 * The open resources of this worker, and the open handles of Node's own
 * networking. There is no better way to know; it takes half a microsecond.
 */
let resources = (): Record<string, unknown> => ({});
let openHandles = (): unknown[] => [];
/** Those that are skein's own. */
const ownResources = new Set<string>();

function trackResources(process: object): void {
  resources = openResources;
  // In Node these are among the resources.
  if (deno !== undefined) {
    openHandles = Reflect.get(process, "_getActiveHandles");
  }
}

/** Starts to track what the code of this worker leaves behind. */
export function trackLeftovers(): void {
  const process = Reflect.get(globalThis, "process");
  trackTimers();
  if (deno !== undefined) {
    trackListeners(globalThis, {
      add: "addEventListener",
      remove: "removeEventListener",
    });
    trackListeners(deno, {
      add: "addSignalListener",
      remove: "removeSignalListener",
    });
  }
  trackWorkers(process);
  trackProcess(process);
  trackResources(process);
  setAsOwn((make) => {
    const before = resources();
    const made = make();
    owned.add(made);
    noteOwn(before);
    return made;
  });
}

/** Marks all resources that are open now, but were not before, as skein's. */
export function noteOwn(before: Record<string, unknown> = {}): void {
  for (const resource of Object.keys(resources())) {
    if (!Object.hasOwn(before, resource)) ownResources.add(resource);
  }
  timers.clear();
}

/** Timers and listeners that modules made when they were loaded. */
let loadedTimers: number[] = [];
let loadedListenings: Listening[] = [];

/**
 * A module could not be loaded here. It and what it imports would fail again,
 * or worse, be there in half, so the worker ends with its thread.
 */
export function noteBroken(): void {
  isCrippling = true;
}

/** Notes that modules have just been loaded: they made the present leftovers. */
export function noteLoaded(): void {
  if (timers.size > 0) loadedTimers = [...timers.keys()];
  if (listenings.length > 0) loadedListenings = [...listenings];
}

/** Whether something was taken away that a module would need. */
let isCrippling = false;

function noteCrippling(): void {
  isCrippling ||= loadedTimers.some((timer) => timers.has(timer)) ||
    loadedListenings.some((listening) => listenings.includes(listening));
  if (loadedTimers.length > 0) loadedTimers = [];
  if (loadedListenings.length > 0) loadedListenings = [];
}

const handlers = globalThis as {
  onmessage?: unknown;
  onerror?: unknown;
  onunhandledrejection?: unknown;
};

let lingering: Promise<void> | undefined;

/** Has the worker wait, when a thread has ended, before it runs the next one. */
export function linger(until: Promise<void>): void {
  lingering = Promise.all([lingering, until]).then(() => {});
}

/** A promise for which the worker must wait before it runs the next thread. */
export function takeLingering(): Promise<void> | undefined {
  const until = lingering;
  lingering = undefined;
  return until;
}

/** Whether something was begun that only the event loop can go on with. */
export function hasOpenEnds(): boolean {
  if (timers.size > 0 || openHandles().length > 0) return true;
  for (const resource in resources()) {
    if (!ownResources.has(resource)) return true;
  }
  return false;
}

/** Ends the timers and immediates of the thread that runs here. */
export function endTimers(): void {
  for (const end of timers.values()) end();
  timers.clear();
}

/** Takes away whatever can be taken away of an ended thread's leftovers. */
export function clearLeftovers(): void {
  noteCrippling();
  endTimers();
  // Their own timers are to run, see `linger`.
  endThread();
  for (const { remove } of listenings) remove();
  listenings.length = 0;
  if (handlers.onmessage) handlers.onmessage = null;
  if (handlers.onerror) handlers.onerror = null;
  if (handlers.onunhandledrejection) handlers.onunhandledrejection = null;
}

/**
 * Whether the ended thread may have begun something that shows only after a
 * turn of the event loop.
 */
export function needsTurn(): boolean {
  const needed = turns;
  turns = false;
  return needed;
}

/** Whether the worker can be used again. */
export function isClean(): boolean {
  if (isCrippling) return false;
  if (nested.size > 0) {
    // They do not end with the worker that started them.
    for (const worker of nested) worker.terminate();
    return false;
  }
  const open = resources();
  for (const resource in open) {
    if (ownResources.has(resource)) continue;
    // The listener for late signals, which goes before another thread comes.
    if (open[resource] === "signal" && lingering !== undefined) continue;
    return false;
  }
  return openHandles().length === 0 && !isProcessTouched();
}
