/**
 * Maps between machines.
 *
 * @module
 */

import {
  checkFunction,
  shown,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/check.ts";
import { decode } from "./_wire/decode.ts";
import { encode } from "./_wire/encode.ts";
import { type Entry, MapCore } from "./_core/map.ts";
import { checkName, type Host } from "./_handle.ts";
import { Patience } from "./_core/patience.ts";

/** A value and the revision that it has. */
export interface ClusterEntry<V> {
  /** The value. */
  readonly value: V;
  /** A number that rises with every change of the map. */
  readonly revision: number;
}

/** A change of a map, as {@linkcode ClusterMap.watch} tells it. */
export type ClusterChange<V> =
  | {
    /** The key. */
    readonly key: string;
    /** Whether it was deleted. */
    readonly deleted: false;
    /** Its new value. */
    readonly value: V;
    /** The revision of the change. */
    readonly revision: number;
  }
  | {
    /** The key. */
    readonly key: string;
    /** Whether it was deleted. */
    readonly deleted: true;
    /** It has none any more. */
    readonly value: undefined;
    /** The revision of the change. */
    readonly revision: number;
  };

/** What {@linkcode ClusterMap.set} and `delete` take. */
export interface ClusterSetOptions extends WaitOptions {
  /**
   * The revision that the key must have, or 0 if it must have no value; else
   * nothing is changed.
   */
  revision?: number;
}

/** What {@linkcode ClusterMap.watch} takes. */
export interface ClusterWatchOptions extends WaitOptions {
  /** The key to watch, if not all. */
  key?: string;
}

/** What an update returns to delete the key. */
export interface ClusterRemove {
  /** What it does, so that no other value is taken for it. */
  readonly removes: true;
}

const UPDATE = "update a value of a map";

const REMOVE: ClusterRemove = Object.freeze({ removes: true });

/** Makes the handle of a map. */
export let makeMap: <V>(host: Host, name: string) => ClusterMap<V>;

/**
 * A map of strings to values that programs on several machines share. Each
 * change has a revision, so that two who change the same key at once notice it.
 *
 * It is made by `map()` of a {@linkcode Cluster}, as a bucket of NATS's
 * key-value store.
 *
 * @typeParam V The values.
 *
 * @example
 * ```ts ignore
 * const counts = cluster.map<number>("counts");
 * await counts.update("visits", (old = 0) => old + 1);
 * console.log(await counts.get("visits")); // { value: 1, revision: 1 }
 * ```
 */
export class ClusterMap<V> {
  /** The name. */
  readonly name: string;
  readonly #host: Host;

  /** @ignore */
  private constructor(host: Host, name: string) {
    checkName(name, "open a map of a cluster");
    this.#host = host;
    this.name = name;
  }

  static {
    makeMap = (host, name) => new ClusterMap(host, name);
  }

  /**
   * The value of a key.
   *
   * @param key The key.
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The value with its revision; `undefined` if it has none.
   * @throws {Deno.errors.InvalidData} If the value cannot be read.
   */
  async get(
    key: string,
    options?: WaitOptions,
  ): Promise<ClusterEntry<V> | undefined> {
    const what = "get a value of a map";
    checkKey(key, what);
    const patience = new Patience(what, options);
    const core = await this.#open(patience);
    return readEntry(await core.get(key, patience));
  }

  /**
   * Does what `get` does, and blocks the thread meanwhile.
   *
   * @param key The key.
   * @param options A timeout in milliseconds.
   * @returns The value with its revision; `undefined` if it has none.
   */
  getSync(key: string, options?: WaitSyncOptions): ClusterEntry<V> | undefined {
    const what = "get a value of a map";
    checkKey(key, what);
    return readEntry(this.#getSync(key, Patience.ofSync(what, options)));
  }

  /**
   * Sets the value of a key. The value is copied at once.
   *
   * @param key The key.
   * @param value The value.
   * @param options The revision that it must have, a timeout in milliseconds, a
   * signal that ends the wait.
   * @returns The new revision; `undefined` if the key has another revision than
   * it must have, and nothing was changed.
   * @throws {NotSendableError} If the value cannot be sent to another machine.
   * @throws {RangeError} If it is larger than the servers allow.
   */
  async set(
    key: string,
    value: V,
    options: ClusterSetOptions & { revision: number },
  ): Promise<number | undefined>;
  /**
   * Sets the value of a key, whatever it was. The value is copied at once.
   *
   * @param key The key.
   * @param value The value.
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The new revision.
   */
  async set(
    key: string,
    value: V,
    options?: WaitOptions & { revision?: undefined },
  ): Promise<number>;
  async set(
    key: string,
    value: V,
    options?: ClusterSetOptions,
  ): Promise<number | undefined> {
    const what = "set a value of a map";
    checkKey(key, what);
    const patience = new Patience(what, options, ["revision"]);
    checkRevision(options?.revision, what);
    const bytes = encode(value, "value");
    const core = await this.#open(patience);
    return await core.setOrMake(key, bytes, options?.revision, patience);
  }

  /**
   * Does what `set` does, and blocks the thread meanwhile.
   *
   * @param key The key.
   * @param value The value.
   * @param options The revision that it must have, a timeout in milliseconds.
   * @returns The new revision; `undefined` if the key has another revision than
   * it must have, and nothing was changed.
   */
  setSync(
    key: string,
    value: V,
    options: Omit<ClusterSetOptions, "signal"> & { revision: number },
  ): number | undefined;
  /**
   * Does what `set` does, and blocks the thread meanwhile.
   *
   * @param key The key.
   * @param value The value.
   * @param options A timeout in milliseconds.
   * @returns The new revision.
   */
  setSync(
    key: string,
    value: V,
    options?: WaitSyncOptions & { revision?: undefined },
  ): number;
  setSync(
    key: string,
    value: V,
    options?: Omit<ClusterSetOptions, "signal">,
  ): number | undefined {
    const what = "set a value of a map";
    checkKey(key, what);
    const patience = Patience.ofSync(what, options, ["revision"]);
    checkRevision(options?.revision, what);
    const bytes = encode(value, "value");
    return this.#call("setOrMake", [key, bytes, options?.revision], patience);
  }

  /**
   * Deletes a key.
   *
   * @param key The key.
   * @param options The revision that it must have, a timeout in milliseconds, a
   * signal that ends the wait.
   * @returns Whether it had a value, and the revision that it must have.
   */
  async delete(key: string, options?: ClusterSetOptions): Promise<boolean> {
    const what = "delete a key of a map";
    checkKey(key, what);
    const patience = new Patience(what, options, ["revision"]);
    checkRevision(options?.revision, what);
    const core = await this.#open(patience);
    return await core.delete(key, options?.revision, patience);
  }

  /**
   * Does what `delete` does, and blocks the thread meanwhile.
   *
   * @param key The key.
   * @param options The revision that it must have, a timeout in milliseconds.
   * @returns Whether it had a value, and the revision that it must have.
   */
  deleteSync(
    key: string,
    options?: Omit<ClusterSetOptions, "signal">,
  ): boolean {
    const what = "delete a key of a map";
    checkKey(key, what);
    const patience = Patience.ofSync(what, options, ["revision"]);
    checkRevision(options?.revision, what);
    return this.#call("delete", [key, options?.revision], patience);
  }

  /**
   * Changes the value of a key to what a function makes of it. If somebody else
   * changes it meanwhile, the function is called again with the new value.
   *
   * @param key The key.
   * @param fn Gets the value, `undefined` if there is none, and what to return
   * to delete the key; returns the new value.
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The new value with its revision; `undefined` if the key was
   * deleted.
   */
  async update(
    key: string,
    fn: (
      old: V | undefined,
      remove: ClusterRemove,
    ) => V | ClusterRemove | Promise<V | ClusterRemove>,
    options?: WaitOptions,
  ): Promise<ClusterEntry<V> | undefined> {
    checkKey(key, UPDATE);
    checkFunction(fn, UPDATE, "fn");
    const patience = new Patience(UPDATE, options);
    const core = await this.#open(patience);
    for (;;) {
      const entry = await core.get(key, patience);
      const value = await fn(readEntry<V>(entry)?.value, REMOVE);
      const change = changeOf(entry, value);
      if (change === undefined) return undefined;
      const { bytes, expected } = change;
      const revision = await core.set(key, bytes, expected, patience);
      if (revision !== undefined) return changed(value, revision);
      if (patience.left() === 0) throw patience.timeoutError();
    }
  }

  /**
   * Does what `update` does, and blocks the thread meanwhile.
   *
   * @param key The key.
   * @param fn Gets the value, `undefined` if there is none, and what to return
   * to delete the key; returns the new value.
   * @param options A timeout in milliseconds.
   * @returns The new value with its revision; `undefined` if the key was
   * deleted.
   */
  updateSync(
    key: string,
    fn: (old: V | undefined, remove: ClusterRemove) => V | ClusterRemove,
    options?: WaitSyncOptions,
  ): ClusterEntry<V> | undefined {
    checkKey(key, UPDATE);
    checkFunction(fn, UPDATE, "fn");
    const patience = Patience.ofSync(UPDATE, options);
    for (;;) {
      const entry = this.#getSync(key, patience);
      const value = fn(readEntry<V>(entry)?.value, REMOVE);
      const change = changeOf(entry, value);
      if (change === undefined) return undefined;
      const { bytes, expected } = change;
      const args = [key, bytes, expected];
      const revision = this.#call<number | undefined>("set", args, patience);
      if (revision !== undefined) return changed(value, revision);
      if (patience.left() === 0) throw patience.timeoutError();
    }
  }

  /**
   * The keys that have values, in no order.
   *
   * @param options A timeout in milliseconds, a signal that ends the wait.
   * @returns The keys.
   */
  async keys(options?: WaitOptions): Promise<string[]> {
    const patience = new Patience("get the keys of a map", options);
    const core = await this.#open(patience);
    return await core.keys(patience);
  }

  /**
   * Does what `keys` does, and blocks the thread meanwhile.
   *
   * @param options A timeout in milliseconds.
   * @returns The keys.
   */
  keysSync(options?: WaitSyncOptions): string[] {
    const patience = Patience.ofSync("get the keys of a map", options);
    return this.#call("keys", [], patience);
  }

  /**
   * Gives the values of the keys, and then each change. A slow reader may miss
   * values that were replaced meanwhile, but never the last one.
   *
   * @param options The key, if not all are watched; a timeout for the
   * beginning; a signal that ends the watch.
   * @returns An iterator of changes, which ends when the cluster is closed.
   * @throws The signal's reason, when it is aborted.
   */
  watch(
    options?: ClusterWatchOptions,
  ): AsyncGenerator<ClusterChange<V>, void, void> {
    const what = "watch a map";
    const patience = new Patience(what, options, ["key"]);
    if (options?.key !== undefined) checkKey(options.key, what);
    return this.#watch(options?.key, patience);
  }

  async *#watch(
    watched: string | undefined,
    patience: Patience,
  ): AsyncGenerator<ClusterChange<V>, void, void> {
    const link = await this.#host.link(patience);
    let watch: Awaited<ReturnType<MapCore["watch"]>>;
    try {
      watch = await MapCore.of(link, this.name).watch(watched, patience);
    } catch (error) {
      if (link.isClosed) return;
      throw error;
    }
    const { changes, stop } = watch;
    const forget = patience.follow(stop);
    try {
      for await (const { key, bytes, revision } of changes) {
        patience.check();
        yield bytes === undefined
          ? { key, deleted: true, value: undefined, revision }
          : {
            key,
            deleted: false,
            value: decode(bytes, "value") as V,
            revision,
          };
      }
      patience.check();
    } finally {
      forget();
      stop();
    }
  }

  async #open(patience: Patience): Promise<MapCore> {
    const link = await this.#host.link(patience);
    return MapCore.of(link, this.name);
  }

  /** Calls a method in the thread of the blocking forms. */
  #call<R>(method: string, args: readonly unknown[], patience: Patience): R {
    const target = { map: this.name };
    return this.#host.channel(patience).call<R>(target, method, args, patience);
  }

  #getSync(key: string, patience: Patience): Entry | undefined {
    return this.#call<Entry | undefined>("get", [key], patience);
  }
}

function readEntry<V>(entry: Entry | undefined): ClusterEntry<V> | undefined {
  if (entry?.bytes === undefined) return undefined;
  const value = decode(entry.bytes, "value") as V;
  return { value, revision: entry.revision };
}

/** What an update has to write, if anything. */
function changeOf(entry: Entry | undefined, value: unknown) {
  if (value === REMOVE && entry?.bytes === undefined) return undefined;
  const bytes = value === REMOVE ? undefined : encode(value, "value");
  return { bytes, expected: entry?.revision ?? 0 };
}

function changed<V>(
  value: V | ClusterRemove,
  revision: number,
): ClusterEntry<V> | undefined {
  return value === REMOVE ? undefined : { value: value as V, revision };
}

function checkKey(key: unknown, what: string): asserts key is string {
  if (typeof key !== "string") {
    throw new TypeError(
      `Cannot ${what}: a key must be a string, received ${shown(key)}`,
    );
  }
  if (key !== "" && key.length <= 500 && key.isWellFormed()) return;
  throw new RangeError(
    `Cannot ${what}: a key has 1 to 500 characters, received ${shown(key)}`,
  );
}

function checkRevision(revision: unknown, what: string): void {
  if (revision === undefined) return;
  if (typeof revision !== "number") {
    throw new TypeError(
      `Cannot ${what}: revision must be a number, received ${shown(revision)}`,
    );
  }
  if (Number.isSafeInteger(revision) && revision >= 0) return;
  throw new RangeError(
    `Cannot ${what}: revision must be an integer from 0, received ${revision}`,
  );
}
