/**
 * Keeping apart the threads that run in one worker, one after the other: what
 * a thread leaves behind in the event loop goes when it ends.
 *
 * @module
 */

// deno-lint-ignore no-explicit-any
type Callable = (...args: any[]) => any;

/** Puts another function in the place of a global one. */
function replace(target: object, name: string, value: Callable): void {
  const native = Reflect.get(target, name);
  // Keeps `setTimeout[util.promisify.custom]` and the like.
  Object.defineProperties(value, Object.getOwnPropertyDescriptors(native));
  Object.defineProperty(target, name, {
    value,
    writable: true,
    configurable: true,
  });
}

/** The timers that have not ended, with what ends them. */
const timers = new Map<unknown, Callable>();

function trackTimers(kind: "Timeout" | "Interval"): void {
  const set: Callable = Reflect.get(globalThis, `set${kind}`);
  const clear: Callable = Reflect.get(globalThis, `clear${kind}`);
  replace(globalThis, `set${kind}`, (callback: Callable, ...args) => {
    const isOnce = kind === "Timeout" && typeof callback === "function";
    const tracked: Callable = isOnce
      ? function (this: unknown, ...args) {
        timers.delete(timer);
        return callback.apply(this, args);
      }
      : callback;
    const timer = set(tracked, ...args);
    timers.set(timer, clear);
    return timer;
  });
  replace(globalThis, `clear${kind}`, (timer) => {
    timers.delete(timer);
    clear(timer);
  });
}

/** What was listened to, as it is to be removed. */
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

/** The timers and listeners of this worker are tracked from now on. */
export function trackLeftovers(): void {
  trackTimers("Timeout");
  trackTimers("Interval");
  trackListeners(globalThis, {
    add: "addEventListener",
    remove: "removeEventListener",
  });
  trackListeners(Deno, {
    add: "addSignalListener",
    remove: "removeSignalListener",
  });
}

const endings: (() => void)[] = [];

/** Adds what else is to be cleared when a thread of this worker has ended. */
export function onThreadEnd(callback: () => void): void {
  endings.push(callback);
}

let lingering: Promise<void> | undefined;

/** Has the worker wait, when a thread has ended, before it runs the next one. */
export function linger(until: Promise<void>): void {
  lingering = Promise.all([lingering, until]).then(() => {});
}

/** What the worker has to wait for before it runs the next thread. */
export function takeLingering(): Promise<void> | undefined {
  const until = lingering;
  lingering = undefined;
  return until;
}

/** Ends what the thread that has ended left behind. */
export function clearLeftovers(): void {
  for (const ending of endings) ending();
  for (const [timer, clear] of timers) clear(timer);
  timers.clear();
  for (const { remove } of listenings) remove();
  listenings.length = 0;
  for (const property of ["onmessage", "onerror", "onunhandledrejection"]) {
    if (Reflect.get(globalThis, property)) {
      Reflect.set(globalThis, property, null);
    }
  }
}
