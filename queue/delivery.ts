/**
 * Receiving items, in all forms: getting them as deliveries, which are out until
 * they are acknowledged or given back (`_engine/deliveries.ts`).
 *
 * A receive waits and is served as a get is. The parcel that the item goes into is
 * made before the critical section that takes the item.
 *
 * @module
 */

import { checkDuration, checkOptions } from "../_internal/check.ts";
import {
  loadModulesOf,
  ModuleNotLoaded,
  staying,
} from "../threading/_threads.ts";
import {
  checkDying,
  DeliveryEnd,
  load,
  Node,
  noteReceived,
  noteSettled,
  type Protocol,
  type SharedObject,
  store,
  tid,
  TRACING,
  unlock,
  waitEpoch,
  waitSync,
  Wake,
  words,
} from "../threading/_ground.ts";
import { ThreadingError } from "../threading/errors.ts";
import {
  bringBack,
  deliver,
  deliverHanded,
  deliveriesOf,
  type Delivering,
  deliverNext,
  discardParcel,
  draftParcel,
  isEnding,
  readDelivery,
  recordOf,
  settle,
  undoDelivery,
} from "./_engine/deliveries.ts";
import { empty, explained, getShutDown } from "./errors.ts";
import { hooked, isCustom } from "./_engine/custom_list.ts";
import {
  afterTaking,
  enterClosed,
  enterHead,
  getCustom,
  getCustomNowait,
  getCustomSync,
  hasEnded,
  takeForWaiter,
  waitToGet,
} from "./_engine/get.ts";
import { QueueField } from "./_engine/layout.ts";
import {
  cellOf,
  isEmptyAtHead,
  isWasteful,
  isWastefulAtHead,
  leave,
  LOOKS,
  pause,
  shrink,
  sizeOf,
} from "./_engine/ring.ts";
import {
  decline,
  spareIn,
  tick,
  undoWake,
  withdraw,
} from "./_engine/waiters.ts";

/** What {@linkcode Delivery.nak} takes. */
export interface NakOptions {
  /**
   * So many milliseconds pass before the item is back in the queue.
   *
   * @default {0}
   */
  delay?: number;
}

/** Where a delivery is on the heap. */
interface Parcel {
  queue: number;
  parcel: number;
  /** The thread that it belongs to, in a worker that runs one after the other. */
  epoch: number;
  settledBy: "ack()" | "nak()" | undefined;
  /** Its index in `fresh`, or -1. */
  index: number;
  /** The delivery itself, while it is in `fresh`. */
  delivery: object | undefined;
}

/**
 * Deliveries made in the running job. They are watched by the garbage collector
 * from its end on, if they are still out: most are settled by then, and watching
 * one costs as much as receiving it. What is garbage is only found then, anyhow.
 */
const fresh: Parcel[] = [];
let settling = false;

const finalizers = new FinalizationRegistry<Parcel>((parcel) => {
  if (parcel.settledBy !== undefined || isGone(parcel)) return;
  parcel.settledBy = "nak()";
  showEnd(parcel, DeliveryEnd.dropped);
  bringBack(parcel.queue, parcel.parcel, 0);
});

/** Shows in a trace how a delivery ended. */
function showEnd({ parcel }: Parcel, how: number): void {
  if (words[TRACING] !== 0) noteSettled(parcel, tid, how);
}

/** Whether its thread has ended: others have given it back, or will. */
function isGone(parcel: Parcel): boolean {
  return parcel.epoch !== waitEpoch || isEnding();
}

function watchFresh(): void {
  settling = false;
  for (const parcel of fresh) {
    finalizers.register(parcel.delivery!, parcel, parcel);
    parcel.delivery = undefined;
    parcel.index = -1;
  }
  fresh.length = 0;
}

function remember(parcel: Parcel): void {
  parcel.index = fresh.length;
  fresh.push(parcel);
  if (settling) return;
  settling = true;
  queueMicrotask(watchFresh);
}

function forget(parcel: Parcel): void {
  if (parcel.index < 0) {
    finalizers.unregister(parcel);
    return;
  }
  const last = fresh.pop()!;
  if (last !== parcel) {
    fresh[parcel.index] = last;
    last.index = parcel.index;
  }
  parcel.delivery = undefined;
}

/**
 * An item that a thread has received from a queue and not yet dealt with. If it
 * is not acknowledged, the item goes back to the queue: by `nak()`, at the end of
 * the block of a `using`, when the delivery is collected as garbage, and when its
 * thread ends, however that comes about. So no item is lost with a worker; it is
 * delivered at least once, and perhaps more than once.
 *
 * The item goes back to where it was, whatever the `maxsize`: to the front of a
 * {@linkcode Queue}, the top of a {@linkcode LifoQueue}, before its equals in a
 * {@linkcode PriorityQueue}. In a queue with hooks, it comes before what `_get`
 * gives. After `shutdown({ immediate: true })` it is dropped, and counts as done.
 *
 * A delivery belongs to the thread that received it, and cannot be sent.
 *
 * @typeParam T The item.
 *
 * @example
 * ```ts
 * import { Queue } from "@skein/std/queue";
 * import { assertEquals } from "@std/assert";
 *
 * const queue = new Queue<string>();
 * queue.putNowait("spam");
 * {
 *   using delivery = queue.receiveNowait();
 *   assertEquals(delivery.item, "spam");
 *   assertEquals(delivery.deliveries, 1);
 *   // Something goes wrong: the block is left without an ack().
 * }
 * using delivery = queue.receiveNowait();
 * assertEquals(delivery.deliveries, 2);
 * delivery.ack();
 * queue.joinSync();
 * ```
 */
export class Delivery<T> {
  /** The item: a copy, as of a get. */
  readonly item: T;
  /** How often it was received by now: 1 at first. */
  readonly deliveries: number;
  readonly #parcel: Parcel;

  /** @ignore */
  constructor(queue: number, { item, parcel }: Received) {
    this.item = item as T;
    this.deliveries = deliveriesOf(parcel);
    this.#parcel = {
      queue,
      parcel,
      epoch: waitEpoch,
      settledBy: undefined,
      index: -1,
      delivery: this,
    };
    remember(this.#parcel);
    if (words[TRACING] !== 0) noteReceived(parcel, queue, this.deliveries);
  }

  /**
   * Reports the item as done, which is `taskDone()` of its queue.
   *
   * @throws {ThreadingError} If it was acknowledged or given back before, its
   * thread has ended, or `taskDone()` was called for it as well.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   *
   * const queue = new Queue<string>();
   * queue.putNowait("spam");
   * const delivery = queue.receiveNowait();
   * console.log(delivery.item);
   * delivery.ack();
   * queue.joinSync();
   * ```
   */
  ack(): void {
    const { queue, parcel } = this.#settle("ack()", DeliveryEnd.ack);
    if (settle(queue, parcel, true)) return;
    throw new ThreadingError(
      "Cannot acknowledge an item: taskDone() was called more often than items were put",
    );
  }

  /**
   * Gives the item back to its queue.
   *
   * @param options With `delay`, it is back in so many milliseconds. Until then
   * it counts as unfinished, but not in `qsize()`; it comes back even if the
   * thread has ended by then.
   * @throws {ThreadingError} If it was acknowledged or given back before, or its
   * thread has ended.
   * @throws {TypeError} If the delay is not a number.
   * @throws {RangeError} If the delay is negative, NaN or too large.
   *
   * @example
   * ```ts
   * import { Queue } from "@skein/std/queue";
   * import { assertEquals } from "@std/assert";
   *
   * const queue = new Queue<string>();
   * queue.putNowait("spam");
   * queue.receiveNowait().nak();
   * assertEquals(queue.getNowait(), "spam");
   * ```
   */
  nak(options?: NakOptions): void {
    let delay: unknown = 0;
    if (options !== undefined) {
      checkOptions(options, GIVE_BACK, ["delay"]);
      delay = options.delay ?? 0;
    }
    checkDuration(delay, GIVE_BACK, "delay");
    const { queue, parcel } = this.#settle("nak()", DeliveryEnd.nak);
    bringBack(queue, parcel, delay);
  }

  /** Gives the item back, unless `ack()` or `nak()` was called. */
  [Symbol.dispose](): void {
    const { settledBy } = this.#parcel;
    if (settledBy === undefined && !isGone(this.#parcel)) this.nak();
  }

  #settle(how: "ack()" | "nak()", end: number): Parcel {
    const parcel = this.#parcel;
    if (parcel.settledBy !== undefined) {
      throw new ThreadingError(
        `Cannot settle a delivery with ${how}: it was settled before, received one after its ${parcel.settledBy}`,
      );
    }
    // A thread that is about to be killed must not go on with an error instead.
    checkDying();
    if (isGone(parcel)) {
      throw new ThreadingError(
        `Cannot settle a delivery with ${how}: its thread has ended, and the item went back to the queue`,
      );
    }
    parcel.settledBy = how;
    forget(parcel);
    showEnd(parcel, end);
    return parcel;
  }
}

const GIVE_BACK = "give an item back";

staying.set(
  Delivery,
  "a delivery belongs to the thread that received it, send its item",
);

/** What is done, for messages. */
export const RECEIVE = "receive an item";

/** A delivery of this thread, and its item. */
export interface Received {
  item: unknown;
  parcel: number;
}

/** Receives the next item if there is one; whether it is in the parcel. */
export function tryReceive(queue: number, parcel: number): boolean {
  if (!enterHead(queue)) return tryReceiveClosed(queue, parcel);
  const found = !isEmptyAtHead(queue);
  if (found) {
    const head = words[queue + QueueField.head];
    deliver(queue, parcel, cellOf(queue, head));
    store(queue + QueueField.head, head + 1);
  }
  const wasteful = found && isWastefulAtHead(queue);
  unlock(queue + QueueField.headMutex);
  if (wasteful) shrink(queue);
  return found;
}

function tryReceiveClosed(queue: number, parcel: number): boolean {
  enterClosed(queue);
  if (spareIn(queue) <= 0) {
    const ended = hasEnded(queue, true);
    leave(queue);
    if (ended) throw getShutDown();
    return false;
  }
  deliverNext(queue, parcel);
  afterTaking(queue);
  const wasteful = isWasteful(queue);
  leave(queue);
  if (wasteful) shrink(queue);
  return true;
}

/** How a receive waits; the item goes into its parcel. */
export function protocolFor(parcel: number): Protocol {
  const take = (queue: number) => deliverNext(queue, parcel);
  const takeHanded = (queue: number, node: number) =>
    deliverHanded(queue, parcel, node);
  return {
    take: (queue, node) => takeForWaiter(queue, node, true, take, takeHanded),
    withdraw,
    undo: undoWake,
    decline,
    tick,
  };
}

/** Gives the parcel back, with the item if one has come into it. */
export function undo(queue: number, parcel: number): void {
  if (parcel === 0) return;
  if (words[parcel + Node.object] === queue) undoDelivery(queue, parcel);
  else discardParcel(parcel);
}

/** Receives an item, and blocks until there is one. */
export function receiveSync(
  handle: SharedObject,
  queue: number,
  timeout: number,
): Received {
  const into: Delivering = { parcel: draftParcel() };
  const { parcel } = into;
  try {
    if (isCustom(queue)) {
      const [item] = getCustomSync(
        hooked(handle),
        queue,
        1,
        timeout,
        true,
        into,
      );
      return { item, parcel: into.parcel };
    }
    if (!tryReceive(queue, parcel) && !spin(queue, parcel)) {
      const { getters } = QueueField;
      const protocol = protocolFor(parcel);
      const end = waitSync(protocol, queue, getters, timeout, RECEIVE);
      if (end === Wake.waiting) throw empty(timeout);
      if (end !== Wake.granted) throw getShutDown();
    }
  } catch (error) {
    undo(queue, into.parcel);
    throw error;
  }
  return readSync(queue, parcel);
}

/** As a get does: not if others wait, who come first. */
function spin(queue: number, parcel: number): boolean {
  for (let looks = 0; looks < LOOKS; looks++) {
    if (load(queue + QueueField.getters) !== 0) break;
    if (sizeOf(queue) === 0) pause();
    else if (tryReceive(queue, parcel)) return true;
  }
  return false;
}

/** Receives an item if there is one. */
export function receiveNowait(handle: SharedObject, queue: number): Received {
  const into: Delivering = { parcel: draftParcel() };
  const { parcel } = into;
  try {
    if (isCustom(queue)) {
      const [item] = getCustomNowait(hooked(handle), queue, 1, true, into);
      return { item, parcel: into.parcel };
    }
    if (!tryReceive(queue, parcel)) throw empty();
  } catch (error) {
    undo(queue, into.parcel);
    throw error;
  }
  return readSync(queue, parcel);
}

/** Receives an item without blocking the thread. */
export async function receive(
  handle: SharedObject,
  queue: number,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<Received> {
  const into: Delivering = { parcel: draftParcel() };
  const { parcel } = into;
  try {
    if (isCustom(queue)) {
      const [item] = await getCustom(
        hooked(handle),
        queue,
        1,
        timeout,
        signal,
        true,
        into,
      );
      return { item, parcel: into.parcel };
    }
    if (!tryReceive(queue, parcel)) {
      const end = await waitToGet(protocolFor(parcel), queue, {
        timeout,
        signal,
        timeoutError: () => empty(timeout),
      });
      if (end !== Wake.granted) throw getShutDown();
    }
  } catch (error) {
    undo(queue, into.parcel);
    throw error;
  }
  return await readInTask(queue, parcel);
}

/** Reads a delivery, and loads the modules that takes. */
export async function readInTask(
  queue: number,
  parcel: number,
): Promise<Received> {
  try {
    return { item: readDelivery(queue, parcel), parcel };
  } catch (error) {
    if (!(error instanceof ModuleNotLoaded)) {
      throw refused(queue, parcel, error);
    }
  }
  try {
    // It stays this thread's delivery meanwhile.
    await loadModulesOf(recordOf(queue, parcel));
    return { item: readDelivery(queue, parcel), parcel };
  } catch (error) {
    throw refused(queue, parcel, error);
  }
}

/** Reads a delivery, or puts it back if its module must be awaited. */
export function readSync(queue: number, parcel: number): Received {
  try {
    return { item: readDelivery(queue, parcel), parcel };
  } catch (error) {
    if (!(error instanceof ModuleNotLoaded)) {
      throw refused(queue, parcel, error);
    }
    undoDelivery(queue, parcel);
    throw explained(error, RECEIVE);
  }
}

/** What cannot be read stays: another thread may be able to. */
function refused(queue: number, parcel: number, error: unknown): unknown {
  undoDelivery(queue, parcel);
  return explained(error, RECEIVE);
}
