/**
 * What the two ends of a queue have in common, producers and consumers (`ends.ts`):
 * objects that close by themselves.
 *
 * An end is a shared object. It refers to its queue by a record, so that a thread
 * that meets it gets the queue with its own class. The queue counts the ends that
 * are open, under its mutex. An end that nobody refers to any more closes as its
 * last thing (`SharedClass.leave`), in whichever thread comes to it first.
 *
 * @module
 */

import type { WaitOptions, WaitSyncOptions } from "../_internal/check.ts";
import {
  ADDRESS,
  addressOf,
  counted,
  createObject,
  discard,
  Field,
  load,
  lock,
  pinUntil,
  registerClass,
  type SharedObject,
  tryLock,
  unlock,
  words,
} from "../threading/_ground.ts";
import {
  commitRecord,
  draftRecord,
  loadModulesOf,
  ModuleNotLoaded,
  readRecord,
  releaseRecord,
} from "../threading/_threads.ts";
import { QueueField } from "./_engine/layout.ts";
import { close, leave } from "./_engine/ring.ts";
import { shutDown } from "./_engine/waiters.ts";
import type { Delivery } from "./delivery.ts";
import { explained, putShutDown, ShutDown } from "./errors.ts";
import { endingWait, type QueueItems } from "./_engine/get_many.ts";

/** The methods of a queue that its ends have. */
interface Both<T> extends SharedObject {
  readonly maxsize: number;
  put(item: T, options?: WaitOptions): Promise<void>;
  putSync(item: T, options?: WaitSyncOptions): void;
  putNowait(item: T): void;
  putMany(items: Iterable<T>, options?: WaitOptions): Promise<void>;
  putManySync(items: Iterable<T>, options?: WaitSyncOptions): void;
  putManyNowait(items: Iterable<T>): void;
  get(options?: WaitOptions): Promise<T>;
  getSync(options?: WaitSyncOptions): T;
  getNowait(): T;
  getMany(n: number, options?: WaitOptions): Promise<T[]>;
  getManySync(n: number, options?: WaitSyncOptions): T[];
  getManyNowait(n: number): T[];
  receive(options?: WaitOptions): Promise<Delivery<T>>;
  receiveSync(options?: WaitSyncOptions): Delivery<T>;
  receiveNowait(): Delivery<T>;
  drain(): T[];
  items(options?: WaitOptions): QueueItems<T>;
  taskDone(): void;
  qsize(): number;
  empty(): boolean;
  full(): boolean;
}

const EndField = {
  /** Whether it is open; changes under the queue's mutex. */
  open: Field.own,
  /** The queue, and the record of it. */
  queue: Field.own + 1,
  record: Field.own + 2,
  /** The queue's field that counts the ends of this kind. */
  count: Field.own + 3,
} as const;
const END_WORDS = Field.own + 4;

/** The queues of the ends that this thread has used. */
const queues = new WeakMap<SharedObject, Both<never>>();

/** Opens an end that this thread has just made. */
function openEnd<T>(handle: SharedObject, queue: Both<T>, count: number): void {
  const end = addressOf(handle);
  const address = addressOf(queue);
  const record = draftRecord(queue);
  lock(address + Field.mutex);
  const ended = count === QueueField.producers &&
    words[address + QueueField.shutDown] !== 0;
  if (!ended) {
    words[end + EndField.queue] = address;
    words[end + EndField.record] = record;
    words[end + EndField.count] = count;
    commitRecord(record);
    words[end + EndField.open] = 1;
    words[address + count]++;
  }
  unlock(address + Field.mutex);
  if (ended) {
    discard(record);
    throw putShutDown();
  }
  queues.set(handle, queue as Both<never>);
}

/**
 * Closes an end. After the last one of its kind, nothing can be put any more.
 */
export function closeEnd(end: number): void {
  if (load(end + EndField.open) === 0) return;
  const queue = words[end + EndField.queue];
  // If the queue is damaged, its waiters are told elsewhere.
  if (!tryLock(queue + Field.mutex)) return;
  close(queue);
  if (words[end + EndField.open] !== 0) {
    words[end + EndField.open] = 0;
    const left = --words[queue + words[end + EndField.count]];
    if (left === 0) shutDown(queue, false);
  }
  leave(queue);
}

/**
 * The queue of an end that is open; `undefined` if its class must be loaded
 * first.
 */
function queueOf<T>(handle: SharedObject, what: string): Both<T> | undefined {
  const end = addressOf(handle);
  if (load(end + EndField.open) === 0) {
    throw new ShutDown(
      `Cannot ${what}: this ${handle.constructor.name} was closed`,
    );
  }
  let queue = queues.get(handle) as Both<T> | undefined;
  // This thread may have freed its handle of the queue.
  if (queue !== undefined && queue[ADDRESS] === words[end + EndField.queue]) {
    return queue;
  }
  try {
    queue = readRecord(words[end + EndField.record]) as Both<T>;
  } catch (error) {
    if (error instanceof ModuleNotLoaded) return undefined;
    throw error;
  }
  queues.set(handle, queue as unknown as Both<never>);
  return queue;
}

/** The same where nothing can be awaited. */
export function queueNow<T>(handle: SharedObject, what: string): Both<T> {
  const queue = queueOf<T>(handle, what);
  if (queue !== undefined) return queue;
  try {
    return readRecord(words[handle[ADDRESS] + EndField.record]) as Both<T>;
  } catch (error) {
    throw explained(error, what);
  }
}

/**
 * Calls a queue's promise form. The end stays open meanwhile, even without
 * handles.
 */
export async function callLater<T, R>(
  handle: SharedObject,
  what: string,
  call: (queue: Both<T>) => Promise<R>,
): Promise<R> {
  const queue = queueOf<T>(handle, what);
  const end = addressOf(handle);
  const calling = queue === undefined
    ? loadModulesOf(words[end + EndField.record])!.then(() =>
      call(queueNow(handle, what))
    )
    : call(queue);
  const result = await pinUntil(end, calling);
  // Its handle must not be collected as garbage before.
  void handle[ADDRESS];
  return result;
}

type EndClass = new (queue: object) => SharedObject;

/** The kinds of producers and consumers. */
const kinds = new Map<EndClass, number>();

/**
 * Makes the ends known, as of the module of the queues: a thread that meets an
 * end needs the queue's class, too.
 */
export function registerEnds(meta: ImportMeta, ...classes: EndClass[]): void {
  for (const constructor of classes) {
    const shared = { constructor, leave: closeEnd, destroy, look };
    kinds.set(constructor, registerClass(meta, shared));
  }
}

/** The object of a new end, which is not open yet. */
export function createEnd(constructor: EndClass): number {
  return createObject(kinds.get(constructor)!, END_WORDS);
}

/** Opens a new end, or gives it back. */
export function openNewEnd(
  handle: SharedObject,
  queue: object,
  count: number,
): void {
  try {
    openEnd(handle, queue as Both<unknown>, count);
  } catch (error) {
    handle.free();
    throw error;
  }
}

/** Closes an end at the end of a `using` block, unless its handle was freed. */
export function disposeEnd(handle: SharedObject): void {
  // With the handle, this thread gave up its part in the end.
  const end = handle[ADDRESS];
  if (words[end + Field.damaged] === 0) closeEnd(end);
}

/** The items of a queue, until this end of it is closed. */
export function whileOpen<T>(
  handle: SharedObject,
  items: QueueItems<T>,
): AsyncGenerator<T, void, void> {
  const each = items[Symbol.asyncIterator]();
  return endingWait(whileOpenOf(handle, each), () => void each.return());
}

async function* whileOpenOf<T>(
  handle: SharedObject,
  items: AsyncGenerator<T, void, void>,
): AsyncGenerator<T, void, void> {
  for await (const item of items) {
    yield item;
    if (isClosed(handle)) return;
  }
  void handle[ADDRESS];
}

/** The same in the blocking form. */
export function* whileOpenSync<T>(
  handle: SharedObject,
  items: QueueItems<T>,
): Generator<T, void, void> {
  for (const item of items) {
    yield item;
    if (isClosed(handle)) return;
  }
  void handle[ADDRESS];
}

function isClosed(handle: SharedObject): boolean {
  return load(addressOf(handle) + EndField.open) === 0;
}

/** What there is to see of an end. */
function look(end: number): string[] {
  if (words[end + EndField.open] === 0) return ["closed"];
  const queue = words[end + EndField.queue];
  const count = words[queue + words[end + EndField.count]];
  return [`one of ${counted(count, "open end")}`];
}

function destroy(end: number): void {
  const record = words[end + EndField.record];
  if (record !== 0) releaseRecord(record);
}
