/**
 * Keeping apart the threads that run in one worker, one after the other: what
 * a thread leaves behind in the event loop goes when it ends.
 *
 * @module
 */

type Listener = Parameters<typeof globalThis.addEventListener>;

const timers = new Set<unknown>();
const listeners: Listener[] = [];

// deno-lint-ignore no-explicit-any
type Timer = (...args: any[]) => any;

function trackTimers(
  name: "setTimeout" | "setInterval",
): void {
  const native: Timer = globalThis[name];
  const tracked: Timer = (...args) => {
    const timer = native(...args);
    timers.add(timer);
    return timer;
  };
  // Keeps `setTimeout[util.promisify.custom]` and the like.
  Object.defineProperties(tracked, Object.getOwnPropertyDescriptors(native));
  Object.defineProperty(globalThis, name, { value: tracked, writable: true });
}

function trackListeners(): void {
  const { addEventListener, removeEventListener } = globalThis;
  Object.defineProperty(globalThis, "addEventListener", {
    value: (...listener: Listener) => {
      listeners.push(listener);
      addEventListener.apply(globalThis, listener);
    },
    writable: true,
  });
  removeAll = () => {
    for (const [type, callback, options] of listeners) {
      removeEventListener.call(globalThis, type, callback, options);
    }
    listeners.length = 0;
  };
}
let removeAll = () => {};

/** The timers and listeners of this worker are tracked from now on. */
export function trackLeftovers(): void {
  trackTimers("setTimeout");
  trackTimers("setInterval");
  trackListeners();
  trackSignals();
}

const signals: Parameters<typeof Deno.addSignalListener>[] = [];

function trackSignals(): void {
  const { addSignalListener } = Deno;
  Object.defineProperty(Deno, "addSignalListener", {
    value: (...listener: typeof signals[number]) => {
      addSignalListener(...listener);
      signals.push(listener);
    },
    writable: true,
    configurable: true,
  });
}

const endings: (() => void)[] = [];

/** Adds what else is to be cleared when a thread of this worker has ended. */
export function onThreadEnd(callback: () => void): void {
  endings.push(callback);
}

/** Ends what the thread that has ended left behind. */
export function clearLeftovers(): void {
  for (const ending of endings) ending();
  if (timers.size > 0) {
    for (const timer of timers) clearTimeout(timer as number);
    timers.clear();
  }
  if (listeners.length > 0) removeAll();
  if (signals.length > 0) {
    for (const listener of signals) Deno.removeSignalListener(...listener);
    signals.length = 0;
  }
  for (const property of ["onmessage", "onerror", "onunhandledrejection"]) {
    if (Reflect.get(globalThis, property)) {
      Reflect.set(globalThis, property, null);
    }
  }
}
