/**
 * The servers that programs on several machines share.
 *
 * @module
 */

import { checkOptions, shown, type WaitOptions } from "../_internal/check.ts";
import { ThreadingError } from "../threading/mod.ts";
import { Channel } from "./_channel.ts";
import type { Host } from "./_handle.ts";
import type { Settings } from "./_core/dial.ts";
import { Link } from "./_core/link.ts";
import { Once, Patience } from "./_core/patience.ts";
import { type ClusterLock, type ClusterLockOptions, makeLock } from "./lock.ts";
import { type ClusterMap, makeMap } from "./map.ts";
import {
  type ClusterQueue,
  type ClusterQueueOptions,
  makeQueue,
} from "./queue.ts";

const CONNECT = "connect to a cluster";

const OPTIONS = ["user", "password", "token", "tls", "replicas", "storage"];

/** The certificates of a connection, in PEM. */
export interface ClusterTls {
  /**
   * The authority that signs the certificates of the servers, if it is not
   * publicly trusted.
   */
  ca?: string;
  /** The certificate of this program, if the servers demand one. */
  cert?: string;
  /** The key of that certificate. */
  key?: string;
}

/** What {@linkcode Cluster.connect} takes. */
export interface ClusterOptions extends WaitOptions {
  /** The name of the user. */
  user?: string;
  /** The password of the user. */
  password?: string;
  /** A token, where the servers have no users. */
  token?: string;
  /** `true`, or certificates, to demand TLS; else the servers decide. */
  tls?: boolean | ClusterTls;
  /**
   * On how many servers each queue, lock and map is kept that this program
   * makes: 1, 3 or 5.
   *
   * @default {1}
   */
  replicas?: number;
  /**
   * Whether they are kept on disk, or in memory until the servers end.
   *
   * @default {"file"}
   */
  storage?: "file" | "memory";
}

/**
 * A connection to NATS servers with JetStream, and what programs on several
 * machines share there.
 *
 * It connects again by itself whenever the connection breaks; the calls under
 * way go on then. It is an `EventTarget`: `disconnected` tells that the
 * connection was lost, `connected` that it is there again.
 *
 * Close it when it is no longer needed, with `await using` or `close()`: it
 * keeps the program running.
 *
 * In a thread or task that is cancelled all calls throw the reason, those under way
 * too, but for `release()` of a lease. What such a call has been given by then goes
 * back to the servers; what it was about to put or to change may have been stored
 * or not.
 *
 * @example
 * ```ts ignore
 * import { Cluster } from "@skein/std/cluster";
 *
 * await using cluster = await Cluster.connect(["10.0.0.1", "10.0.0.2"], {
 *   user: "worker",
 *   password: "secret",
 *   replicas: 3,
 * });
 * cluster.addEventListener("disconnected", () => console.warn("no server"));
 * ```
 */
export class Cluster extends EventTarget
  implements AsyncDisposable, Disposable {
  readonly #settings: Settings;
  readonly #host: Host;
  readonly #opening: Once<Link>;
  #link: Link | undefined;
  #channel: Channel | undefined;
  #closed = false;

  /** @ignore */
  private constructor(settings: Settings) {
    super();
    this.#settings = settings;
    this.#opening = new Once(async (patience) => {
      const link = await Link.open(this.#settings, patience);
      this.#begin(link);
      return link;
    });
    this.#host = {
      link: (patience) => this.#openLink(patience),
      channel: (patience) => this.#openChannel(patience),
    };
  }

  #begin(link: Link): void {
    this.#link = link;
    if (this.#closed) void link.close();
    let connected = true;
    link.changes.listen(() => {
      if (connected === link.connected) return;
      connected = link.connected;
      const type = connected ? "connected" : "disconnected";
      this.dispatchEvent(new Event(type));
    });
  }

  async #openLink(patience: Patience): Promise<Link> {
    this.#check(patience.what);
    return this.#link ?? await this.#opening.get(patience);
  }

  #openChannel(patience: Patience): Channel {
    this.#check(patience.what);
    return this.#channel ??= Channel.open(this.#settings, patience);
  }

  #check(what: string): void {
    if (!this.#closed) return;
    throw new ThreadingError(`Cannot ${what}: the cluster has been closed`);
  }

  /**
   * Connects to one of the servers. It goes on trying until one can be reached,
   * without a `timeout` for ever; an error that no further try would mend is
   * thrown at once.
   *
   * @param servers Where they are: `host`, `host:port`; one or several.
   * @param options The credentials, how data is kept, a timeout in
   * milliseconds, a signal that ends the wait.
   * @returns The cluster.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {Deno.errors.PermissionDenied} If the servers refuse user, password
   * or token.
   * @throws {Deno.errors.InvalidData} If the certificates do not fit.
   * @throws {Deno.errors.NotSupported} If the server is older than 2.12 or has
   * no JetStream.
   * @throws {Deno.errors.NotCapable} If the program may not use the network.
   */
  static async connect(
    servers: string | readonly string[],
    options?: ClusterOptions,
  ): Promise<Cluster> {
    const patience = new Patience(CONNECT, options, OPTIONS);
    const cluster = new Cluster(settingsOf(servers, options));
    cluster.#begin(await Link.open(cluster.#settings, patience));
    return cluster;
  }

  /**
   * Does what `connect` does, and blocks the thread meanwhile. The connection
   * belongs to a thread of its own, which does not keep the program running;
   * all blocking forms (`...Sync`) go through it. The first call of a promise form
   * opens one more, in the event loop of this thread.
   *
   * @param servers Where they are: `host`, `host:port`; one or several.
   * @param options Who asks, how what is made is kept, a timeout in
   * milliseconds.
   * @returns The cluster.
   * @throws As `connect` does.
   */
  static connectSync(
    servers: string | readonly string[],
    options?: Omit<ClusterOptions, "signal">,
  ): Cluster {
    const patience = Patience.ofSync(CONNECT, options, OPTIONS);
    const cluster = new Cluster(settingsOf(servers, options));
    cluster.#openChannel(patience);
    return cluster;
  }

  /**
   * Whether a server is connected now. The answer may be out of date when it
   * arrives.
   *
   * @returns `false` while it looks for a server, and after `close()`.
   */
  connected(): boolean {
    if (this.#closed) return false;
    return this.#link?.connected ?? this.#channel?.connected ?? false;
  }

  /**
   * The queue of a name. It is made on the servers at its first use; a program
   * that gives other options than it was made with gets a RangeError then.
   *
   * @typeParam T The items.
   * @param name Letters, digits, `_` and `-`, in parts joined by dots.
   * @param options What it is made with, if it is not there yet.
   * @returns The queue.
   */
  queue<T>(name: string, options?: ClusterQueueOptions): ClusterQueue<T> {
    return makeQueue<T>(this.#host, name, options);
  }

  /**
   * The lock of a name.
   *
   * @param name Letters, digits, `_` and `-`, in parts joined by dots.
   * @param options After how long without a sign of its holder it is free.
   * @returns The lock.
   */
  lock(name: string, options?: ClusterLockOptions): ClusterLock {
    return makeLock(this.#host, name, options);
  }

  /**
   * The map of a name. It is made on the servers at its first use.
   *
   * @typeParam V The values.
   * @param name Letters, digits, `_` and `-`, in parts joined by dots.
   * @returns The map.
   */
  map<V>(name: string): ClusterMap<V> {
    return makeMap<V>(this.#host, name);
  }

  /** Ends the connection, when what was sent has gone out. */
  async close(): Promise<void> {
    this.closeSync();
    await this.#link?.close();
  }

  /** Ends the connection; does not wait until what was sent has gone out. */
  closeSync(): void {
    this.#closed = true;
    this.#channel?.close();
    void this.#link?.close();
  }

  /** Ends the connection, as `closeSync` does. */
  [Symbol.dispose](): void {
    this.closeSync();
  }

  /** Ends the connection, as `close` does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function settingsOf(
  servers: unknown,
  options: ClusterOptions | undefined,
): Settings {
  const list = typeof servers === "string" ? [servers] : servers;
  if (
    !Array.isArray(list) || list.length === 0 ||
    list.some((server) => typeof server !== "string" || server === "")
  ) {
    throw new TypeError(
      `Cannot ${CONNECT}: servers must be a string or an array of them, received ${
        shown(servers)
      }`,
    );
  }
  const { user, password, token, tls, replicas = 1, storage = "file" } =
    options ?? {};
  for (const [name, value] of Object.entries({ user, password, token })) {
    if (value === undefined || typeof value === "string") continue;
    throw new TypeError(
      `Cannot ${CONNECT}: ${name} must be a string, received a value of type ${typeof value}`,
    );
  }
  checkTls(tls);
  if (![1, 3, 5].includes(replicas)) {
    throw new RangeError(
      `Cannot ${CONNECT}: replicas must be 1, 3 or 5, received ${
        shown(replicas)
      }`,
    );
  }
  if (storage !== "file" && storage !== "memory") {
    throw new TypeError(
      `Cannot ${CONNECT}: storage must be "file" or "memory", received ${
        shown(storage)
      }`,
    );
  }
  return { servers: list, user, password, token, tls, replicas, storage };
}

function checkTls(tls: unknown): void {
  if (tls === undefined || typeof tls === "boolean") return;
  checkOptions(tls, CONNECT, ["ca", "cert", "key"]);
  for (const [name, value] of Object.entries(tls)) {
    if (value === undefined || typeof value === "string") continue;
    throw new TypeError(
      `Cannot ${CONNECT}: ${name} of tls must be a string in PEM, received ${
        shown(value)
      }`,
    );
  }
}
