/**
 * Getting from a queue without hooks.
 *
 * @module
 */

import { discard } from "../threading/_memory/allocator.ts";
import { ModuleNotLoaded } from "../threading/_memory/codec/registry.ts";
import { load, words } from "../threading/_memory/heap.ts";
import { lock, unlock } from "../threading/_memory/mutex.ts";
import {
  dropRecord,
  loadModulesOf,
  readRecord,
} from "../threading/_memory/record.ts";
import { waitPromise } from "../threading/_memory/wait_promise.ts";
import { Wake } from "../threading/_memory/wait_queue.ts";
import { waitSync } from "../threading/_memory/wait_sync.ts";
import { ThreadingError } from "../threading/errors.ts";
import { areOpen, enter, leave, sizeOf } from "./_ends.ts";
import { Empty, ShutDown } from "./errors.ts";
import { QueueField } from "./_fields.ts";
import { isEmptyAtHead, isWastefulAtHead, takeAtHead } from "./_head.ts";
import { readReceived } from "./_message.ts";
import { isWasteful, shrink } from "./_places.ts";
import { admitPutters, availableIn } from "./_serve.ts";
import { LOOKS, pause } from "./_spin.ts";
import { taken, takeOut, UNREAD } from "./_take.ts";
import { getProtocol, got, returnTaken } from "./_waiting.ts";

/** What is done, for messages. */
export const GET = "get an item";

/** The error of a get from an empty queue. */
export function empty(timeout?: number): Empty {
  return new Empty(
    `Cannot ${GET}: the queue is empty${
      timeout === undefined ? "" : `, and ${timeout} ms have passed`
    }`,
  );
}

/** The error of a get from a queue that was shut down and is empty. */
export function getShutDown(): ShutDown {
  return new ShutDown(`Cannot ${GET}: the queue was shut down and is empty`);
}

/** What {@linkcode tryGet} returns when there is no item. */
const NOTHING: unique symbol = Symbol("nothing");

/** Takes the head's mutex if the ends are open; whether they are. */
export function enterHead(queue: number): boolean {
  if (!areOpen(queue)) return false;
  lock(queue + QueueField.headMutex);
  if (areOpen(queue)) return true;
  unlock(queue + QueueField.headMutex);
  return false;
}

/** Takes the next item if there is one; it may be `UNREAD`. */
function tryGet(queue: number): unknown {
  if (!enterHead(queue)) return tryGetClosed(queue);
  if (isEmptyAtHead(queue)) {
    unlock(queue + QueueField.headMutex);
    return NOTHING;
  }
  const value = takeAtHead(queue);
  const wasteful = isWastefulAtHead(queue);
  unlock(queue + QueueField.headMutex);
  if (wasteful) shrink(queue);
  return value;
}

function tryGetClosed(queue: number): unknown {
  enter(queue);
  if (availableIn(queue) <= 0) {
    const ended = words[queue + QueueField.shutDown] !== 0;
    leave(queue);
    if (ended) throw getShutDown();
    return NOTHING;
  }
  const value = takeOut(queue);
  if (words[queue + QueueField.putters] !== 0) admitPutters(queue);
  const wasteful = isWasteful(queue);
  leave(queue);
  if (wasteful) shrink(queue);
  return value;
}

/** Reads what was taken, and puts it back if it needs a module to be awaited. */
function readTaken(queue: number): unknown {
  const { record, length, entry, beginning, sequence } = taken;
  if (length !== 0) return readReceived(0, length);
  let value: unknown;
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

/** Gives back what an item that was taken lay in. */
export function drop(record: number, entry: number): void {
  dropRecord(record);
  if (entry !== 0) discard(entry);
}

/** What the caller gets for an error of reading an item. */
export function explained(error: unknown, what = GET): unknown {
  if (!(error instanceof ModuleNotLoaded)) return error;
  return new ThreadingError(
    `Cannot ${what}: it needs a module that this thread can only load while it does not block, so import it first or use the promise form, received ${error.url}`,
    { cause: error.cause },
  );
}

/** Gets an item, and blocks until there is one. */
export function getSync(queue: number, timeout: number): unknown {
  let value = tryGet(queue);
  if (value === NOTHING) value = spin(queue);
  if (value !== NOTHING) return value === UNREAD ? readTaken(queue) : value;
  const end = waitSync(getProtocol, queue, QueueField.getters, timeout, GET);
  if (end === Wake.granted) {
    got.fresh = false;
    return got.value === UNREAD ? readTaken(queue) : got.value;
  }
  throw end === Wake.waiting ? empty(timeout) : getShutDown();
}

/** Looks for an item for a while, but not if others wait: they come first. */
function spin(queue: number): unknown {
  let value: unknown = NOTHING;
  for (let looks = 0; looks < LOOKS && value === NOTHING; looks++) {
    if (load(queue + QueueField.getters) !== 0) break;
    if (sizeOf(queue) > 0) value = tryGet(queue);
    else pause();
  }
  return value;
}

/** Gets an item if there is one. */
export function getNowait(queue: number): unknown {
  const value = tryGet(queue);
  if (value === NOTHING) throw empty();
  return value === UNREAD ? readTaken(queue) : value;
}

/** What came of reading a record at once. */
interface Reading {
  value?: unknown;
  error?: unknown;
  failed?: boolean;
  /** Set if modules must be loaded first: the drafts are kept. */
  record?: number;
  entry?: number;
}

/** Reads what was taken, if no module must be awaited. */
function readAtOnce(value: unknown): Reading {
  if (value !== UNREAD) return { value };
  const { record, length, entry } = taken;
  if (length !== 0) return { value: readReceived(0, length) };
  const reading: Reading = {};
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

async function finish(reading: Reading): Promise<unknown> {
  const { record, entry = 0 } = reading;
  if (reading.failed) throw reading.error;
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
  queue: number,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const value = tryGet(queue);
  if (value === UNREAD) return finish(readAtOnce(value));
  if (value !== NOTHING) return value;
  let reading: Reading | undefined;
  const end = await waitPromise(
    getProtocol,
    queue,
    QueueField.getters,
    { timeout, signal, timeoutError: () => empty(timeout) },
    () => {
      if (!got.fresh) return;
      got.fresh = false;
      reading = readAtOnce(got.value);
    },
  );
  if (end !== Wake.granted) throw getShutDown();
  return finish(reading!);
}
