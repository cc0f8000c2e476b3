/**
 * Putting items into a queue of the servers, and waiting for room.
 *
 * @module
 */

import { headers, nuid } from "@nats-io/transport-node";
import { Full } from "../../queue/mod.ts";
import { ApiError, explained } from "./link.ts";
import { isPatience, Line, type Patience } from "./patience.ts";
import { LOOK_AGAIN, type QueueStream } from "./stream.ts";

/** The first pauses of a put whose event came before the room itself. */
const SOON = [1, 4, 16, 64];

/** The half of a queue that items are put into. */
export class Putting {
  readonly #queue: QueueStream;
  /** The puts that wait for room; the first of them tries. */
  readonly #line = new Line();

  constructor(queue: QueueStream) {
    this.#queue = queue;
  }

  /** Puts one item. */
  async put(
    bytes: Uint8Array,
    id: string | undefined,
    patience: Patience,
  ): Promise<void> {
    const own = id === undefined
      ? `~${nuid.next()}`
      : `=${encodeURIComponent(id)}`;
    await this.putAs(bytes, { "Nats-Msg-Id": own }, patience);
  }

  /** Puts one item under headers of its own. */
  async putAs(
    bytes: Uint8Array,
    fields: Record<string, string>,
    patience: Patience,
  ): Promise<void> {
    await this.#queue.opened(patience);
    this.#checkSize(bytes, patience.what);
    await this.#waitForRoom(patience, async () => {
      const h = headers();
      for (const [name, value] of Object.entries(fields)) h.set(name, value);
      const silent = () => this.#queue.checkOpen(patience);
      const subject = this.#queue.subject;
      await this.#queue.link.askJson(subject, bytes, patience, h, silent);
    });
  }

  /** Puts all items or none. */
  async putMany(
    items: readonly Uint8Array[],
    patience: Patience,
  ): Promise<void> {
    const { maxsize } = await this.#queue.opened(patience);
    for (const bytes of items) this.#checkSize(bytes, patience.what);
    if (maxsize > 0 && items.length > maxsize) {
      throw new RangeError(
        `Cannot ${patience.what}: the queue has room for ${maxsize} at once, received ${items.length}`,
      );
    }
    if (items.length === 0) {
      if (this.#queue.isShutDown) {
        throw this.#queue.shutDownError(patience.what);
      }
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
    const { connection } = this.#queue.link;
    for (;;) {
      await this.#queue.link.ready(patience);
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
        connection.publish(this.#queue.subject, items[i], {
          headers: headersOf(i),
        });
      }
      const h = headersOf(last);
      h.set("Nats-Batch-Commit", "1");
      try {
        // Unanswered, it is sent as a whole again, under another batch.
        const once = patience.between(1000, 5000);
        const silent = () => this.#queue.checkOpen(patience);
        await this.#queue.link.askJson(
          this.#queue.subject,
          items[last],
          once,
          h,
          silent,
        );
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
    if (this.#line.isEmpty && await this.#fits(patience, attempt)) return;
    const leave = await this.#line.stand(
      patience,
      () => this.#fullError(patience.what),
    );
    const stop = this.#queue.watchAcks();
    try {
      for (let soon = SOON.length;;) {
        const seen = this.#queue.news.count;
        if (await this.#fits(patience, attempt)) return;
        if (patience.left() === 0) throw this.#fullError(patience.what);
        const most = SOON[soon] ?? LOOK_AGAIN;
        const told = await this.#queue.news.after(seen, patience, most);
        soon = told ? 0 : Math.min(soon + 1, SOON.length);
      }
    } finally {
      stop();
      leave();
    }
  }

  /** @returns Whether there was room. */
  async #fits(
    patience: Patience,
    attempt: () => Promise<void>,
  ): Promise<boolean> {
    if (this.#queue.isShutDown) await this.#queue.checkOpen(patience);
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

  #fullError(what: string): Full {
    return new Full(
      `Cannot ${what}: the queue ${this.#queue.name} has no room, and the timeout has passed`,
    );
  }

  #checkSize(bytes: Uint8Array, what: string): void {
    const most = this.#queue.link.maxItem;
    if (bytes.length <= most) return;
    throw new RangeError(
      `Cannot ${what}: the server takes items of up to ${most} bytes, received one of ${bytes.length}`,
    );
  }
}
