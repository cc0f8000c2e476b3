/**
 * Locks between machines.
 *
 * @module
 */

import { cancelling } from "../_internal/hooks.ts";
import {
  checkOptions,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/check.ts";
import { getIdent, SharedArray } from "../threading/mod.ts";
import { LockCore, lostError } from "./_core/lock.ts";
import { checkLease, checkName, type Host } from "./_handle.ts";
import { Moment, Patience, Term } from "./_core/patience.ts";
import type { SentHold } from "./_thread.ts";

const ACQUIRE = "acquire a lock of a cluster";
const RELEASE = "release a lock of a cluster";

/** What a lock of a cluster takes. */
export interface ClusterLockOptions {
  /**
   * The milliseconds after which another program can have the lock if its
   * holder is not heard of any more; at least 1000.
   *
   * @default {30000}
   */
  lease?: number;
}

/** Makes the handle of a lock. */
export let makeLock: (
  host: Host,
  name: string,
  options: ClusterLockOptions | undefined,
) => ClusterLock;

/**
 * A lock that programs on several machines share. Whoever has it holds a
 * {@linkcode Lease} of it, which is renewed in the background; it ends when its
 * holder has died, hangs or cannot reach the servers.
 *
 * So a lock alone cannot promise that its former holder has stopped. Send the
 * token of the lease with each change of what the lock guards, and let that
 * refuse a token that is lower than one it has seen.
 *
 * It is made by `lock()` of a {@linkcode Cluster}. It is not reentrant, and
 * only the waiters of one program are served in order.
 *
 * @example
 * ```ts ignore
 * await using lease = await cluster.lock("report").acquire();
 * const { changes } = await database.query(
 *   "UPDATE report SET body = $1, token = $2 WHERE token <= $2",
 *   [body, lease.token],
 * );
 * if (changes === 0) throw new Error("somebody else has the lock by now");
 * ```
 */
export class ClusterLock {
  /** The name. */
  readonly name: string;
  readonly #host: Host;
  readonly #lease: number;

  /** @ignore */
  private constructor(
    host: Host,
    name: string,
    options: ClusterLockOptions | undefined,
  ) {
    const what = "open a lock of a cluster";
    checkName(name, what);
    if (options !== undefined) checkOptions(options, what, ["lease"]);
    const { lease = 30_000 } = options ?? {};
    checkLease(lease, what);
    this.#host = host;
    this.name = name;
    this.#lease = lease;
  }

  static {
    makeLock = (host, name, options) => new ClusterLock(host, name, options);
  }

  /**
   * Takes the lock, and waits until nobody else holds it.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The lease, which releases the lock at the end of an `await using`
   * block.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   */
  async acquire(options?: WaitOptions): Promise<Lease> {
    const patience = new Patience(ACQUIRE, options);
    const core = await this.#open(patience);
    const hold = await core.acquire(patience);
    const { sequence, term } = hold;
    return this.#leaseOf(hold, sequence, term, () => hold.stop());
  }

  /**
   * Takes the lock, and blocks the thread until nobody else holds it. Another
   * thread renews the lease, as long as this one lives.
   *
   * @param options A timeout in milliseconds.
   * @returns The lease, which releases the lock at the end of a `using` block.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   */
  acquireSync(options?: WaitSyncOptions): Lease {
    const patience = Patience.ofSync(ACQUIRE, options);
    const channel = this.#host.channel(patience);
    const since = new SharedArray(Float64Array, 2);
    const target = this.#target;
    const ident = getIdent();
    const sent = channel.ask(
      { op: "acquire", target, ident, since },
      patience,
    ) as SentHold;
    const { view } = since;
    const term = new Term(
      () => new Moment(view[0], view[1]),
      this.#lease,
      () => lostError(this.name, this.#lease),
    );
    const { hold, holder, sequence } = sent;
    const claim = { holder, token: BigInt(sequence) };
    return this.#leaseOf(
      claim,
      sequence,
      term,
      () => channel.post({ op: "letGo", hold, release: false }),
      () => channel.post({ op: "letGo", hold, release: true }),
    );
  }

  get #target() {
    return { lock: this.name, lease: this.#lease };
  }

  async #open(patience: Patience): Promise<LockCore> {
    const link = await this.#host.link(patience);
    return LockCore.of(link, this.name, this.#lease);
  }

  #leaseOf(
    { holder, token }: { holder: string; token: bigint },
    sequence: number,
    term: Term,
    stop: () => void,
    letGo?: () => void,
  ): Lease {
    return makeLease(token, term, {
      stop,
      letGo,
      release: async (patience) => {
        const core = await this.#open(patience);
        await core.release(holder, sequence, patience);
      },
      releaseSync: (patience) =>
        this.#host.channel(patience).call(
          this.#target,
          "release",
          [holder, sequence],
          patience,
        ),
    });
  }
}

/** How a lease is let go. */
interface Ways {
  /** Ends its renewal. */
  stop(): void;
  /** Releases it without waiting, where its thread does not wait for others. */
  letGo?: () => void;
  release(patience: Patience): Promise<void>;
  releaseSync(patience: Patience): void;
}

let makeLease: (token: bigint, term: Term, ways: Ways) => Lease;

/**
 * A lock of a cluster that is held. It is renewed in the background until it is
 * released.
 *
 * @example
 * ```ts ignore
 * await using lease = await lock.acquire();
 * while (!lease.lost.aborted) await step(lease.token);
 * ```
 */
export class Lease implements AsyncDisposable, Disposable {
  /** A number that rises with every lease of the lock. */
  readonly token: bigint;
  readonly #term: Term;
  readonly #ways: Ways;
  #released: Promise<void> | undefined;

  /** @ignore */
  private constructor(token: bigint, term: Term, ways: Ways) {
    this.token = token;
    this.#term = term;
    this.#ways = ways;
  }

  static {
    makeLease = (token, term, ways) => new Lease(token, term, ways);
  }

  /**
   * Aborted when the lease could not be renewed, somewhat before the servers
   * give the lock to somebody else. `aborted` is right at any moment, also in a
   * program that was stopped and goes on, or that does not return to its event
   * loop.
   */
  get lost(): AbortSignal {
    return this.#term.lost;
  }

  /**
   * Releases the lock, and waits until the servers know. A second call, and one
   * after the lease is lost, does nothing.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first: the lock
   * is free at the latest when the lease ends.
   */
  async release(options?: WaitOptions): Promise<void> {
    // What is cancelled releases all the same.
    await cancelling.shield(() => {
      const patience = new Patience(RELEASE, options);
      return this.#released ??= this.#release(patience);
    });
  }

  async #release(patience: Patience): Promise<void> {
    if (this.#end()) await this.#ways.release(patience);
  }

  /**
   * Releases the lock, and blocks the thread until the servers know. A second
   * call, and one after the lease is lost, does nothing.
   *
   * @param options A timeout in milliseconds.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first: the lock
   * is free at the latest when the lease ends.
   */
  releaseSync(options?: WaitSyncOptions): void {
    cancelling.shield(() => {
      const patience = Patience.ofSync(RELEASE, options);
      if (this.#released !== undefined) return;
      this.#released = Promise.resolve();
      if (this.#end()) this.#ways.releaseSync(patience);
    });
  }

  /** @returns Whether it was held until now. */
  #end(): boolean {
    const isHeld = this.#term.left() > 0;
    this.#term.settle();
    this.#ways.stop();
    return isHeld;
  }

  /** Releases the lock; does not wait. */
  [Symbol.dispose](): void {
    const { letGo } = this.#ways;
    if (letGo === undefined) {
      void this[Symbol.asyncDispose]();
    } else if (this.#released === undefined) {
      this.#released = Promise.resolve();
      this.#term.settle();
      letGo();
    }
  }

  /** Releases the lock. */
  async [Symbol.asyncDispose](): Promise<void> {
    // What cannot be told to the servers ends with the lease.
    await this.release({ timeout: 10_000 }).catch(() => {});
  }
}
