/**
 * The host: the main thread's care for the workers. A worker that a worker
 * starts would take half a second to boot (it waits for a debugger to announce
 * itself) and would die with it; so all workers belong to the main thread. It
 * looks at the slots whenever it is asked to (`Header.hostRequests`): from its
 * event loop, and from any of skein's blocking waits.
 *
 * A worker holds a web lock for as long as it lives, which matters twice:
 * `terminate` interrupts a busy loop only in a worker that holds one, and the
 * sentinel learns of a death by being granted the dead one's lock.
 *
 * @module
 */

import type { Worker } from "node:worker_threads";
import { builtIn, seam } from "../../_internal/built_in.ts";
import {
  moduleUrl,
  requireImport,
  startHelper,
  workerUrl,
} from "../../_internal/worker_module.ts";
import {
  birthCertificate,
  Dying,
  futex,
  Header,
  heapName,
  isMain,
  load,
  requestHost,
  self,
  Slot,
  SLOT_WORDS,
  slotAt,
  SlotState,
  store,
  TABLES,
  words,
} from "../_memory/heap.ts";
import {
  addDue,
  addOnWake,
  areWaitsWoken,
  listen,
  pendingWaits,
} from "../_memory/wait.ts";
import {
  claimDeath,
  claimRemains,
  died,
  outOfMemory,
  reap,
  takeSign,
  terminated,
  type WebLocks,
} from "./reaper.ts";
import { callbacks, isChangingHeap } from "../_memory/mutex.ts";
import { assign, freeSlot, nameOf } from "./thread_table.ts";
import type { AsyncLocalStorage } from "node:async_hooks";
import { ThreadingError } from "../errors.ts";
import { discard } from "../_memory/allocator.ts";
import { encode } from "../_codec/encode.ts";
import {
  checkMarks,
  type SendableClass,
  type SendableFunction,
} from "../_codec/sendable.ts";
import { draftEncoded, draftRecord } from "../_codec/record.ts";
import { SharedObject } from "../_memory/shared_object.ts";

const WORKER_URL = moduleUrl("threading/_worker");
/** A worker that could not be stopped between two sections in this time. */
const GROUND_PATIENCE_MS = 1000;
/**
 * How long a worker may run on. One that does not stop in this time is in a call of
 * the platform that cannot be interrupted, and stops behind it.
 */
const STOP_PATIENCE_MS = 1000;
/** Most stop in less than one millisecond, for which it is worth to wait. */
const LONGEST_REST_MS = 1;

const workers = new Map<number, Worker>();
let keepingAlive = false;
let seenRequests = 0;
let nextSerial = 1;

/** Starts the worker of a slot. */
function startWorker(slot: number): void {
  store(slot + Slot.state, SlotState.busy);
  words[slot + Slot.serial] = nextSerial++;
  const worker = createWorker(slot);
  workers.set(slot, worker);
  let error: unknown;
  worker.on("error", (reason: unknown) => error = reason);
  worker.on("exit", () => {
    if (workers.get(slot) !== worker) return;
    buryWorker(slot, error);
  });
  if (!keepingAlive) worker.unref();
  settleKeepAlive();
  listen(() => workers.size > 0 || pendingWaits() > 0);
}

/**
 * How much a thread's own JavaScript heap may hold, in MiB. Deno's limit is
 * 4096, and from 2048 on V8 keeps 2 MB more for each worker, used or not. The
 * flag
 * `--max-old-space-size` of V8 outdoes this limit as it does Deno's.
 */
const maxOldGenerationSizeMb = 1536;

function createWorker(slot: number): Worker {
  const { createWorker } = seam;
  if (createWorker !== undefined) {
    return createWorker(birthCertificate(slot)) as Worker;
  }
  const stackSize = words[Header.stackSize];
  const node = builtIn("node:worker_threads");
  return new node.Worker(workerUrl(WORKER_URL), {
    workerData: birthCertificate(slot),
    // The default, a copy, would ask for every environment variable.
    env: node.SHARE_ENV,
    // Without any limit, running out of memory ends the whole process.
    resourceLimits: stackSize === 0 ? { maxOldGenerationSizeMb } : {
      maxOldGenerationSizeMb,
      stackSizeMb: Math.ceil(stackSize / 2 ** 20),
    },
  });
}

/** What the sentinel must know of the memory. */
interface SentinelData {
  buffer: ArrayBufferLike;
  locks: string;
  at: {
    guardedWorkers: number;
    goneWorkers: number;
    usedSlots: number;
    slots: number;
    slotWords: number;
    guarded: number;
    gone: number;
    event: number;
  };
}

/**
 * What the sentinel runs; only its text gets there, so it is one function.
 *
 * It asks for the web lock of every worker, which the platform grants when the
 * worker runs no more. Shared, since the main thread may ask for it as well.
 */
function watchWorkers({ buffer, locks, at }: SentinelData): void {
  /** The time that the main thread has before all others are asked. */
  const PATIENCE_MS = 100;
  const words = new Int32Array(buffer);
  const webLocks: WebLocks = Reflect.get(navigator, "locks");
  /** Serial numbers of the workers whose locks were asked for, by slot. */
  const watched = new Map<number, number>();

  const slotAt = (index: number) => at.slots + index * at.slotWords;
  const wake = (slot: number) => {
    Atomics.add(words, slot + at.event, 1);
    Atomics.notify(words, slot + at.event);
  };
  const isThere = (slot: number, serial: number) =>
    Atomics.load(words, slot + at.guarded) === serial;

  function onWorkerEnd(slot: number, serial: number): void {
    // Most have been cleaned up after by now.
    if (!isThere(slot, serial)) return;
    Atomics.store(words, slot + at.gone, serial);
    Atomics.add(words, at.goneWorkers, 1);
    wake(slotAt(0));
    setTimeout(() => {
      if (!isThere(slot, serial)) return;
      const used = Atomics.load(words, at.usedSlots);
      for (let i = 1; i < used; i++) wake(slotAt(i));
    }, PATIENCE_MS);
  }

  function lookAround(): void {
    const used = Atomics.load(words, at.usedSlots);
    for (let i = 1; i < used; i++) {
      const slot = slotAt(i);
      const serial = Atomics.load(words, slot + at.guarded);
      if (serial === 0 || watched.get(slot) === serial) continue;
      watched.set(slot, serial);
      const name = `${locks} ${slot} ${serial}`;
      webLocks.request(name, { mode: "shared" }, () => {
        onWorkerEnd(slot, serial);
        return Promise.resolve();
      });
    }
  }

  (async () => {
    for (;;) {
      // A worker counts itself when it has got its lock.
      const count = Atomics.load(words, at.guardedWorkers);
      lookAround();
      const more = Atomics.waitAsync(words, at.guardedWorkers, count);
      if (more.async) await more.value;
    }
  })();
}

let hasSentinel = false;

/**
 * Starts the sentinel, once: the main thread has been blocked for long. Events
 * would tell it of the end of a worker, but only in its event loop. May be
 * called inside a critical section.
 */
function startSentinel(): boolean {
  if (hasSentinel || workers.size === 0) return true;
  // A worker that still boots cannot be watched.
  if (load(Header.guardedWorkers) === 0) return false;
  hasSentinel = true;
  const data: SentinelData = {
    buffer: words.buffer,
    locks: heapName,
    at: {
      guardedWorkers: Header.guardedWorkers,
      goneWorkers: Header.goneWorkers,
      usedSlots: Header.usedSlots,
      slots: TABLES,
      slotWords: SLOT_WORDS,
      guarded: Slot.guarded,
      gone: Slot.gone,
      event: Slot.event,
    },
  };
  try {
    const source = `const main = ${watchWorkers};`;
    startHelper("sentinel of @skein/std", source, data);
  } catch {
    // The platform has no room for it now.
    hasSentinel = false;
  }
  return hasSentinel;
}

/** Cleans up after a worker that has ended by itself. */
function buryWorker(slot: number, error: unknown): void {
  workers.delete(slot);
  if (claimRemains(slot)) {
    const thread = words[slot + Slot.thread];
    const name = thread === 0 ? "" : nameOf(thread);
    reap(slot, causeOf(error, name));
  } else if (load(slot + Slot.dying) === Dying.buried) {
    // Another thread is at it, and will ask for the slot to be set free.
    return;
  }
  freeSlot(slot);
  settleKeepAlive();
}

function causeOf(error: unknown, name: string): Error {
  // It leaves without an error, and unclaimed, see `reaper.ts`.
  if (error === undefined) return outOfMemory(name);
  const { code } = error as { code?: string };
  return code === "ERR_WORKER_OUT_OF_MEMORY"
    ? outOfMemory(name)
    : died(name, error);
}

/** Ends the worker of a slot by force. */
function endWorker(slot: number): void {
  const worker = workers.get(slot);
  workers.delete(slot);
  worker?.terminate();
}

/** A worker that was told to end, and may run on. */
interface Ending {
  slot: number;
  /** When to look next whether it has stopped, by `performance.now()`. */
  lookAt: number;
  /** How long to wait after that. */
  pause: number;
  /** It is not waited for any longer than until then. */
  deadline: number;
}

const endings = new Set<Ending>();
let alarm: ReturnType<typeof setTimeout> | undefined;

/**
 * Kills a thread that has not yet parked by itself. It ends when its worker has
 * stopped: until then it may write to what it has, and take locks.
 */
function killThread(slot: number): void {
  const deadline = performance.now() + GROUND_PATIENCE_MS;
  while (isChangingHeap(slot) && performance.now() < deadline) rest(0.05);
  endWorker(slot);
  const now = performance.now();
  const ending = {
    slot,
    lookAt: now,
    pause: 0.1,
    deadline: now + STOP_PATIENCE_MS,
  };
  endings.add(ending);
  for (;;) {
    buryStopped();
    if (!endings.has(ending)) return;
    if (ending.pause > LONGEST_REST_MS) break;
    rest(ending.lookAt - performance.now());
  }
  setAlarm();
}

/** Blocks for a time in which nothing else needs this thread. */
function rest(ms: number): void {
  // Nobody notifies this word.
  const word = self + Slot.waitsFor;
  futex.wait(words, word, words[word], ms);
}

/**
 * Cleans up after the killed threads whose workers have stopped.
 *
 * @returns When to look again, by `performance.now()`.
 */
function buryStopped(): number {
  let next = Infinity;
  if (endings.size === 0) return next;
  for (const ending of endings) {
    if (!hasStopped(ending)) {
      next = Math.min(next, ending.lookAt);
      continue;
    }
    endings.delete(ending);
    const { slot } = ending;
    const thread = words[slot + Slot.thread];
    reap(slot, terminated(thread === 0 ? "" : nameOf(thread)));
    freeSlot(slot);
    settleKeepAlive();
  }
  if (next === Infinity) clearTimeout(alarm);
  return next;
}

function hasStopped(ending: Ending): boolean {
  const now = performance.now();
  if (now < ending.lookAt) return false;
  ending.lookAt = now + ending.pause;
  ending.pause *= 1.5;
  return !takeSign(ending.slot) || now >= ending.deadline;
}

/** Has the event loop look again; a blocked thread does so by itself. */
function setAlarm(): void {
  clearTimeout(alarm);
  const next = buryStopped();
  if (next === Infinity) return;
  alarm = setTimeout(setAlarm, Math.max(0, next - performance.now()));
}

/** Looks at all slots if somebody asked for it. */
function attend(): void {
  const requests = load(Header.hostRequests);
  if (requests === seenRequests) return;
  seenRequests = requests;
  const used = words[Header.usedSlots];
  for (let i = 1; i < used; i++) attendSlot(slotAt(i));
  settleKeepAlive();
}

function attendSlot(slot: number): void {
  const state = load(slot + Slot.state);
  if (state === SlotState.free || state >= SlotState.left) return;
  if (state === SlotState.requested) startWorker(slot);
  const dying = load(slot + Slot.dying);
  // One that still boots looks by itself when it has.
  const mayKill = dying === Dying.asked && load(slot + Slot.guarded) !== 0;
  if (mayKill && claimDeath(slot, Dying.forced)) {
    killThread(slot);
  } else if (dying === Dying.parked) {
    endWorker(slot);
    freeSlot(slot);
  }
}

/**
 * Holds the event loop open while a thread lives that is not a daemon, or while
 * the main thread awaits something that another thread can bring about, or has
 * brought about already.
 */
export function settleKeepAlive(): void {
  const wanted = load(Header.liveThreads) > 0 ||
    (pendingWaits() > 0 &&
      (load(Header.allThreads) > 0 || areWaitsWoken()));
  if (wanted === keepingAlive) return;
  keepingAlive = wanted;
  for (const worker of workers.values()) {
    if (wanted) worker.ref();
    else worker.unref();
  }
}

if (isMain) {
  addOnWake(attend);
  addDue(buryStopped);
  callbacks.longWait = startSentinel;
  callbacks.pendingChange = () => {
    settleKeepAlive();
    listen(() => workers.size > 0 || pendingWaits() > 0);
  };
}

// Starting a thread, from any thread.

/** Set while this worker loads the modules that a new thread needs. */
let loading = false;
/** The same for what those modules do later: in a timer, behind an `await`. */
let loadedBy: AsyncLocalStorage<true> | undefined;

/**
 * Loads the modules that a new thread needs. Nothing that they begin may start
 * a thread: a program that starts its threads at its top level would do so
 * again in each of them, without an end. What the thread itself loads when it
 * runs may start some, since those threads come here in their turn.
 *
 * @param load Loads them.
 */
export async function whileLoading(
  load: () => Promise<void> | undefined,
): Promise<void> {
  loading = true;
  try {
    loadedBy ??= new (builtIn("node:async_hooks").AsyncLocalStorage)();
    await loadedBy.run(true, load);
  } finally {
    loading = false;
  }
}

/**
 * Refuses what code of a module begins that is being loaded for a new thread.
 *
 * @param what What that is, for messages: `start the thread Thread-1`.
 * @throws {ThreadingError} If this is such code.
 */
export function refuseWhileLoading(what: () => string): void {
  if (!loading && !loadedBy?.getStore()) return;
  throw new ThreadingError(
    `Cannot ${what()}: a thread is loading the module that starts it, and would start one more each time; put it under if (import.meta.main)`,
  );
}

/**
 * Starts a created thread.
 *
 * @param thread The Thread object.
 * @param job The function to run, with its arguments.
 * @param moduleUrl The module that its worker imports.
 * @throws {ThreadingError} If this is the code of a module that is being loaded
 * for a new thread.
 */
export function startThread(
  thread: number,
  job: CallJob | InstanceJob,
  moduleUrl: string | undefined,
): void {
  refuseWhileLoading(() => `start the thread ${nameOf(thread)}`);
  launchThread(thread, job, moduleUrl);
}

/**
 * Like {@linkcode startThread}, for whoever has asked
 * {@linkcode refuseWhileLoading} before.
 *
 * @param thread The Thread object.
 * @param job The function to run, with its arguments.
 * @param moduleUrl The module that its worker imports.
 * @param companion A node that stays with the thread, see {@linkcode assign};
 * a draft still if this throws. 0 for none.
 */
export function launchThread(
  thread: number,
  job: CallJob | InstanceJob,
  moduleUrl: string | undefined,
  companion = 0,
): void {
  requirePermissions(moduleUrl);
  const encoded = encode(job, "");
  checkMarks(encoded.sendables, "start the thread");
  const record = draftEncoded(encoded);
  let slot: number;
  try {
    slot = assign(thread, record, companion);
  } catch (error) {
    discard(record);
    throw error;
  }
  if (!isMain) {
    // The first thread that is not a daemon is to hold the process open.
    if (load(Header.liveThreads) === 1) requestHost();
  } else if (load(slot + Slot.state) === SlotState.requested) {
    startWorker(slot);
  } else {
    settleKeepAlive();
  }
}

// Jobs: what a thread runs, as it travels from the starter to the worker.

/** A function with its arguments. */
export interface CallJob {
  target: SendableFunction | undefined;
  args: unknown[];
}

/** An instance of a subclass of Thread, as its class and fields. */
export interface InstanceJob {
  constructor: SendableClass;
  fields: Record<string, unknown>;
  target: SendableFunction | undefined;
  args: unknown[];
}

/** Whether a job is an instance. */
export function isInstanceJob(job: CallJob | InstanceJob): job is InstanceJob {
  return Object.hasOwn(job, "fields");
}

// How `exit()` leaves a thread.

/** Thrown by `exit`; ends the thread silently if nobody catches it. */
export class ThreadExit extends Error {
  /** The name of the class. */
  override name = "ThreadExit";
}

// The fields of a Thread instance: they travel to the thread when it starts,
// and what `run` made of them travels back when it has ended.

type Fields = Record<string, unknown>;

/** The fields of an instance, as they are sent when it starts. */
export function fieldsOf(instance: object): Fields {
  return { ...instance };
}

/**
 * Encodes the fields that `run` may have changed: those that were assigned, and
 * copies, whose content may have changed. Fields that cannot be sent stay.
 *
 * @param instance The instance, after `run`.
 * @param before Its fields before.
 * @returns A record, or 0 if there is nothing to send.
 */
export function draftFields(instance: object, before: Fields): number {
  const changed: Fields = {};
  for (const [name, value] of Object.entries(instance)) {
    const same = Object.is(value, before[name]);
    if (!same || (isCopied(value) && isSendable(value))) changed[name] = value;
  }
  if (Object.keys(changed).length === 0) return 0;
  try {
    return draftRecord(changed);
  } catch {
    const sendable = Object.entries(changed).filter(([, v]) => isSendable(v));
    return draftRecord(Object.fromEntries(sendable));
  }
}

function isCopied(value: unknown): boolean {
  return typeof value === "object" && value !== null &&
    !(value instanceof SharedObject);
}

function isSendable(value: unknown): boolean {
  try {
    encode(value);
    return true;
  } catch {
    return false;
  }
}

// Permissions

const WHAT = "start a thread";

/**
 * Makes sure that a worker can load skein and a module.
 *
 * @param moduleUrl The module, if there is one.
 * @throws {Deno.errors.NotCapable} If it is not allowed.
 */
export function requirePermissions(moduleUrl: string | undefined): void {
  requireImport(WORKER_URL.href, WHAT);
  if (moduleUrl !== undefined) requireImport(moduleUrl, WHAT);
}
