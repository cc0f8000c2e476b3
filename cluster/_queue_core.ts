/**
 * A queue as the servers have it: a stream that keeps each item until it is
 * acknowledged, and one durable consumer that all receivers share.
 *
 * @module
 */

import {
  createInbox,
  headers,
  type Msg,
  nuid,
  type Subscription,
} from "@nats-io/transport-node";
import { deadline } from "@std/async/deadline";
import { Empty, Full, ShutDown } from "../queue/mod.ts";
import { ApiError, explained, type Link } from "./_link.ts";
import { isPatience, Moment, News, Once, Patience } from "./_patience.ts";

const CONSUMER = "skein";

/** How long one question for items stands, in milliseconds. */
const LONG_POLL = 5000;

/** How often those who wait look again, should an event have been lost. */
const LOOK_AGAIN = 2000;

/** The first pauses of a put whose event came before the room itself. */
const SOON = [1, 4, 16, 64];

/** What was given when the queue was opened; `undefined` takes what there is. */
export interface QueueSettings {
  readonly maxsize?: number;
  readonly lease?: number;
  readonly maxDeliveries?: number;
}

/** Why an item is in a queue of dead ones. */
export interface Death {
  /** What the last receiver said, or that its lease ended. */
  readonly error: string;
  /** How often the item was received. */
  readonly deliveries: number;
}

/** An item on its way to a receiver, as bytes. */
export interface Arrival {
  readonly bytes: Uint8Array;
  readonly id: string | undefined;
  readonly deliveries: number;
  readonly died: Death | undefined;
  /** Where the receiver answers. */
  readonly reply: string;
  /** A moment at which its lease had certainly not begun. */
  readonly since: Moment;
  /** The lease, in milliseconds. */
  readonly lease: number;
}

interface StreamInfo {
  config: Record<string, unknown> & {
    subjects: string[];
    max_msgs: number;
    metadata?: Record<string, string>;
  };
  state: { messages: number };
}

interface Opened {
  readonly maxsize: number;
  readonly lease: number;
  readonly maxDeliveries: number;
}

/** A queue as the servers have it. */
export class QueueCore {
  readonly #link: Link;
  readonly #settings: QueueSettings;
  readonly #name: string;
  readonly #stream: string;
  readonly #subject: string;
  /** Told when the stream changes, and while somebody waits at each ack. */
  readonly #news = new News();
  readonly #opening = new Once((patience) => this.#open(patience));
  #isShutDown = false;
  /** The puts that wait for room, in order; the first of them tries. */
  readonly #line: Array<() => void> = [];
  #ackWatchers = 0;
  #ackWatch: { unsubscribe(): void } | undefined;

  private constructor(link: Link, name: string, settings: QueueSettings) {
    this.#link = link;
    this.#name = name;
    this.#settings = settings;
    this.#stream = `skein_queue_${name.replaceAll(".", "=")}`;
    this.#subject = `skein.queue.${name}`;
    link.changes.listen(() => this.#news.tell());
  }

  /** The queue of a name. */
  static of(link: Link, name: string, settings: QueueSettings): QueueCore {
    const { maxsize, lease, maxDeliveries } = settings;
    return link.shared(
      `queue ${name} ${maxsize} ${lease} ${maxDeliveries}`,
      () => new QueueCore(link, name, settings),
    );
  }

  /** What the queue has, after it was made if there was none. */
  opened(patience: Patience): Promise<Opened> {
    this.#link.check(patience.what);
    return this.#opening.get(patience);
  }

  async #open(patience: Patience): Promise<Opened> {
    const { maxsize = 0, lease = 30_000, maxDeliveries = Infinity } =
      this.#settings;
    const api = <T>(name: string, body: object) =>
      this.#link.api<T>(name, body, patience);
    try {
      let info = await unlessMissing(
        api<StreamInfo>(`STREAM.INFO.${this.#stream}`, {}),
      );
      info ??= await this.#create(maxsize, maxDeliveries, patience);
      const consumer = await unlessMissing(
        api<{ config: { ack_wait: number } }>(
          `CONSUMER.INFO.${this.#stream}.${CONSUMER}`,
          {},
        ),
      ) ?? await api<{ config: { ack_wait: number } }>(
        `CONSUMER.CREATE.${this.#stream}.${CONSUMER}`,
        {
          stream_name: this.#stream,
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
    const { replicas, storage } = this.#link.settings;
    const body = {
      name: this.#stream,
      subjects: [this.#subject],
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
    const name = `STREAM.CREATE.${this.#stream}`;
    return this.#link.api<StreamInfo>(name, body, patience)
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
        `Cannot open a queue of a cluster: ${this.#name} has been made with ${key} ${there}, received ${value}`,
      );
    }
  }

  #info(patience: Patience): Promise<StreamInfo> {
    return this.#link.api(`STREAM.INFO.${this.#stream}`, {}, patience);
  }

  /** Learns whether the queue has been shut down, and how many items it has. */
  async #look(patience: Patience): Promise<number> {
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
    const events = `$JS.EVENT.ADVISORY.STREAM.*.${this.#stream}`;
    this.#link.connection.subscribe(events, {
      callback: () => {
        const patience = new Patience("watch a queue", { timeout: 10_000 });
        this.#look(patience).then(() => this.#news.tell(), () => {});
      },
    });
  }

  /** From now on each acknowledgement is news, until the result is called. */
  #watchAcks(): () => void {
    if (this.#ackWatchers++ === 0) {
      const events =
        `$JS.EVENT.METRIC.CONSUMER.ACK.${this.#stream}.${CONSUMER}`;
      this.#ackWatch = this.#link.connection.subscribe(events, {
        callback: () => this.#news.tell(),
      });
    }
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      if (--this.#ackWatchers === 0) this.#ackWatch?.unsubscribe();
    };
  }

  // Putting

  /** Puts one item. */
  async put(
    bytes: Uint8Array,
    id: string | undefined,
    patience: Patience,
  ): Promise<void> {
    const own = id === undefined
      ? `~${nuid.next()}`
      : `=${encodeURIComponent(id)}`;
    await this.#putAs(bytes, { "Nats-Msg-Id": own }, patience);
  }

  async #putAs(
    bytes: Uint8Array,
    fields: Record<string, string>,
    patience: Patience,
  ): Promise<void> {
    await this.opened(patience);
    this.#checkSize(bytes, patience.what);
    await this.#waitForRoom(patience, async () => {
      const h = headers();
      for (const [name, value] of Object.entries(fields)) h.set(name, value);
      const silent = () => this.#checkOpen(patience);
      const subject = this.#subject;
      await this.#link.askJson(subject, bytes, patience, h, silent);
    });
  }

  /** Puts all items or none. */
  async putMany(
    items: readonly Uint8Array[],
    patience: Patience,
  ): Promise<void> {
    const { maxsize } = await this.opened(patience);
    for (const bytes of items) this.#checkSize(bytes, patience.what);
    if (maxsize > 0 && items.length > maxsize) {
      throw new RangeError(
        `Cannot ${patience.what}: the queue has room for ${maxsize} at once, received ${items.length}`,
      );
    }
    if (items.length === 0) {
      if (this.#isShutDown) throw this.#shutDownError(patience.what);
      return;
    }
    const ids = items.map(() => `~${nuid.next()}`);
    await this.#waitForRoom(patience, async () => {
      try {
        await this.#sendBatch(items, ids, patience);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        // These ids have been taken: an earlier try was heard.
        if (error.code === 10201) return;
        if (/too large/.test(error.description)) {
          throw new RangeError(
            `Cannot ${patience.what}: ${error.description}, received ${items.length}`,
          );
        }
        throw error;
      }
    });
  }

  async #sendBatch(
    items: readonly Uint8Array[],
    ids: readonly string[],
    patience: Patience,
  ): Promise<void> {
    const { connection } = this.#link;
    for (;;) {
      await this.#link.ready(patience);
      const batch = nuid.next();
      const headersOf = (i: number) => {
        const h = headers();
        h.set("Nats-Batch-Id", batch);
        h.set("Nats-Batch-Sequence", String(i + 1));
        h.set("Nats-Msg-Id", ids[i]);
        return h;
      };
      const last = items.length - 1;
      for (let i = 0; i < last; i++) {
        connection.publish(this.#subject, items[i], { headers: headersOf(i) });
      }
      const h = headersOf(last);
      h.set("Nats-Batch-Commit", "1");
      try {
        // Unanswered, it is sent as a whole again, under another batch.
        const once = patience.between(1000, 5000);
        const silent = () => this.#checkOpen(patience);
        await this.#link.askJson(this.#subject, items[last], once, h, silent);
        return;
      } catch (error) {
        const isLost = isPatience(error) ||
          // Its beginning did not arrive.
          error instanceof ApiError &&
            /incomplete|unknown/i.test(error.description);
        if (!isLost) throw error;
        if (patience.left() === 0) throw patience.timeoutError(error);
      }
    }
  }

  /**
   * Tries to put until there is room.
   *
   * The first of the line listens to the acknowledgements before it tries; so
   * room that is made after its try wakes it. An event can come shortly before
   * the room that it tells of, and can be lost with a server or a connection:
   * the first is met by some tries in short succession, the second by looking
   * again now and then.
   */
  async #waitForRoom(
    patience: Patience,
    attempt: () => Promise<void>,
  ): Promise<void> {
    if (this.#line.length === 0 && await this.#fits(patience, attempt)) return;
    const leave = await this.#standInLine(patience);
    const stop = this.#watchAcks();
    try {
      for (let soon = SOON.length;;) {
        const seen = this.#news.count;
        if (await this.#fits(patience, attempt)) return;
        if (patience.left() === 0) throw this.#fullError(patience.what);
        const most = SOON[soon] ?? LOOK_AGAIN;
        const told = await this.#news.after(seen, patience, most);
        soon = told ? 0 : Math.min(soon + 1, SOON.length);
      }
    } finally {
      stop();
      leave();
    }
  }

  async #standInLine(patience: Patience): Promise<() => void> {
    const line = this.#line;
    let turn = () => {};
    const entry = () => turn();
    const leave = () => {
      const place = line.indexOf(entry);
      line.splice(place, 1);
      if (place === 0) line[0]?.();
    };
    line.push(entry);
    if (line[0] === entry) return leave;
    try {
      const first = await patience.until<true>((settle) => {
        turn = () => settle(true);
      });
      if (first !== undefined) return leave;
      throw this.#fullError(patience.what);
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** @returns Whether there was room. */
  async #fits(
    patience: Patience,
    attempt: () => Promise<void>,
  ): Promise<boolean> {
    if (this.#isShutDown) await this.#checkOpen(patience);
    try {
      await attempt();
      return true;
    } catch (error) {
      const full = error instanceof ApiError &&
        /maximum messages/.test(error.description);
      if (full) return false;
      throw explained(error, patience.what);
    }
  }

  /** Throws if the queue has been shut down; makes it if it is gone. */
  async #checkOpen(patience: Patience): Promise<void> {
    await this.#look(patience);
    if (this.#isShutDown) throw this.#shutDownError(patience.what);
    if (!this.#opening.isBegun) await this.opened(patience);
  }

  #fullError(what: string): Full {
    return new Full(
      `Cannot ${what}: the queue ${this.#name} has no room, and the timeout has passed`,
    );
  }

  #shutDownError(what: string): ShutDown {
    return new ShutDown(
      `Cannot ${what}: the queue ${this.#name} was shut down`,
    );
  }

  #checkSize(bytes: Uint8Array, what: string): void {
    const most = this.#link.maxItem;
    if (bytes.length <= most) return;
    throw new RangeError(
      `Cannot ${what}: the server takes items of up to ${most} bytes, received one of ${bytes.length}`,
    );
  }

  // Receiving

  /**
   * Takes items: one, or what there is up to a number.
   *
   * The question for an item stands with the servers, which answer it when
   * there is one; it is asked again every few seconds, since it can be lost with
   * a server, and since the lease counts from the question. After a shutdown
   * each acknowledgement may be the last one, so they are listened to before
   * the items are counted.
   *
   * @throws {Empty} If the patience ends first.
   * @throws {ShutDown} If the queue was shut down and every item is done.
   */
  async receive(most: number, patience: Patience): Promise<Arrival[]> {
    let stop: (() => void) | undefined;
    try {
      const { lease } = await this.opened(patience);
      for (let first = true;; first = false) {
        await this.#link.ready(patience);
        const seen = this.#news.count;
        const left = patience.left();
        if (this.#isShutDown) stop ??= this.#watchAcks();
        if (!first || left === 0 || this.#isShutDown) {
          await this.#checkDone(patience);
        }
        const noWait = left === 0 || first && most > 1;
        const expires = noWait
          ? 0
          : Math.max(Math.min(LONG_POLL, lease / 3, left), 1);
        const outcome = await this.#pull(most, expires, seen, patience);
        const arrivals = await this.#living(outcome, lease, patience);
        if (arrivals.length > 0) return arrivals;
        if (outcome.error !== undefined) {
          throw explained(outcome.error, patience.what);
        }
        if (outcome.gone) this.#opening.forget();
        if (outcome.pause) await patience.pause(100);
        if (left === 0) throw this.#emptyError(patience.what);
        await this.opened(patience);
      }
    } catch (error) {
      if (!isPatience(error)) throw error;
      throw this.#emptyError(patience.what, error);
    } finally {
      stop?.();
    }
  }

  #emptyError(what: string, cause?: unknown): Empty {
    return new Empty(
      `Cannot ${what}: the queue ${this.#name} has no item, and the timeout has passed`,
      { cause },
    );
  }

  /** Throws if nothing can come any more. */
  async #checkDone(patience: Patience): Promise<void> {
    const items = await this.#look(patience.atLeast(1000));
    if (this.#isShutDown && items === 0) {
      throw this.#shutDownError(patience.what);
    }
  }

  /**
   * Asks the servers once for items.
   *
   * An item can be on its way when the wait ends. So the subscription is kept
   * until the server has confirmed that it sends nothing more; what arrives till
   * then is taken when the time has passed, and given back when the wait was
   * aborted.
   *
   * @param batch How many; one if they are waited for.
   * @param expires How long the servers may wait; 0 asks for what is there.
   * @param seen The news that are known.
   */
  async #pull(
    batch: number,
    expires: number,
    seen: number,
    patience: Patience,
  ): Promise<Outcome> {
    const { connection } = this.#link;
    const outcome: Outcome = {
      messages: [],
      since: new Moment(),
      pause: false,
      gone: false,
    };
    const inbox = createInbox();
    const wanted = expires === 0 ? batch : 1;
    let abandoned = false;
    let settle = () => {};
    const subscription = connection.subscribe(inbox, {
      // One answer, an item or a word about it, ends the question for one.
      ...wanted === 1 && { max: 1 },
      callback: (error, message) => {
        if (error !== null) outcome.error = error;
        else if (message.subject === inbox) note(message, outcome);
        else if (abandoned) return this.#giveBack(message);
        else if (outcome.messages.push(message) < wanted) return;
        settle();
      },
    });
    const question = expires === 0
      ? { batch, no_wait: true }
      : { batch: 1, expires: Math.ceil(expires * 1e6) };
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.#stream}.${CONSUMER}`;
    connection.publish(subject, JSON.stringify(question), { reply: inbox });
    try {
      const most = expires === 0 ? 1000 : expires + 500;
      await patience.until<true>((resolve) => {
        settle = () => resolve(true);
        const look = () => {
          if (!this.#link.connected || this.#isShutDown) settle();
        };
        if (this.#news.count !== seen) look();
        return this.#news.listen(look);
      }, Math.min(most, Math.max(patience.left(), 1000)));
      if (outcome.messages.length < wanted) await settled(subscription);
      return outcome;
    } catch (error) {
      abandoned = true;
      for (const message of outcome.messages) this.#giveBack(message);
      void settled(subscription);
      throw error;
    }
  }

  #giveBack(message: Msg): void {
    if (message.reply === undefined || !this.#link.connected) return;
    this.#link.connection.publish(message.reply, "-NAK");
  }

  /** The items that may be received; the others go to the queue of dead ones. */
  async #living(
    { messages, since }: Outcome,
    lease: number,
    patience: Patience,
  ): Promise<Arrival[]> {
    const { maxDeliveries } = await this.opened(patience);
    const arrivals: Arrival[] = [];
    try {
      for (const message of messages) {
        const arrival = arrivalOf(message, since, lease);
        if (arrival.deliveries <= maxDeliveries) arrivals.push(arrival);
        else {
          const error = "its lease ended without an answer";
          const before = { ...arrival, deliveries: arrival.deliveries - 1 };
          await this.#bury(before, error, patience.atLeast(1000));
        }
      }
      return arrivals;
    } catch (error) {
      for (const message of messages) this.#giveBack(message);
      throw error;
    }
  }

  // Answering

  /** Says that an item has been dealt with. */
  async acknowledge(arrival: Arrival, patience: Patience): Promise<void> {
    await this.#link.ask(arrival.reply, "+ACK", patience);
  }

  /** Prolongs the lease of an item. */
  async extend(arrival: Arrival, patience: Patience): Promise<void> {
    await this.#link.ask(arrival.reply, "+WPI", patience);
  }

  /** Gives an item back. */
  async giveBack(
    arrival: Arrival,
    delay: number,
    error: string | undefined,
    patience: Patience,
  ): Promise<void> {
    const { maxDeliveries } = await this.opened(patience);
    if (arrival.deliveries >= maxDeliveries) {
      await this.#bury(arrival, error ?? "it was given back", patience);
      return;
    }
    const nak = delay > 0
      ? `-NAK ${JSON.stringify({ delay: Math.ceil(delay * 1e6) })}`
      : "-NAK";
    await this.#link.ask(arrival.reply, nak, patience);
  }

  /** The same without an answer, where nobody can wait for it. */
  letGo(arrival: Arrival, delay: number, error: string | undefined): void {
    const patience = new Patience("give an item back", {
      timeout: arrival.lease,
    });
    this.giveBack(arrival, delay, error, patience).catch(() => {});
  }

  /**
   * Moves an item to the queue of dead ones. It is put there first and then
   * acknowledged here: whoever dies in between leaves it to the next receiver,
   * and its number keeps it from being put there twice.
   */
  async #bury(
    arrival: Arrival,
    error: string,
    patience: Patience,
  ): Promise<void> {
    const dead = QueueCore.of(this.#link, `${this.#name}.dead`, {});
    await dead.#putAs(arrival.bytes, {
      "Nats-Msg-Id": `!${numberOf(arrival.reply)}`,
      "Skein-Error": shortened(error),
      "Skein-Deliveries": String(arrival.deliveries),
      ...arrival.id !== undefined &&
        { "Skein-Id": encodeURIComponent(arrival.id) },
    }, patience);
    await this.acknowledge(arrival, patience);
  }

  // The whole of it

  /** How many items are not acknowledged yet. */
  async size(patience: Patience): Promise<number> {
    await this.opened(patience);
    return await this.#look(patience);
  }

  /** Waits until every item has been acknowledged. */
  async join(patience: Patience): Promise<void> {
    await this.opened(patience);
    const stop = this.#watchAcks();
    try {
      for (;;) {
        const seen = this.#news.count;
        if (await this.#look(patience.atLeast(1000)) === 0) return;
        if (patience.left() === 0) throw patience.timeoutError();
        await this.#news.after(seen, patience, LOOK_AGAIN);
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
        const name = `STREAM.PURGE.${this.#stream}`;
        await this.#link.api(name, {}, patience);
        // The change is the event that those who wait hear of.
        await this.#mark("immediate", patience);
      }
      this.#isShutDown = true;
      this.#news.tell();
    } catch (error) {
      throw explained(error, patience.what);
    }
  }

  async #mark(state: string, patience: Patience): Promise<void> {
    const { config } = await this.#info(patience);
    if (config.metadata?.[SHUT_DOWN] === state) return;
    await this.#link.api(`STREAM.UPDATE.${this.#stream}`, {
      ...config,
      subjects: [`skein.closed.${this.#name}`],
      metadata: { ...config.metadata, [SHUT_DOWN]: state },
    }, patience);
  }
}

const SHUT_DOWN = "skein.shutDown";

interface Outcome {
  readonly messages: Msg[];
  /** Before the question was asked. */
  readonly since: Moment;
  error?: unknown;
  /** Whether the servers need a moment. */
  pause: boolean;
  /** Whether the stream or its consumer is not there any more. */
  gone: boolean;
}

/** Reads the word of a server that comes instead of an item. */
function note({ headers }: Msg, outcome: Outcome): void {
  const code = headers?.code ?? 503;
  const text = headers?.description ?? "";
  if (code === 404 || code === 408) return;
  if (/deleted|consumer not found|stream not found/i.test(text)) {
    outcome.gone = true;
  }
  outcome.pause = true;
}

function arrivalOf(message: Msg, since: Moment, lease: number): Arrival {
  const { headers } = message;
  const get = (name: string) => headers?.get(name) ?? "";
  const own = get("Nats-Msg-Id");
  const error = get("Skein-Error");
  const id = error !== "" && get("Skein-Id") !== ""
    ? get("Skein-Id")
    : own.startsWith("=")
    ? own.slice(1)
    : undefined;
  const reply = message.reply!;
  return {
    bytes: message.data,
    id: id === undefined ? undefined : readable(id),
    deliveries: Number(answerParts(reply)[2]),
    died: error === "" ? undefined : {
      error: readable(error),
      deliveries: Number(get("Skein-Deliveries")),
    },
    reply,
    since,
    lease,
  };
}

/** The stream, consumer, deliveries, sequence … of a subject for answers. */
function answerParts(reply: string): string[] {
  const parts = reply.split(".");
  // Later forms have a domain and an account before the stream.
  return parts.slice(parts.length === 9 ? 2 : 4);
}

/** What no other item has: its number, and when it was put. */
function numberOf(reply: string): string {
  const [stream, , , sequence, , time] = answerParts(reply);
  return `${stream}.${sequence}.${time}`;
}

/** A text as a header that is not too long. */
function shortened(text: string): string {
  for (let length = 1000;; length >>= 1) {
    const header = encodeURIComponent(text.slice(0, length).toWellFormed());
    if (header.length <= 1500) return header;
  }
}

function readable(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isShutDown({ config }: StreamInfo): boolean {
  return config.metadata?.[SHUT_DOWN] !== undefined;
}

/** Waits until the server has confirmed that it sends nothing more. */
async function settled(subscription: Subscription): Promise<void> {
  if (subscription.isClosed()) return;
  await deadline(subscription.drain(), 1000).catch(() => {});
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
