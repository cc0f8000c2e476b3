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
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/check.ts";
import { ShutDown } from "../queue/mod.ts";
import { arrivalOf, sentOf } from "./_channel.ts";
import { encode } from "./_wire/encode.ts";
import { checkLease, checkName, type Host } from "./_handle.ts";
import { Patience } from "./_core/patience.ts";
import { type Arrival, QueueCore, type QueueSettings } from "./_core/queue.ts";
import type { SentArrival } from "./_thread.ts";
import { type Answering, type ClusterDelivery, deliver } from "./delivery.ts";

/** The most items of one atomic batch; the servers may allow fewer. */
const BATCH = 1000;

/** How long an item that cannot be read stays away, in milliseconds. */
const UNREADABLE = 1000;

const RECEIVE = "receive an item";
const SIZE = "count the items of a queue";
const JOIN = "join a queue";
const SHUT_DOWN = "shut down a queue";

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
   * A name for this put: of several puts with the same name within two minutes,
   * by any program, the first one counts and the others do nothing.
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

  /** @ignore */
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
    await core.putting.put(bytes, options?.id, patience);
  }

  /**
   * Does what `put` does, and blocks the thread meanwhile.
   *
   * @param item The item.
   * @param options An id, a timeout in milliseconds.
   * @throws As `put` does.
   */
  putSync(item: T, options?: Omit<ClusterPutOptions, "signal">): void {
    const what = "put an item";
    const patience = Patience.ofSync(what, options, ["id"]);
    checkId(options?.id, what);
    this.#call("putting.put", [encode(item, "item"), options?.id], patience);
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
    const patience = new Patience("put items", options);
    const all = bytesOf(items, patience.what);
    const core = await this.#open(patience);
    await core.putting.putMany(all, patience);
  }

  /**
   * Does what `putMany` does, and blocks the thread meanwhile.
   *
   * @param items The items.
   * @param options A timeout in milliseconds.
   * @throws As `putMany` does.
   */
  putManySync(items: Iterable<T>, options?: WaitSyncOptions): void {
    const patience = Patience.ofSync("put items", options);
    this.#call("putting.putMany", [bytesOf(items, patience.what)], patience);
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
    const { autoExtend, patience } = receiving(options, RECEIVE);
    const core = await this.#open(patience);
    const arrivals = await core.receiving.receive(1, patience);
    return this.#deliver(arrivals, this.#answering(core), autoExtend)[0];
  }

  /**
   * Does what `receive` does, and blocks the thread meanwhile. The lease is
   * extended by `extendSync` only.
   *
   * @param options A timeout in milliseconds.
   * @returns The delivery of the item.
   * @throws As `receive` does.
   */
  receiveSync(options?: WaitSyncOptions): ClusterDelivery<T> {
    const patience = Patience.ofSync(RECEIVE, options);
    return this.#receiveSync(1, patience)[0];
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
    const arrivals = await core.receiving.receive(Math.min(n, BATCH), patience);
    return this.#deliver(arrivals, this.#answering(core), autoExtend);
  }

  /**
   * Does what `receiveMany` does, and blocks the thread meanwhile.
   *
   * @param n The most items.
   * @param options A timeout in milliseconds.
   * @returns The deliveries, at least one.
   * @throws As `receiveMany` does.
   */
  receiveManySync(n: number, options?: WaitSyncOptions): ClusterDelivery<T>[] {
    const what = "receive items";
    checkInteger(n, what, "n", 1);
    const patience = Patience.ofSync(what, options);
    return this.#receiveSync(Math.min(n, BATCH), patience);
  }

  /**
   * How many items are not acknowledged, those that somebody holds included:
   * what `maxsize` limits. The answer may be out of date when it arrives.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The number of items.
   */
  async qsize(options?: WaitOptions): Promise<number> {
    const patience = new Patience(SIZE, options);
    const core = await this.#open(patience);
    return await core.stream.size(patience);
  }

  /**
   * Does what `qsize` does, and blocks the thread meanwhile.
   *
   * @param options A timeout in milliseconds.
   * @returns The number of items.
   */
  qsizeSync(options?: WaitSyncOptions): number {
    return this.#call("stream.size", [], Patience.ofSync(SIZE, options));
  }

  /**
   * Waits until every item has been acknowledged.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   */
  async join(options?: WaitOptions): Promise<void> {
    const patience = new Patience(JOIN, options);
    const core = await this.#open(patience);
    await core.stream.join(patience);
  }

  /**
   * Does what `join` does, and blocks the thread meanwhile.
   *
   * @param options A timeout in milliseconds.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   */
  joinSync(options?: WaitSyncOptions): void {
    this.#call("stream.join", [], Patience.ofSync(JOIN, options));
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
    const patience = new Patience(SHUT_DOWN, options, ["immediate"]);
    const core = await this.#open(patience);
    await core.stream.shutDown(options?.immediate ?? false, patience);
  }

  /**
   * Does what `shutdown` does, and blocks the thread meanwhile.
   *
   * @param options With `immediate`, the items that are still there are thrown
   * away. A timeout in milliseconds.
   */
  shutdownSync(options?: Omit<ClusterShutDownOptions, "signal">): void {
    const patience = Patience.ofSync(SHUT_DOWN, options, ["immediate"]);
    this.#call("stream.shutDown", [options?.immediate ?? false], patience);
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

  /**
   * Does what the asynchronous iterator does, and blocks the thread meanwhile.
   *
   * @returns An iterator of deliveries; each has to be answered.
   */
  *[Symbol.iterator](): Generator<ClusterDelivery<T>> {
    for (;;) {
      let delivery: ClusterDelivery<T>;
      try {
        delivery = this.receiveSync();
      } catch (error) {
        if (error instanceof ShutDown) return;
        throw error;
      }
      yield delivery;
    }
  }

  async #open(patience: Patience): Promise<QueueCore> {
    const link = await this.#host.link(patience);
    return QueueCore.of(link, this.name, this.#settings);
  }

  /** Calls a method in the thread of the blocking forms. */
  #call<R>(method: string, args: readonly unknown[], patience: Patience): R {
    const target = { queue: this.name, settings: this.#settings };
    return this.#host.channel(patience).call<R>(target, method, args, patience);
  }

  #receiveSync(n: number, patience: Patience): ClusterDelivery<T>[] {
    const sent = this.#call<SentArrival[]>("receiving.receive", [n], patience);
    return this.#deliver(sent.map(arrivalOf), this.#answering(), false);
  }

  /** How deliveries are answered; those of a blocking form have no queue. */
  #answering(core?: QueueCore): Answering {
    return {
      open: (patience) => this.#open(patience),
      call: (method, args, patience) =>
        this.#call(`receiving.${method}`, args, patience),
      letGo: (arrival, delay, error) => {
        if (core !== undefined) {
          return core.receiving.letGo(arrival, delay, error);
        }
        const target = { queue: this.name, settings: this.#settings };
        this.#host.channel(Patience.own("give an item back")).post({
          op: "call",
          target,
          method: "receiving.giveBack",
          args: [sentOf(arrival), delay, error],
        });
      },
    };
  }

  /**
   * Deliveries of what can be read. What cannot goes back for others, after a
   * moment, and is an error if nothing else has arrived.
   */
  #deliver(
    arrivals: readonly Arrival[],
    answering: Answering,
    autoExtend: boolean,
  ): ClusterDelivery<T>[] {
    const deliveries: ClusterDelivery<T>[] = [];
    let failure: unknown;
    for (const arrival of arrivals) {
      try {
        deliveries.push(deliver(arrival, answering, autoExtend));
      } catch (error) {
        failure ??= error;
        answering.letGo(arrival, UNREADABLE, (error as Error).message);
      }
    }
    if (deliveries.length === 0) throw failure;
    return deliveries;
  }
}

/** The items of a batch as bytes. */
function bytesOf(items: Iterable<unknown>, what: string): Uint8Array[] {
  checkIterable(items, what, "items");
  const all = Array.from(items, (item, i) => encode(item, `item ${i}`));
  if (all.length <= BATCH) return all;
  throw new RangeError(
    `Cannot ${what}: the servers take up to ${BATCH} in one batch, received ${all.length}`,
  );
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
  const fits = id !== "" && id.length <= 1000 && id.isWellFormed() &&
    encodeURIComponent(id).length <= 1000;
  if (fits) return;
  throw new RangeError(
    `Cannot ${what}: an id has up to 1000 characters, those that are not of ASCII count as up to 12, received ${
      shown(id)
    }`,
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
