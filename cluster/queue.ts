/**
 * Queues between machines.
 *
 * @module
 */

import {
  checkInteger,
  checkIterable,
  checkOptions,
  checkString,
  shown,
} from "../_internal/check.ts";
import type { WaitOptions } from "../_internal/options.ts";
import { ShutDown } from "../queue/mod.ts";
import { encode } from "./_encode.ts";
import type { Host } from "./_host.ts";
import { checkLease, checkName } from "./_options.ts";
import { Patience } from "./_patience.ts";
import { type Arrival, QueueCore, type QueueSettings } from "./_queue_core.ts";
import { type ClusterDelivery, deliver } from "./delivery.ts";

/** The most items of one atomic batch; the servers may allow fewer. */
const BATCH = 1000;

/** How long an item that cannot be read stays away, in milliseconds. */
const UNREADABLE = 1000;

/** What a queue of a cluster is made with. */
export interface ClusterQueueOptions {
  /**
   * How many items there may be that are not acknowledged, those that somebody
   * holds included; 0 means as many as the servers store.
   *
   * @default {0}
   */
  maxsize?: number;
  /**
   * The milliseconds after which an item that was not answered is received
   * again; at least 1000.
   *
   * @default {30000}
   */
  lease?: number;
  /**
   * How often an item is received before it goes to the queue of dead items,
   * whose name is that of this one and `.dead`.
   *
   * @default {Infinity}
   */
  maxDeliveries?: number;
}

/** What {@linkcode ClusterQueue.put} takes. */
export interface ClusterPutOptions extends WaitOptions {
  /**
   * A name for this put: of several with the same within two minutes, from
   * wherever, the first one counts and the others do nothing.
   */
  id?: string;
}

/** What {@linkcode ClusterQueue.receive} takes. */
export interface ClusterReceiveOptions extends WaitOptions {
  /**
   * Whether the lease is extended again and again, until the item is answered.
   *
   * @default {false}
   */
  autoExtend?: boolean;
}

/** What {@linkcode ClusterQueue.shutdown} takes. */
export interface ClusterShutDownOptions extends WaitOptions {
  /**
   * Whether the items that are still there are thrown away.
   *
   * @default {false}
   */
  immediate?: boolean;
}

/** Makes the handle of a queue. */
export let makeQueue: <T>(
  host: Host,
  name: string,
  options: ClusterQueueOptions | undefined,
) => ClusterQueue<T>;

/**
 * A first-in first-out queue that programs on several machines share. It keeps
 * the words of the local `Queue`; what the distance changes has other types:
 * whatever asks the servers returns a promise, and items are leased
 * ({@linkcode ClusterDelivery}), so that nothing is lost with its receiver. An
 * item can therefore be received twice, never not at all.
 *
 * It is made by `queue()` of a {@linkcode Cluster}, on the servers at its first
 * use, and stays there until somebody deletes it there.
 *
 * @typeParam T The items.
 *
 * @example
 * ```ts ignore
 * await using cluster = await Cluster.connect("127.0.0.1:4222");
 * const queue = cluster.queue<string>("jobs");
 * await queue.put("spam");
 * await using delivery = await queue.receive();
 * console.log(delivery.item);
 * await delivery.ack();
 * ```
 */
export class ClusterQueue<T> {
  /** The name. */
  readonly name: string;
  readonly #host: Host;
  readonly #settings: QueueSettings;
  #core: QueueCore | undefined;

  private constructor(
    host: Host,
    name: string,
    options: ClusterQueueOptions | undefined,
  ) {
    this.#host = host;
    this.name = name;
    this.#settings = settingsOf(name, options);
  }

  static {
    makeQueue = (host, name, options) => new ClusterQueue(host, name, options);
  }

  /**
   * Puts an item, and waits for room, and until the servers have stored it. The
   * item is copied at once.
   *
   * @param item The item.
   * @param options An id, a timeout in milliseconds, a signal that ends the
   * wait.
   * @throws {Full} If the timeout passes and there is no room.
   * @throws {ShutDown} If the queue was shut down.
   * @throws {NotSendableError} If the item cannot be sent to another machine.
   * @throws {RangeError} If it is larger than the servers allow.
   * @throws {DOMException} `TimeoutError`, if no server answers in time: the
   * item may have been put or not. `QuotaExceededError`, if a limit of the
   * servers' storage has been reached.
   */
  async put(item: T, options?: ClusterPutOptions): Promise<void> {
    const what = "put an item";
    const patience = new Patience(what, options, ["id"]);
    checkId(options?.id, what);
    const bytes = encode(item, "item");
    const core = await this.#open(patience);
    await core.put(bytes, options?.id, patience);
  }

  /**
   * Puts several items as one: all of them are there, in this order and with
   * nothing in between, or none. The items are copied at once.
   *
   * @param items The items.
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @throws {Full} If the timeout passes and there is no room for all.
   * @throws {ShutDown} If the queue was shut down.
   * @throws {NotSendableError} If an item cannot be sent to another machine.
   * @throws {RangeError} If there are more of them than the servers take in a
   * batch, or than the queue has room for, or one is too large.
   * @throws {DOMException} As `put` does.
   */
  async putMany(items: Iterable<T>, options?: WaitOptions): Promise<void> {
    const what = "put items";
    const patience = new Patience(what, options);
    checkIterable(items, what, "items");
    const all = Array.from(items, (item, i) => encode(item, `item ${i}`));
    if (all.length > BATCH) {
      throw new RangeError(
        `Cannot ${what}: the servers take up to ${BATCH} in one batch, received ${all.length}`,
      );
    }
    const core = await this.#open(patience);
    await core.putMany(all, patience);
  }

  /**
   * Receives an item, and waits until there is one.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait,
   * whether the lease is extended by itself.
   * @returns The delivery of the item.
   * @throws {Empty} If the timeout passes first.
   * @throws {ShutDown} If the queue was shut down and each item acknowledged.
   * @throws {Deno.errors.InvalidData} If the item cannot be read: it is damaged,
   * or has the name of a class that this program has not registered. It goes
   * back for others.
   * @throws {Deno.errors.NotSupported} If another version of the wire format
   * has written it. It goes back for others.
   */
  async receive(options?: ClusterReceiveOptions): Promise<ClusterDelivery<T>> {
    const { autoExtend, patience } = receiving(options, "receive an item");
    const core = await this.#open(patience);
    const [arrival] = await core.receive(1, patience);
    const [delivery] = await this.#deliver([arrival], core, autoExtend);
    return delivery;
  }

  /**
   * Receives up to a number of items: it waits for the first one, and takes
   * those that are there.
   *
   * @param n The most items.
   * @param options As for `receive`.
   * @returns The deliveries, at least one.
   * @throws {Empty} If the timeout passes first.
   * @throws {ShutDown} If the queue was shut down and each item acknowledged.
   * @throws {RangeError} If `n` is not an integer from 1.
   */
  async receiveMany(
    n: number,
    options?: ClusterReceiveOptions,
  ): Promise<ClusterDelivery<T>[]> {
    const what = "receive items";
    checkInteger(n, what, "n", 1);
    const { autoExtend, patience } = receiving(options, what);
    const core = await this.#open(patience);
    const arrivals = await core.receive(Math.min(n, BATCH), patience);
    return await this.#deliver(arrivals, core, autoExtend);
  }

  /**
   * How many items are not acknowledged, those that somebody holds included:
   * what `maxsize` limits. The answer may be out of date when it arrives.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The number of items.
   */
  async qsize(options?: WaitOptions): Promise<number> {
    const patience = new Patience("count the items of a queue", options);
    const core = await this.#open(patience);
    return await core.size(patience);
  }

  /**
   * Waits until every item has been acknowledged.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   */
  async join(options?: WaitOptions): Promise<void> {
    const patience = new Patience("join a queue", options);
    const core = await this.#open(patience);
    await core.join(patience);
  }

  /**
   * Ends the queue, for all programs and for good: puts throw `ShutDown` from
   * now on, those that wait too; receivers go on until each item has been
   * acknowledged, and then throw it.
   *
   * @param options With `immediate`, the items that are still there are thrown
   * away. A timeout in milliseconds, a signal that ends the wait.
   */
  async shutdown(options?: ClusterShutDownOptions): Promise<void> {
    const what = "shut down a queue";
    const patience = new Patience(what, options, ["immediate"]);
    const core = await this.#open(patience);
    await core.shutDown(options?.immediate ?? false, patience);
  }

  /**
   * Receives one item after the other, until the queue is shut down and each
   * item acknowledged.
   *
   * @returns An iterator of deliveries; each has to be answered.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<ClusterDelivery<T>> {
    for (;;) {
      let delivery: ClusterDelivery<T>;
      try {
        delivery = await this.receive();
      } catch (error) {
        if (error instanceof ShutDown) return;
        throw error;
      }
      yield delivery;
    }
  }

  async #open(patience: Patience): Promise<QueueCore> {
    const link = await this.#host.link(patience);
    return this.#core ??= new QueueCore(link, this.name, this.#settings);
  }

  /** Deliveries of what can be read; what cannot goes back. */
  async #deliver(
    arrivals: readonly Arrival[],
    core: QueueCore,
    autoExtend: boolean,
  ): Promise<ClusterDelivery<T>[]> {
    const deliveries: ClusterDelivery<T>[] = [];
    let failure: unknown;
    for (const arrival of arrivals) {
      try {
        deliveries.push(deliver(arrival, core, autoExtend));
      } catch (error) {
        failure ??= error;
        const patience = new Patience("give an item back", { timeout: 5000 });
        const { message } = error as Error;
        await core.giveBack(arrival, UNREADABLE, message, patience)
          .catch(() => {});
      }
    }
    // What can be read is not lost with what cannot.
    if (deliveries.length === 0) throw failure;
    return deliveries;
  }
}

function receiving(
  options: ClusterReceiveOptions | undefined,
  what: string,
): { autoExtend: boolean; patience: Patience } {
  const patience = new Patience(what, options, ["autoExtend"]);
  const { autoExtend = false } = options ?? {};
  if (typeof autoExtend !== "boolean") {
    throw new TypeError(
      `Cannot ${what}: autoExtend must be true or false, received ${
        shown(autoExtend)
      }`,
    );
  }
  return { autoExtend, patience };
}

function checkId(id: unknown, what: string): void {
  if (id === undefined) return;
  checkString(id, what, "id");
  if (id !== "" && id.length <= 500 && id.isWellFormed()) return;
  throw new RangeError(
    `Cannot ${what}: an id has up to 500 characters, received ${shown(id)}`,
  );
}

function settingsOf(
  name: string,
  options: ClusterQueueOptions | undefined,
): QueueSettings {
  const what = "open a queue of a cluster";
  checkName(name, what);
  if (options === undefined) return {};
  checkOptions(options, what, ["maxsize", "lease", "maxDeliveries"]);
  const { maxsize, lease, maxDeliveries } = options;
  if (maxsize !== undefined) checkInteger(maxsize, what, "maxsize", 0);
  checkLease(lease, what);
  if (maxDeliveries !== undefined && maxDeliveries !== Infinity) {
    checkInteger(maxDeliveries, what, "maxDeliveries", 1);
  }
  return { maxsize, lease, maxDeliveries };
}
