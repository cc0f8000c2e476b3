/**
 * Locks between machines.
 *
 * @module
 */

import { checkOptions } from "../_internal/check.ts";
import type { WaitOptions } from "../_internal/options.ts";
import type { Host } from "./_host.ts";
import { type Hold, LockCore } from "./_lock_core.ts";
import { checkLease, checkName } from "./_options.ts";
import { Patience } from "./_patience.ts";

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
 * So a lock alone cannot promise that its former holder has stopped. What must
 * not be changed by two at once has to be asked for the token of the lease with
 * each change, and to refuse one that is lower than a token it has seen.
 *
 * It is made by `lock()` of a {@linkcode Cluster}. It is not reentrant, and
 * nobody is served in order but those of one program.
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
  #core: LockCore | undefined;

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
    const patience = new Patience("acquire a lock of a cluster", options);
    const link = await this.#host.link(patience);
    this.#core ??= new LockCore(link, this.name, this.#lease);
    return makeLease(await this.#core.acquire(patience));
  }
}

let makeLease: (hold: Hold) => Lease;

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
  readonly #hold: Hold;

  private constructor(hold: Hold) {
    this.#hold = hold;
    this.token = hold.token;
  }

  static {
    makeLease = (hold) => new Lease(hold);
  }

  /**
   * Aborted when the lease could not be renewed, somewhat before the servers
   * give the lock to somebody else. `aborted` is right at any moment, also in a
   * program that was stopped and goes on, or that does not return to its event
   * loop.
   */
  get lost(): AbortSignal {
    return this.#hold.term.lost;
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
    await this.#hold.release(new Patience(RELEASE, options));
  }

  /** Releases the lock; does not wait. */
  [Symbol.dispose](): void {
    this[Symbol.asyncDispose]();
  }

  /** Releases the lock. */
  async [Symbol.asyncDispose](): Promise<void> {
    // What cannot be told to the servers ends with the lease.
    await this.#hold.release(new Patience(RELEASE)).catch(() => {});
  }
}
