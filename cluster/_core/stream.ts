/**
 * A queue as the servers have it: a stream that keeps each item until it is
 * acknowledged, and one durable consumer that all receivers share.
 *
 * @module
 */

import { ShutDown } from "../../queue/mod.ts";
import { ApiError, explained, type Link } from "./link.ts";
import { News, Once, Patience } from "./patience.ts";

/** The name of the consumer that all receivers share. */
export const CONSUMER = "skein";

/** How often those who wait look again, should an event have been lost. */
export const LOOK_AGAIN = 10_000;

const SHUT_DOWN = "skein.shutDown";

/** What was given when the queue was opened; `undefined` takes what there is. */
export interface QueueSettings {
  readonly maxsize?: number;
  readonly lease?: number;
  readonly maxDeliveries?: number;
}

interface StreamInfo {
  config: Record<string, unknown> & {
    subjects: string[];
    max_msgs: number;
    metadata?: Record<string, string>;
  };
  state: { messages: number };
}

/** What a queue has. */
export interface Opened {
  readonly maxsize: number;
  readonly lease: number;
  readonly maxDeliveries: number;
}

/** The stream and the consumer of a queue. */
export class QueueStream {
  /** The connection. */
  readonly link: Link;
  /** The name of the queue. */
  readonly name: string;
  /** The name of the stream. */
  readonly stream: string;
  /** What items are put to. */
  readonly subject: string;
  /** Told when the stream changes, and while somebody waits at each ack. */
  readonly news: News = new News();
  readonly #settings: QueueSettings;
  readonly #opening = new Once((patience) => this.#open(patience));
  #isShutDown = false;
  #isWatched = false;
  #ackWatchers = 0;
  #ackWatch: { unsubscribe(): void } | undefined;

  constructor(link: Link, name: string, settings: QueueSettings) {
    this.link = link;
    this.name = name;
    this.#settings = settings;
    this.stream = `skein_queue_${name.replaceAll(".", "=")}`;
    this.subject = `skein.queue.${name}`;
    link.changes.listen(() => this.news.tell());
  }

  /** Whether it is known that the queue was shut down. */
  get isShutDown(): boolean {
    return this.#isShutDown;
  }

  /** What the queue has, after it was made if there was none. */
  opened(patience: Patience): Promise<Opened> {
    this.link.check(patience.what);
    return this.#opening.get(patience);
  }

  /** It is looked for, and made, at the next use. */
  forget(): void {
    this.#opening.forget();
  }

  async #open(patience: Patience): Promise<Opened> {
    const { maxsize = 0, lease = 30_000, maxDeliveries = Infinity } =
      this.#settings;
    const api = <T>(name: string, body: object) =>
      this.link.api<T>(name, body, patience);
    try {
      let info = await unlessMissing(
        api<StreamInfo>(`STREAM.INFO.${this.stream}`, {}),
      );
      info ??= await this.#create(maxsize, maxDeliveries, patience);
      const consumer = await unlessMissing(
        api<{ config: { ack_wait: number } }>(
          `CONSUMER.INFO.${this.stream}.${CONSUMER}`,
          {},
        ),
      ) ?? await api<{ config: { ack_wait: number } }>(
        `CONSUMER.CREATE.${this.stream}.${CONSUMER}`,
        {
          stream_name: this.stream,
          action: "",
          config: {
            name: CONSUMER,
            durable_name: CONSUMER,
            ack_policy: "explicit",
            ack_wait: lease * 1e6,
            deliver_policy: "all",
            replay_policy: "instant",
            max_deliver: -1,
            max_ack_pending: -1,
            max_waiting: 8192,
            // Each acknowledgement is an event, which wakes those who wait.
            sample_freq: "100%",
          },
        },
      );
      this.#isShutDown = isShutDown(info);
      const opened = {
        maxsize: Math.max(info.config.max_msgs, 0),
        lease: consumer.config.ack_wait / 1e6,
        maxDeliveries: Number(
          info.config.metadata?.["skein.maxDeliveries"] ?? Infinity,
        ),
      };
      this.#compare(opened);
      this.#watchStream();
      return opened;
    } catch (error) {
      throw explained(error, patience.what);
    }
  }

  #create(
    maxsize: number,
    maxDeliveries: number,
    patience: Patience,
  ): Promise<StreamInfo> {
    const { replicas, storage } = this.link.settings;
    const body = {
      name: this.stream,
      subjects: [this.subject],
      retention: "workqueue",
      storage,
      num_replicas: replicas,
      max_msgs: maxsize || -1,
      max_bytes: -1,
      max_msg_size: -1,
      max_age: 0,
      max_consumers: -1,
      discard: "new",
      duplicate_window: 120e9,
      allow_atomic: true,
      metadata: {
        "skein.format": "1",
        ...maxDeliveries !== Infinity &&
          { "skein.maxDeliveries": String(maxDeliveries) },
      },
    };
    const name = `STREAM.CREATE.${this.stream}`;
    return this.link.api<StreamInfo>(name, body, patience)
      .catch((error) => {
        // Somebody else has made it meanwhile, with other settings.
        if (!(error instanceof ApiError) || error.code !== 10058) throw error;
        return this.#info(patience);
      });
  }

  /** Refuses settings that contradict those of the queue that there is. */
  #compare(opened: Opened): void {
    for (const [key, value] of Object.entries(this.#settings)) {
      const there = opened[key as keyof Opened];
      if (value === undefined || value === there) continue;
      throw new RangeError(
        `Cannot open a queue of a cluster: ${this.name} has been made with ${key} ${there}, received ${value}`,
      );
    }
  }

  #info(patience: Patience): Promise<StreamInfo> {
    return this.link.api(`STREAM.INFO.${this.stream}`, {}, patience);
  }

  /** Learns whether the queue has been shut down, and how many items it has. */
  async look(patience: Patience): Promise<number> {
    const info = await unlessMissing(this.#info(patience));
    // Somebody has deleted the stream; the next call makes it anew.
    if (info === undefined) {
      this.#opening.forget();
      this.#isShutDown = false;
      return 0;
    }
    this.#isShutDown = isShutDown(info);
    return info.state.messages;
  }

  #watchStream(): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    const events = `$JS.EVENT.ADVISORY.STREAM.*.${this.stream}`;
    this.link.connection.subscribe(events, {
      callback: () => {
        const patience = Patience.own("watch a queue", { timeout: 10_000 });
        this.look(patience).then(() => this.news.tell(), () => {});
      },
    });
  }

  /** From now on each acknowledgement is news, until the result is called. */
  watchAcks(): () => void {
    if (this.#ackWatchers++ === 0) {
      const events = `$JS.EVENT.METRIC.CONSUMER.ACK.${this.stream}.${CONSUMER}`;
      this.#ackWatch = this.link.connection.subscribe(events, {
        callback: () => this.news.tell(),
      });
    }
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      if (--this.#ackWatchers === 0) this.#ackWatch?.unsubscribe();
    };
  }

  /** Throws if the queue has been shut down; makes it if it is gone. */
  async checkOpen(patience: Patience): Promise<void> {
    await this.look(patience);
    if (this.#isShutDown) throw this.shutDownError(patience.what);
    if (!this.#opening.isBegun) await this.opened(patience);
  }

  /** The error of whoever comes too late. */
  shutDownError(what: string): ShutDown {
    return new ShutDown(
      `Cannot ${what}: the queue ${this.name} was shut down`,
    );
  }

  /** How many items are not acknowledged yet. */
  async size(patience: Patience): Promise<number> {
    await this.opened(patience);
    return await this.look(patience);
  }

  /** Waits until every item has been acknowledged. */
  async join(patience: Patience): Promise<void> {
    await this.opened(patience);
    const stop = this.watchAcks();
    try {
      for (;;) {
        const seen = this.news.count;
        if (await this.look(patience.atLeast(1000)) === 0) return;
        if (patience.left() === 0) throw patience.timeoutError();
        await this.news.after(seen, patience, LOOK_AGAIN);
      }
    } finally {
      stop();
    }
  }

  /**
   * Ends the queue. The stream loses the subject that items are put to, so that
   * the servers themselves take none from the next moment on.
   */
  async shutDown(immediate: boolean, patience: Patience): Promise<void> {
    await this.opened(patience);
    try {
      await this.#mark("true", patience);
      if (immediate) {
        const name = `STREAM.PURGE.${this.stream}`;
        await this.link.api(name, {}, patience);
        // The change is the event that those who wait hear of.
        await this.#mark("immediate", patience);
      }
      this.#isShutDown = true;
      this.news.tell();
    } catch (error) {
      throw explained(error, patience.what);
    }
  }

  async #mark(state: string, patience: Patience): Promise<void> {
    const { config } = await this.#info(patience);
    if (config.metadata?.[SHUT_DOWN] === state) return;
    await this.link.api(`STREAM.UPDATE.${this.stream}`, {
      ...config,
      subjects: [`skein.closed.${this.name}`],
      metadata: { ...config.metadata, [SHUT_DOWN]: state },
    }, patience);
  }
}

function isShutDown({ config }: StreamInfo): boolean {
  return config.metadata?.[SHUT_DOWN] !== undefined;
}

/** The result, or `undefined` if the server has no such thing. */
async function unlessMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
