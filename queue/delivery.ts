/**
 * An item that was received, until it is acknowledged or given back.
 *
 * @module
 */

import { checkDuration } from "../_internal/options.ts";
import { checkOptions } from "../_internal/check.ts";
import { staying } from "../threading/_values.ts";
import { checkDying, waitEpoch } from "../threading/_ground.ts";
import { ThreadingError } from "../threading/errors.ts";
import {
  bringBack,
  deliveriesOf,
  isEnding,
  settle,
} from "./_engine/deliveries.ts";
import type { Received } from "./_engine/receive.ts";

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
  bringBack(parcel.queue, parcel.parcel, 0);
});

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
    const { queue, parcel } = this.#settle("ack()");
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
    const { queue, parcel } = this.#settle("nak()");
    bringBack(queue, parcel, delay);
  }

  /** Gives the item back, unless `ack()` or `nak()` was called. */
  [Symbol.dispose](): void {
    const { settledBy } = this.#parcel;
    if (settledBy === undefined && !isGone(this.#parcel)) this.nak();
  }

  #settle(how: "ack()" | "nak()"): Parcel {
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
    return parcel;
  }
}

const GIVE_BACK = "give an item back";

staying.set(
  Delivery,
  "a delivery belongs to the thread that received it, send its item",
);
