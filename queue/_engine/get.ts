/**
 * Getting items, in all forms.
 *
 * The fast path takes one item at the open head of a ring, the slow path has the
 * queue's mutex. An item is read after that, since reading may run code of the
 * user's or fail. If it needs a module that this thread cannot load while it
 * blocks, it goes back to where it was. A queue with hooks runs them in a
 * transaction instead (`custom_order.ts`) and waits the same way.
 *
 * @module
 */

import * as custom from "./custom_order.ts";
import {
  addOnWake,
  discard,
  load,
  lock,
  Node,
  type Protocol,
  type SharedObject,
  type Surrender,
  unlock,
  waitEpoch,
  waitPromise,
  waitSync,
  Wake,
  words,
} from "../../threading/_ground.ts";
import {
  dropRecord,
  loadModulesOf,
  ModuleNotLoaded,
  readRecord,
} from "../../threading/_threads.ts";
import { empty, explained, GET, getShutDown } from "../errors.ts";
import { type Hooked, hooked, isCustom } from "./custom_list.ts";
import {
  type Delivering,
  loadParcel,
  readDelivery,
  readParcel,
  settle,
} from "./deliveries.ts";
import { takeFromNode, takeOut } from "./items.ts";
import {
  NO_ROOM,
  Put,
  QueueField,
  readReceived,
  taken,
  UNREAD,
  WaitFlag,
} from "./layout.ts";
import {
  areOpen,
  close,
  enter,
  isEmptyAtHead,
  isTimeToLook,
  isWasteful,
  isWastefulAtHead,
  leave,
  LOOKS,
  mayBeOpen,
  open,
  pause,
  shrink,
  sizeOf,
  takeAtHead,
} from "./ring.ts";
import {
  admitDue,
  admitOne,
  admitPutters,
  availableIn,
  decline,
  endPatient,
  feedGetters,
  mayComeBack,
  releaseHanded,
  returnTaken,
  spareIn,
  takeTurn,
  tick,
  undoWake,
  withdraw,
} from "./waiters.ts";

/** What {@linkcode tryGet} returns when there is no item. */
export const NOTHING: unique symbol = Symbol("nothing");

/** Takes the head's mutex if the ends are open; whether they are. */
export function enterHead(queue: number): boolean {
  if (!mayBeOpen(queue)) return false;
  lock(queue + QueueField.headMutex);
  if (areOpen(queue)) return true;
  unlock(queue + QueueField.headMutex);
  return false;
}

/**
 * Takes the next item if there is one; it may be `UNREAD`.
 *
 * @param patient Whether it waits for what may come back after a shutdown.
 */
export function tryGet(queue: number, patient = false): unknown {
  if (!enterHead(queue)) return tryGetClosed(queue, patient);
  if (isEmptyAtHead(queue)) {
    unlock(queue + QueueField.headMutex);
    return NOTHING;
  }
  const value = takeAtHead(queue);
  const wasteful = isTimeToLook(queue) && isWastefulAtHead(queue);
  unlock(queue + QueueField.headMutex);
  if (wasteful) shrink(queue);
  return value;
}

function tryGetClosed(queue: number, patient: boolean): unknown {
  enterClosed(queue);
  if (spareIn(queue) <= 0) {
    const ended = hasEnded(queue, patient);
    leave(queue);
    if (ended) throw getShutDown();
    return NOTHING;
  }
  const value = takeOut(queue);
  afterTaking(queue);
  const wasteful = isWasteful(queue);
  leave(queue);
  if (wasteful) shrink(queue);
  return value;
}

/** Takes the queue's mutex, closes the ends, and puts back what is due. */
export function enterClosed(queue: number): void {
  enter(queue);
  if (words[queue + QueueField.delayed] !== 0) admitDue(queue);
  admitOne(queue);
}

/** Under the mutex, with no item there: whether a get ends with `ShutDown`. */
export function hasEnded(queue: number, patient: boolean): boolean {
  return words[queue + QueueField.shutDown] !== 0 &&
    !(patient && mayComeBack(queue));
}

/** Under the mutex, with closed ends, after an item was taken. */
export function afterTaking(queue: number): void {
  if (words[queue + QueueField.putters] !== 0) admitPutters(queue);
  if (words[queue + QueueField.shutDown] !== 0) endPatient(queue);
}

/** Reads the item taken, or puts it back if its module must be awaited. */
export function readTaken(queue: number): unknown {
  const { parcel, record, length, entry, beginning, sequence } = taken;
  let value: unknown;
  if (parcel !== 0) {
    try {
      value = readParcel(queue, parcel);
    } catch (error) {
      throw explained(error);
    }
    return value;
  }
  if (length !== 0) return readReceived(0, length);
  try {
    value = readRecord(record);
  } catch (error) {
    if (error instanceof ModuleNotLoaded) {
      Object.assign(taken, { record, entry, beginning, sequence });
      if (returnTaken(queue)) throw explained(error);
    }
    drop(record, entry);
    throw explained(error);
  }
  drop(record, entry);
  return value;
}

/** Gives back the record and the entry of an item that was taken. */
export function drop(record: number, entry: number): void {
  dropRecord(record);
  if (entry !== 0) discard(entry);
}

/** Gets an item, and blocks until there is one. */
export function getSync(
  handle: SharedObject,
  queue: number,
  timeout: number,
  patient = false,
): unknown {
  return isCustom(queue)
    ? getCustomSync(hooked(handle), queue, 1, timeout, patient)[0]
    : getOneSync(queue, timeout, patient);
}

export function getOneSync(
  queue: number,
  timeout: number,
  patient = false,
): unknown {
  const hasRoom = words[queue + QueueField.limit] !== NO_ROOM;
  let value = tryGet(queue, patient);
  if (value === NOTHING && hasRoom) value = spin(queue, patient);
  if (value !== NOTHING) return value === UNREAD ? readTaken(queue) : value;
  const protocol = patient
    ? patientProtocol
    : hasRoom
    ? getProtocol
    : roomlessProtocol;
  const end = waitSync(protocol, queue, QueueField.getters, timeout, GET);
  if (end === Wake.granted) {
    got.fresh = false;
    return got.value === UNREAD ? readTaken(queue) : got.value;
  }
  throw end === Wake.waiting ? empty(timeout) : getShutDown();
}

/** Spins until there is an item, but not if others wait: they come first. */
function spin(queue: number, patient: boolean): unknown {
  let value: unknown = NOTHING;
  for (let looks = 0; looks < LOOKS && value === NOTHING; looks++) {
    if (load(queue + QueueField.getters) !== 0) break;
    const found = sizeOf(queue) > 0 || load(queue + QueueField.putters) !== 0;
    if (found) value = tryGet(queue, patient);
    else pause();
  }
  return value;
}

/** Gets an item if there is one. */
export function getNowait(handle: SharedObject, queue: number): unknown {
  return isCustom(queue)
    ? getCustomNowait(hooked(handle), queue, 1)[0]
    : getOneNowait(queue);
}

export function getOneNowait(queue: number): unknown {
  const value = tryGet(queue);
  if (value === NOTHING) throw empty();
  return value === UNREAD ? readTaken(queue) : value;
}

/** The outcome of reading an item without waiting. */
export interface Reading {
  value?: unknown;
  error?: unknown;
  failed?: boolean;
  /** Set if modules must be loaded first: the parcel or the drafts are kept. */
  parcel?: number;
  record?: number;
  entry?: number;
}

/** Reads the item taken, unless its module must be awaited. */
export function readAtOnce(queue: number, value: unknown): Reading {
  if (value !== UNREAD) return { value };
  const { parcel, record, length, entry } = taken;
  const reading: Reading = {};
  if (parcel !== 0) {
    try {
      reading.value = readDelivery(queue, parcel);
    } catch (error) {
      if (error instanceof ModuleNotLoaded) return { parcel };
      reading.error = error;
      reading.failed = true;
    }
    settle(queue, parcel, false);
    return reading;
  }
  if (length !== 0) return { value: readReceived(0, length) };
  try {
    reading.value = readRecord(record);
  } catch (error) {
    if (error instanceof ModuleNotLoaded) return { record, entry };
    reading.error = error;
    reading.failed = true;
  }
  drop(record, entry);
  return reading;
}

/** Reads an item whose modules may have to be loaded first. */
export async function finish(
  queue: number,
  reading: Reading,
): Promise<unknown> {
  const { parcel, record, entry = 0 } = reading;
  if (reading.failed) throw reading.error;
  if (parcel !== undefined) return loadParcel(queue, parcel);
  if (record === undefined) return reading.value;
  try {
    await loadModulesOf(record);
    return readRecord(record);
  } finally {
    drop(record, entry);
  }
}

/** Gets an item without blocking the thread. */
export async function get(
  handle: SharedObject,
  queue: number,
  timeout: number,
  signal: AbortSignal | undefined,
  patient = false,
): Promise<unknown> {
  if (!isCustom(queue)) return getOne(queue, timeout, signal, patient);
  const items = await getCustom(
    hooked(handle),
    queue,
    1,
    timeout,
    signal,
    patient,
  );
  return items[0];
}

export async function getOne(
  queue: number,
  timeout: number,
  signal: AbortSignal | undefined,
  patient = false,
): Promise<unknown> {
  const value = tryGet(queue, patient);
  if (value === UNREAD) return finish(queue, readAtOnce(queue, value));
  if (value !== NOTHING) return value;
  let reading: Reading | undefined;
  const end = await waitToGet(
    patient ? patientProtocol : getProtocol,
    queue,
    { timeout, signal, timeoutError: () => empty(timeout) },
    () => {
      if (!got.fresh) return;
      got.fresh = false;
      reading = readAtOnce(queue, got.value);
    },
  );
  if (end !== Wake.granted) throw getShutDown();
  return finish(queue, reading!);
}

/** Waits in the line of the gets, in the promise form. */
export function waitToGet(
  protocol: Protocol,
  queue: number,
  surrender: Surrender,
  inspect?: () => void,
): Promise<number> {
  watch(queue);
  const ending = waitPromise(
    protocol,
    queue,
    QueueField.getters,
    surrender,
    inspect,
  );
  // As for a blocked thread, which sleeps no longer than until then.
  attendDelays();
  const done = () => unwatch(queue);
  ending.then(done, done);
  return ending;
}

/** The queues at which tasks of this thread wait to get, and how many do. */
const watched = new Map<number, number>();
let watchedEpoch = 0;
let alarm: ReturnType<typeof setTimeout> | undefined;
let alarmAt = Infinity;

/** A task of this thread waits to get from a queue. */
export function watch(queue: number): void {
  if (watchedEpoch !== waitEpoch) {
    // Those were the waits of a thread that has ended, and its timer.
    watchedEpoch = waitEpoch;
    watched.clear();
    alarm = undefined;
    alarmAt = Infinity;
  }
  watched.set(queue, (watched.get(queue) ?? 0) + 1);
}

/** One of them waits no more. */
export function unwatch(queue: number): void {
  const left = (watched.get(queue) ?? 0) - 1;
  if (left > 0) {
    watched.set(queue, left);
    return;
  }
  watched.delete(queue);
  if (watched.size > 0 || alarm === undefined) return;
  clearTimeout(alarm);
  alarm = undefined;
  alarmAt = Infinity;
}

/** Puts back what is due where this thread's tasks wait, and sets a timer. */
export function attendDelays(): void {
  if (watched.size === 0 || watchedEpoch !== waitEpoch) return;
  let next = Infinity;
  for (const queue of watched.keys()) next = Math.min(next, tick(queue));
  if (next >= alarmAt || next === Infinity) return;
  clearTimeout(alarm);
  alarmAt = next;
  alarm = setTimeout(() => {
    alarm = undefined;
    alarmAt = Infinity;
    attendDelays();
  }, Math.max(0, Math.ceil(next - performance.now())));
}

// Whoever delays an item wakes those who wait.
addOnWake(attendDelays);

/** What a get that waited took last; its drafts are in `taken`. */
export const got: { value: unknown; fresh: boolean } = {
  value: undefined,
  fresh: false,
};

/** Takes what a node was handed; it may be `UNREAD`. */
export function takeHanded(queue: number, node: number): unknown {
  const value = takeFromNode(queue, node);
  releaseHanded(queue, node);
  endPatient(queue);
  return value;
}

/**
 * In the critical section of a get that waits, or is about to: takes an item.
 *
 * @param take Takes the item that there is.
 * @param takeHanded Takes the one that the node was handed.
 * @returns How the wait ends, or `Wake.waiting`.
 */
export function takeForWaiter(
  queue: number,
  node: number,
  patient: boolean,
  take: (queue: number) => void,
  takeHanded: (queue: number, node: number) => void,
): number {
  if (words[node + Node.flags] & WaitFlag.handed) {
    takeHanded(queue, node);
    return Wake.granted;
  }
  close(queue);
  if (words[queue + QueueField.delayed] !== 0) admitDue(queue);
  admitOne(queue);
  const isNext = takeTurn(node);
  if ((isNext ? availableIn(queue) : spareIn(queue)) <= 0) {
    // Somebody in line has given something back that nobody else could take.
    if (availableIn(queue) > 0) feedGetters(queue);
    if (hasEnded(queue, patient)) return Wake.refused;
    if (patient) words[node + Node.flags] |= WaitFlag.patient;
    return Wake.waiting;
  }
  take(queue);
  admitPutters(queue);
  feedGetters(queue);
  endPatient(queue);
  open(queue);
  return Wake.granted;
}

function protocolOf(patient: boolean): Protocol {
  const take = (queue: number) => {
    got.value = takeOut(queue);
    got.fresh = true;
  };
  const takeNode = (queue: number, node: number) => {
    got.value = takeHanded(queue, node);
    got.fresh = true;
  };
  return {
    take: (queue, node) => takeForWaiter(queue, node, patient, take, takeNode),
    withdraw,
    undo: undoWake,
    decline,
    tick,
  };
}

/** How a get waits; what it gets is in {@linkcode got}. */
export const getProtocol: Protocol = protocolOf(false);
/**
 * The same at a queue without room. A put hands its item only to somebody in line,
 * so a get looks for it from there, before it sleeps.
 */
const roomlessProtocol: Protocol = { ...getProtocol, spins: 2000 };
/** How a get waits that goes on after a shutdown while items may come back. */
const patientProtocol = protocolOf(true);

/** Gets up to `n` items, and blocks until there is one. */
export function getCustomSync(
  handle: Hooked,
  queue: number,
  n: number,
  timeout: number,
  patient?: boolean,
  into?: Delivering,
): unknown[] {
  const deadline = custom.deadlineOf(timeout);
  try {
    for (;;) {
      const items = custom.tryGet(handle, queue, n, patient === true, into);
      if (items.length > 0) return custom.getMore(handle, queue, n, items);
      const wait = new custom.GetWait(handle, patient === true, into);
      const end = custom.waitBlocked(
        wait,
        queue,
        QueueField.getters,
        deadline,
        GET,
      );
      if (end === Put.done) {
        return custom.getMore(handle, queue, n, [wait.read(queue)]);
      }
      if (end === Put.again) continue;
      if (end === Wake.waiting) throw empty(timeout);
      throw end === Put.failed ? wait.error : getShutDown();
    }
  } catch (error) {
    throw explained(error, GET);
  }
}

/** Gets up to `n` items if there are any. */
export function getCustomNowait(
  handle: Hooked,
  queue: number,
  n: number,
  patient?: boolean,
  into?: Delivering,
): unknown[] {
  try {
    const items = custom.tryGet(handle, queue, n, patient === true, into);
    if (items.length > 0) return custom.getMore(handle, queue, n, items);
  } catch (error) {
    throw explained(error, GET);
  }
  throw empty();
}

/** Gets up to `n` items without blocking the thread. */
export async function getCustom(
  handle: Hooked,
  queue: number,
  n: number,
  timeout: number,
  signal: AbortSignal | undefined,
  patient?: boolean,
  into?: Delivering,
): Promise<unknown[]> {
  const deadline = custom.deadlineOf(timeout);
  for (;;) {
    try {
      const items = custom.tryGet(handle, queue, n, patient === true, into);
      if (items.length > 0) return custom.getMore(handle, queue, n, items);
    } catch (error) {
      await custom.loadModuleOf(error);
      continue;
    }
    const wait = new custom.GetWait(handle, patient === true, into);
    const end = await waitToGet(wait, queue, {
      timeout: custom.leftUntil(deadline),
      signal,
      timeoutError: () => empty(timeout),
    });
    if (end === Put.done) {
      try {
        return custom.getMore(handle, queue, n, [wait.read(queue)]);
      } catch (error) {
        await custom.loadModuleOf(error);
        continue;
      }
    }
    if (end === Put.again) continue;
    await custom.loadModuleOf(end === Put.failed ? wait.error : getShutDown());
  }
}
