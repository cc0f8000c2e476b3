/**
 * A lock as the servers have it: the last message of a subject. That of a
 * holder lives as long as its lease; the next holder puts its own after it, and
 * the servers take that only if nothing else came in between.
 *
 * @module
 */

import { headers, nuid } from "@nats-io/transport-node";
import { ThreadingError } from "../../threading/mod.ts";
import { ApiError, explained, type Link } from "./link.ts";
import { Line, Moment, News, Once, Patience, Term, unref } from "./patience.ts";

const STREAM = "skein_locks";

/** How often a waiter looks again, should an event have been lost. */
const LOOK_AGAIN = 10_000;

/** How long the servers remember that a lock was released, in seconds. */
const RELEASED = 60;

/** What the last message of a lock says. */
interface State {
  /** Its number; 0 if there is none. */
  readonly sequence: number;
  /** The holder, if there is one. */
  readonly holder: string | undefined;
}

/** A lock as the servers have it. */
export class LockCore {
  readonly #link: Link;
  readonly #name: string;
  readonly #subject: string;
  readonly #lease: number;
  /** Told when the lock is free, or somebody has to look whether it is. */
  readonly #news = new News();
  readonly #opening = new Once((patience) => this.#open(patience));
  /** The number of the last message, when it is known that nobody holds it. */
  #free: number | undefined = 0;
  /** Those of this program who wait; the first of them tries. */
  readonly #line = new Line();
  #watch: { unsubscribe(): void } | undefined;

  private constructor(link: Link, name: string, lease: number) {
    this.#link = link;
    this.#name = name;
    this.#subject = `skein.lock.${name}`;
    this.#lease = lease;
    link.changes.listen(() => this.#news.tell());
  }

  /** The lock of a name. */
  static of(link: Link, name: string, lease: number): LockCore {
    const make = () => new LockCore(link, name, lease);
    return link.shared(`lock ${name} ${lease}`, make);
  }

  #opened(patience: Patience): Promise<void> {
    this.#link.check(patience.what);
    return this.#opening.get(patience);
  }

  async #open(patience: Patience): Promise<void> {
    const { replicas, storage } = this.#link.settings;
    try {
      await this.#link.api(`STREAM.INFO.${STREAM}`, {}, patience).catch(
        (error) => {
          if (!(error instanceof ApiError) || error.status !== 404) throw error;
          return this.#link.api(`STREAM.CREATE.${STREAM}`, {
            name: STREAM,
            subjects: ["skein.lock.>"],
            retention: "limits",
            storage,
            num_replicas: replicas,
            max_msgs_per_subject: 1,
            discard: "old",
            duplicate_window: 120e9,
            allow_msg_ttl: true,
            // The end of a lease is a message, too, which wakes the waiters.
            subject_delete_marker_ttl: RELEASED * 1e9,
            allow_rollup_hdrs: true,
            republish: { src: "skein.lock.>", dest: "skein.locked.>" },
            metadata: { "skein.format": "1" },
          }, patience);
        },
      );
    } catch (error) {
      // Another program has made it meanwhile.
      if (error instanceof ApiError && error.code === 10058) return;
      throw explained(error, patience.what);
    }
  }

  /** Takes the lock, and waits until nobody else holds it. */
  async acquire(patience: Patience): Promise<Hold> {
    await this.#opened(patience);
    const leave = await this.#line.stand(
      patience,
      () => patience.timeoutError(),
    );
    try {
      for (;;) {
        const seen = this.#news.count;
        const hold = await this.#take(patience);
        if (hold !== undefined) return hold;
        if (patience.left() === 0) throw patience.timeoutError();
        // Released or run out before it listens, the lock is free at the next
        // try; afterwards each of both is news.
        if (this.#watch === undefined) this.#listen();
        else await this.#news.after(seen, patience, LOOK_AGAIN);
      }
    } catch (error) {
      throw explained(error, patience.what);
    } finally {
      leave();
      if (this.#line.isEmpty) {
        this.#watch?.unsubscribe();
        this.#watch = undefined;
      }
    }
  }

  #listen(): void {
    this.#watch = this.#link.connection.subscribe(
      `skein.locked.${this.#name}`,
      {
        callback: (error, { headers }) => {
          if (error !== null || headers === undefined) return;
          if (headers.get("Skein-Holder") !== "") return;
          this.#free = Number(headers.get("Nats-Sequence"));
          this.#news.tell();
        },
      },
    );
  }

  /** @returns The hold, or `undefined` if somebody else has the lock. */
  async #take(patience: Patience): Promise<Hold | undefined> {
    const holder = nuid.next();
    for (;;) {
      const free = this.#free ?? await this.#look(patience);
      if (free === undefined) return undefined;
      this.#free = undefined;
      const since = new Moment();
      try {
        const sequence = await this.#claim(holder, free, patience);
        return this.#hold(holder, sequence, since);
      } catch (error) {
        if (!isConflict(error)) throw error;
        const state = await this.#stateAfter(holder, patience);
        // An answer was lost: it is this one's own message that is there.
        if (state.holder === holder) {
          return this.#hold(holder, state.sequence, since);
        }
        if (state.holder !== undefined) return undefined;
        this.#free = state.sequence;
      }
    }
  }

  /**
   * Writes the message of a holder. It goes on when the caller gives up, and
   * then lets the lock go again.
   */
  async #claim(
    holder: string,
    free: number,
    patience: Patience,
  ): Promise<number> {
    const own = Patience.own(patience.what, { timeout: this.#lease });
    const writing = this.#write(holder, free, own);
    let settled = false;
    try {
      const result = await patience.until<
        { sequence: number } | { error: unknown }
      >(
        (settle) =>
          void writing.then(
            (sequence) => settle({ sequence }),
            (error) => settle({ error }),
          ),
        Math.max(patience.left(), 1000),
      );
      if (result === undefined) throw patience.timeoutError();
      settled = true;
      if ("sequence" in result) return result.sequence;
      if (!isConflict(result.error)) void this.#link.owe(this.#undo(holder));
      throw result.error;
    } finally {
      if (!settled) {
        const undoing = writing.then(
          (sequence) => this.release(holder, sequence, own),
          () => this.#undo(holder),
        );
        this.#link.owe(undoing).catch(() => {});
      }
    }
  }

  /** Looks what is there instead of a holder's message, or that message itself. */
  async #stateAfter(holder: string, patience: Patience): Promise<State> {
    try {
      return await this.#state(patience.atLeast(1000));
    } catch (error) {
      void this.#link.owe(this.#undo(holder));
      throw error;
    }
  }

  #hold(holder: string, sequence: number, since: Moment): Hold {
    return new Hold(this, this.#name, this.#lease, holder, sequence, since);
  }

  /** The number after which the lock may be taken, if nobody holds it. */
  async #look(patience: Patience): Promise<number | undefined> {
    const state = await this.#state(patience.atLeast(1000));
    return state.holder === undefined ? state.sequence : undefined;
  }

  async #state(patience: Patience): Promise<State> {
    try {
      const { message } = await this.#link.api<
        { message: { seq: number; hdrs?: string } }
      >(`STREAM.MSG.GET.${STREAM}`, { last_by_subj: this.#subject }, patience);
      const text = atob(message.hdrs ?? "");
      return {
        sequence: message.seq,
        holder: /^Skein-Holder: *(\S+)/m.exec(text)?.[1],
      };
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      return { sequence: 0, holder: undefined };
    }
  }

  /**
   * Writes a message after another one.
   *
   * @param holder The holder from now on; `undefined` for none.
   * @param after The number of the last message.
   * @returns The number of the new one.
   */
  async #write(
    holder: string | undefined,
    after: number,
    patience: Patience,
  ): Promise<number> {
    const h = headers();
    h.set("Nats-Msg-Id", nuid.next());
    h.set("Nats-Expected-Last-Subject-Sequence", String(after));
    const seconds = holder ? Math.ceil(this.#lease / 1000) : RELEASED;
    h.set("Nats-TTL", `${seconds}s`);
    if (holder !== undefined) h.set("Skein-Holder", holder);
    const silent = async () => {
      // Somebody may have deleted the stream.
      this.#opening.forget();
      await this.#opened(patience);
    };
    const { seq } = await this.#link.askJson<{ seq: number }>(
      this.#subject,
      "",
      patience,
      h,
      silent,
    );
    return seq;
  }

  async #undo(holder: string): Promise<void> {
    const patience = Patience.own("release a lock", { timeout: this.#lease });
    try {
      const state = await this.#state(patience);
      if (state.holder !== holder) return;
      await this.#write(undefined, state.sequence, patience);
    } catch {
      // Its lease ends.
    }
  }

  /**
   * Begins a lease anew.
   *
   * @returns The number of the new message; `undefined` if somebody else may
   * hold the lock.
   */
  async renew(
    holder: string,
    sequence: number,
    patience: Patience,
  ): Promise<number | undefined> {
    try {
      return await this.#write(holder, sequence, patience);
    } catch (error) {
      if (!isConflict(error)) throw error;
      const state = await this.#state(patience);
      return state.holder === holder ? state.sequence : undefined;
    }
  }

  /** Lets the lock go, if it is still held. */
  release(holder: string, sequence: number, patience: Patience): Promise<void> {
    return this.#link.owe(this.#release(holder, sequence, patience));
  }

  async #release(
    holder: string,
    sequence: number,
    patience: Patience,
  ): Promise<void> {
    for (let last = sequence;;) {
      try {
        this.#free = await this.#write(undefined, last, patience);
        return;
      } catch (error) {
        if (!isConflict(error)) throw explained(error, patience.what);
        const state = await this.#state(patience);
        if (state.holder !== holder) return;
        last = state.sequence;
      }
    }
  }
}

/** Whether another message came in between. */
function isConflict(error: unknown): boolean {
  return error instanceof ApiError &&
    (error.code === 10071 || error.code === 10164);
}

/** A lock that is held, and renewed until that is stopped. */
export class Hold {
  /** The number of the holder's first message, which only rises. */
  readonly token: bigint;
  /** How long it is certain. */
  readonly term: Term;
  /** The holder. */
  readonly holder: string;
  readonly #core: LockCore;
  readonly #lease: number;
  #sequence: number;
  #since: Moment;
  readonly #stop = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #renewed: (since: Moment) => void = () => {};
  #ended: () => void = () => {};

  constructor(
    core: LockCore,
    name: string,
    lease: number,
    holder: string,
    sequence: number,
    since: Moment,
  ) {
    this.#core = core;
    this.holder = holder;
    this.#lease = lease;
    this.#sequence = sequence;
    this.#since = since;
    this.token = BigInt(sequence);
    this.term = new Term(since, lease, () => lostError(name, lease));
    this.#plan();
  }

  /** The number of the last message. */
  get sequence(): number {
    return this.#sequence;
  }

  /**
   * Tells another thread how it stands.
   *
   * @param renewed Gets the moment from which the lease counts, now and after
   * each renewal.
   * @param ended Called when it is not renewed any more.
   */
  follow(renewed: (since: Moment) => void, ended: () => void): void {
    this.#renewed = renewed;
    this.#ended = ended;
    renewed(this.#since);
  }

  #plan(): void {
    this.#timer = setTimeout(() => this.#renew(), this.#lease / 3);
    unref(this.#timer);
  }

  async #renew(): Promise<void> {
    const { signal } = this.#stop;
    const left = this.term.left();
    if (left === 0) return this.stop();
    const since = new Moment();
    try {
      const options = { timeout: left, signal };
      const patience = Patience.own("renew a lease", options);
      const sequence = await this.#core.renew(
        this.holder,
        this.#sequence,
        patience,
      );
      if (sequence === undefined) {
        this.term.lose();
        return this.stop();
      }
      this.#sequence = sequence;
      this.#since = since;
      this.term.renew(since);
      this.#renewed(since);
    } catch {
      // It is lost when its time has passed, and may be renewed until then.
    }
    if (!signal.aborted) this.#plan();
  }

  /** Renews it no more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#stop.abort();
    this.#ended();
  }
}

/** The error of a lease that was not renewed in time. */
export function lostError(name: string, lease: number): Error {
  return new ThreadingError(
    `Cannot keep the lock ${name} of a cluster: its lease of ${lease} ms could not be renewed`,
  );
}
