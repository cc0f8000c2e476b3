/**
 * A map that threads share.
 *
 * @module
 */

import {
  checkFunction,
  checkIterable,
  checkNotThenable,
  type WaitOptions,
  type WaitSyncOptions,
} from "../../_internal/check.ts";
import { load } from "../_memory/heap.ts";
import {
  counted,
  lookAtWaiters,
  registerClass,
} from "../_memory/shared_class.ts";
import {
  addressOf,
  createObject,
  SharedObject,
} from "../_memory/shared_object.ts";
import {
  abandonClaim,
  attempt,
  attemptAsync,
  type Claim,
  claimAsync,
  claimProtocol,
  claimSync,
  makerOf,
  type Request,
  settle,
} from "./key_lock.ts";
import {
  ABSENT,
  addKey,
  clearKeys,
  copyTable,
  deleteKey,
  deleteKeyIf,
  destroyTable,
  hasKey,
  lookUp,
  MAP_WORDS,
  MapField,
  readNext,
  setKey,
} from "./hash_table.ts";
import { checkInterrupted } from "../_memory/scope.ts";
import { waitSurrender, waitSyncTimeout } from "../_memory/wait.ts";

const UPDATE = "update a key of a SharedMap";
const DELETE = "delete a key of a SharedMap";
const CREATE = "get or create a value of a SharedMap";

/**
 * A map that every thread sees and may change. In order of insertion, like
 * `Map`.
 *
 * Each method is one indivisible step. Keys and values are stored as copies and
 * come out as copies, as if sent to another thread; skein's own objects in them
 * are shared. Changing a copy does not change the map: {@linkcode set} does. A
 * map that is part of its own values is freed only after `clear()`.
 *
 * Keys that are primitive are the same when `Map` says so. Keys that are
 * objects are the same when they have the same content in the same order: so
 * `[1, "a"]` is a good key. Of skein's own objects each is a key of its own.
 *
 * Reading and writing do not wait. {@linkcode update} and
 * {@linkcode getOrCreate} do, while another thread or task is at one of them
 * for the same key; other keys go on meanwhile. If that thread dies, the next
 * one has its turn.
 *
 * @typeParam K The keys.
 * @typeParam V The values.
 *
 * @example Values by name
 * ```ts
 * import { SharedMap } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const ages = new SharedMap([["Ann", 30]]);
 * ages.set("Bob", 40);
 * assertEquals(ages.get("Ann"), 30);
 * assertEquals([...ages.keys()], ["Ann", "Bob"]);
 * ```
 *
 * @example A cache: every item is made once
 * ```ts
 * import { SharedMap } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const cache = new SharedMap<string, number>();
 * let made = 0;
 * const make = (key: string) => {
 *   made++;
 *   return key.length;
 * };
 * assertEquals(cache.getOrCreateSync("spam", make), 4);
 * assertEquals(cache.getOrCreateSync("spam", make), 4);
 * assertEquals(made, 1);
 * ```
 */
export class SharedMap<K, V> extends SharedObject {
  /**
   * Makes a map.
   *
   * @param entries Keys and values that are in it at first.
   * @throws {TypeError} If they are no pairs, or cannot be iterated.
   * @throws {NotSendableError} If a key or value cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   */
  constructor(entries?: Iterable<readonly [K, V]>) {
    const what = "make a SharedMap";
    if (entries !== undefined) checkIterable(entries, what, "entries");
    super(createObject(KIND, MAP_WORDS));
    for (const entry of entries ?? []) {
      checkIterable(entry, what, "an entry");
      const [key, value] = entry;
      this.set(key, value);
    }
  }

  /**
   * The value of a key.
   *
   * @param key The key.
   * @returns A copy of the value, or `undefined` if there is none.
   * @throws {NotSendableError} If the key cannot be sent.
   *
   * @example
   * ```ts
   * import { SharedMap } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const map = new SharedMap([["a", 1]]);
   * assertEquals(map.get("a"), 1);
   * assertEquals(map.get("b"), undefined);
   * ```
   */
  get(key: K): V | undefined {
    const value = lookUp(addressOf(this), key);
    return value === ABSENT ? undefined : value as V;
  }

  /**
   * Gives a key a value.
   *
   * @param key The key.
   * @param value The value.
   * @returns The map.
   * @throws {NotSendableError} If the key or the value cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   *
   * @example
   * ```ts
   * import { SharedMap } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const map = new SharedMap<string, number>();
   * map.set("a", 1).set("a", 2);
   * assertEquals(map.get("a"), 2);
   * ```
   */
  set(key: K, value: V): this {
    setKey(addressOf(this), key, value);
    return this;
  }

  /**
   * Whether a key has a value.
   *
   * @param key The key.
   * @returns Whether it is in the map.
   * @throws {NotSendableError} If the key cannot be sent.
   *
   * @example
   * ```ts
   * import { SharedMap } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * assert(new SharedMap([["a", undefined]]).has("a"));
   * ```
   */
  has(key: K): boolean {
    return hasKey(addressOf(this), key);
  }

  /**
   * Gives a key a value if it has none.
   *
   * @param key The key.
   * @param value The value.
   * @returns Whether it was given the value; `false` if it had one.
   * @throws {NotSendableError} If the key or the value cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   *
   * @example
   * ```ts
   * import { SharedMap } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * const owners = new SharedMap<string, string>();
   * assert(owners.setIfAbsent("job", "Ann"));
   * assert(!owners.setIfAbsent("job", "Bob"));
   * ```
   */
  setIfAbsent(key: K, value: V): boolean {
    return addKey(addressOf(this), key, value);
  }

  /**
   * Takes a key out if a test of its value says so, as one step. If another
   * thread gives it another value while `test` runs, that is tested, too. The
   * map is not locked meanwhile, so `test` may use it.
   *
   * @param key The key.
   * @param test Whether the value is to go.
   * @returns Whether the key was taken out; `false` if there was none.
   * @throws {TypeError} If `test` is not a function, or returns a promise.
   * @throws {NotSendableError} If the key cannot be sent.
   *
   * @example
   * ```ts
   * import { SharedMap } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * const owners = new SharedMap([["job", "Ann"]]);
   * assert(!owners.deleteIf("job", (owner) => owner === "Bob"));
   * assert(owners.deleteIf("job", (owner) => owner === "Ann"));
   * ```
   */
  deleteIf(key: K, test: (value: V) => boolean): boolean {
    checkFunction(test, DELETE, "test");
    return deleteKeyIf(addressOf(this), key, (value) => {
      const result: unknown = test(value as V);
      checkNotThenable(result, DELETE, "test must not return a promise");
      return Boolean(result);
    });
  }

  /**
   * Takes a key out.
   *
   * @param key The key.
   * @returns Whether it was in the map.
   * @throws {NotSendableError} If the key cannot be sent.
   *
   * @example
   * ```ts
   * import { SharedMap } from "@skein/std/threading";
   * import { assert } from "@std/assert";
   *
   * const map = new SharedMap([["a", 1]]);
   * assert(map.delete("a"));
   * assert(!map.delete("a"));
   * ```
   */
  delete(key: K): boolean {
    return deleteKey(addressOf(this), key);
  }

  /**
   * How many keys there are now.
   *
   * @returns The number of keys.
   *
   * @example
   * ```ts
   * import { SharedMap } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new SharedMap([["a", 1]]).size(), 1);
   * ```
   */
  size(): number {
    return load(addressOf(this) + MapField.size);
  }

  /**
   * Takes all keys out.
   *
   * @example
   * ```ts
   * import { SharedMap } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const map = new SharedMap([["a", 1]]);
   * map.clear();
   * assertEquals(map.size(), 0);
   * ```
   */
  clear(): void {
    clearKeys(addressOf(this));
  }

  /**
   * Gives a key a new value made of the old one, as one step: other updates of
   * the key wait for it. A `set` or `delete` of the key does not wait; one that
   * happens while `fn` runs counts as the later of the two, and stays.
   *
   * `fn` may be async, and may use the map, but waiting for another `update` or
   * `getOrCreate` of the same key in it never ends.
   *
   * @param key The key.
   * @param fn Makes the new value of the old one, which is `undefined` if there
   * is none. If it returns its second argument, the key is taken out. If it
   * throws, the map stays as it was.
   * @param options A timeout in milliseconds, a signal that ends the wait for
   * others; `fn` itself is not interrupted.
   * @returns The new value; `undefined` if the key was taken out.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {NotSendableError} If the key or the new value cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If `fn` is not a function or the timeout not a number.
   *
   * @example
   * ```ts
   * import { SharedMap } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const counts = new SharedMap<string, number>();
   * const count = (word: string) => counts.update(word, (n) => (n ?? 0) + 1);
   * await Promise.all(["to", "be", "or", "not", "to", "be"].map(count));
   * assertEquals(counts.get("be"), 2);
   * await counts.update("or", (n, remove) => n! > 1 ? n! - 1 : remove);
   * assertEquals(counts.has("or"), false);
   * ```
   */
  update(
    key: K,
    fn: (value: V | undefined, remove: symbol) => V | PromiseLike<V>,
    options?: WaitOptions,
  ): Promise<V>;
  /** Like the other form, where `fn` may take the key out. */
  update(
    key: K,
    fn: (
      value: V | undefined,
      remove: symbol,
    ) => V | symbol | PromiseLike<V | symbol>,
    options?: WaitOptions,
  ): Promise<V | undefined>;
  async update(
    key: K,
    fn: (
      value: V | undefined,
      remove: symbol,
    ) => V | symbol | PromiseLike<V | symbol>,
    options?: WaitOptions,
  ): Promise<V | undefined> {
    checkFunction(fn, UPDATE, "fn");
    const claim = (await claimFor(this, request(this, key, false), options))!;
    const value = await attemptAsync(claim, () => {
      return fn(claim.read() as V | undefined, REMOVE);
    });
    return settleOrRemove(claim, value as V);
  }

  /**
   * Like {@linkcode update}, and blocks the thread while another one is at it.
   *
   * @param key The key.
   * @param fn Makes the new value of the old one, which is `undefined` if there
   * is none. If it returns its second argument, the key is taken out. If it
   * throws, the map stays as it was.
   * @param options A timeout in milliseconds.
   * @returns The new value; `undefined` if the key was taken out.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {DeadlockError} If this thread itself is at it already.
   * @throws {NotSendableError} If the key or the new value cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If `fn` is not a function or the timeout not a number.
   *
   * @example
   * ```ts
   * import { SharedMap } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const map = new SharedMap([["a", 1]]);
   * assertEquals(map.updateSync("a", (n) => n! * 10), 10);
   * map.updateSync("a", (_, remove) => remove);
   * assertEquals(map.size(), 0);
   * ```
   */
  updateSync(
    key: K,
    fn: (value: V | undefined, remove: symbol) => V,
    options?: WaitSyncOptions,
  ): V;
  /** Like the other form, where `fn` may take the key out. */
  updateSync(
    key: K,
    fn: (value: V | undefined, remove: symbol) => V | symbol,
    options?: WaitSyncOptions,
  ): V | undefined;
  updateSync(
    key: K,
    fn: (value: V | undefined, remove: symbol) => V | symbol,
    options?: WaitSyncOptions,
  ): V | undefined {
    checkFunction(fn, UPDATE, "fn");
    const claim = claimForSync(request(this, key, false), options)!;
    const value = attempt(
      claim,
      () => fn(claim.read() as V | undefined, REMOVE),
    );
    return settleOrRemove(claim, value as V);
  }

  /**
   * The value of a key, made if there is none. However many threads ask at
   * once, one of them makes it and the others wait for that.
   *
   * `make` may be async, and may use the map, but waiting for another `update`
   * or `getOrCreate` of the same key in it never ends.
   *
   * @param key The key.
   * @param make Makes the value of the key. If it throws, the caller gets that
   * error, and the next waiter tries.
   * @param options A timeout in milliseconds, a signal that ends the wait for
   * others; `make` itself is not interrupted.
   * @returns The value: in the thread that made it what `make` returned, else a
   * copy.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {NotSendableError} If the key or the value cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If `make` is not a function or the timeout not a number.
   *
   * @example
   * ```ts
   * import { SharedMap } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const pages = new SharedMap<string, string>();
   * const load = (name: string) => Promise.resolve(`page ${name}`);
   * assertEquals(await pages.getOrCreate("index", load), "page index");
   * ```
   */
  async getOrCreate(
    key: K,
    make: (key: K) => V | PromiseLike<V>,
    options?: WaitOptions,
  ): Promise<V> {
    checkFunction(make, CREATE, "make");
    checkInterrupted();
    for (;;) {
      const found = lookUp(addressOf(this), key);
      if (found !== ABSENT) return found as V;
      const claim = await claimFor(this, request(this, key, true), options);
      if (claim === undefined) continue;
      const value = await attemptAsync(claim, () => make(key));
      return settle(claim, value) ? value : orPresent(this, key, value);
    }
  }

  /**
   * Like {@linkcode getOrCreate}, and blocks the thread while another one makes
   * the value.
   *
   * @param key The key.
   * @param make Makes the value of the key. If it throws, the caller gets that
   * error, and the next waiter tries.
   * @param options A timeout in milliseconds.
   * @returns The value: in the thread that made it what `make` returned, else a
   * copy.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {DeadlockError} If this thread itself is making it.
   * @throws {NotSendableError} If the key or the value cannot be sent.
   * @throws {HeapExhaustedError} If the shared heap is full.
   * @throws {RangeError} If the timeout is negative, NaN or too large.
   * @throws {TypeError} If `make` is not a function or the timeout not a number.
   *
   * @example
   * ```ts
   * import { SharedMap } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const squares = new SharedMap<number, number>();
   * assertEquals(squares.getOrCreateSync(12, (n) => n ** 2), 144);
   * ```
   */
  getOrCreateSync(
    key: K,
    make: (key: K) => V,
    options?: WaitSyncOptions,
  ): V {
    checkFunction(make, CREATE, "make");
    checkInterrupted();
    for (;;) {
      const found = lookUp(addressOf(this), key);
      if (found !== ABSENT) return found as V;
      const claim = claimForSync(request(this, key, true), options);
      if (claim === undefined) continue;
      const value = attempt(claim, () => make(key));
      return settle(claim, value) ? value : orPresent(this, key, value);
    }
  }

  /**
   * A copy of the map as it is at one moment, where the iterators see what
   * changes meanwhile.
   *
   * @returns A `Map` of copies of keys and values, in order of insertion.
   * @throws {HeapExhaustedError} If the shared heap is full.
   *
   * @example
   * ```ts
   * import { SharedMap } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const map = new SharedMap([["a", 1]]);
   * const before = map.snapshot();
   * map.clear();
   * assertEquals(before, new Map([["a", 1]]));
   * ```
   */
  snapshot(): Map<K, V> {
    return copyTable(addressOf(this)) as Map<K, V>;
  }

  /**
   * The keys, in order of insertion. Like a `Map`'s iterator it sees what is
   * added and does not see what is deleted meanwhile.
   *
   * @returns An iterator of copies of the keys.
   *
   * @example
   * ```ts
   * import { SharedMap } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals([...new SharedMap([["a", 1]]).keys()], ["a"]);
   * ```
   */
  *keys(): IterableIterator<K> {
    for (const [key] of this.entries()) yield key;
  }

  /**
   * The values, in order of insertion of their keys. Like a `Map`'s iterator it
   * sees what is added and does not see what is deleted meanwhile.
   *
   * @returns An iterator of copies of the values.
   *
   * @example
   * ```ts
   * import { SharedMap } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals([...new SharedMap([["a", 1]]).values()], [1]);
   * ```
   */
  *values(): IterableIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  /**
   * Keys and values, in order of insertion. Like a `Map`'s iterator it sees
   * what is added and does not see what is deleted meanwhile.
   *
   * @returns An iterator of copies of keys and values.
   *
   * @example
   * ```ts
   * import { SharedMap } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals([...new SharedMap([["a", 1]]).entries()], [["a", 1]]);
   * ```
   */
  *entries(): IterableIterator<[K, V]> {
    const place = { entry: 0, hash: 0, serial: 0 };
    for (;;) {
      const next = readNext(addressOf(this), place);
      if (next === undefined) return;
      yield next as [K, V];
    }
  }

  /**
   * The same as {@linkcode entries}.
   *
   * @returns An iterator of copies of keys and values.
   *
   * @example
   * ```ts
   * import { SharedMap } from "@skein/std/threading";
   * import { assertEquals } from "@std/assert";
   *
   * const ages = new SharedMap([["Ann", 30], ["Bob", 40]]);
   * assertEquals(Object.fromEntries(ages), { Ann: 30, Bob: 40 });
   * ```
   */
  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.entries();
  }
}

/** What `fn` of an update returns to take the key out. */
const REMOVE = Symbol("remove");

function settleOrRemove<V>(claim: Claim, value: V): V | undefined {
  if (value === REMOVE) {
    claim.remove();
    return undefined;
  }
  settle(claim, value);
  return value;
}

/** What a value became that was made while another one was set. */
function orPresent<K, V>(map: SharedMap<K, V>, key: K, value: V): V {
  const found = lookUp(addressOf(map), key);
  return found === ABSENT ? value : found as V;
}

function request<K, V>(
  map: SharedMap<K, V>,
  key: K,
  wantsValue: boolean,
): Request {
  const what = wantsValue ? CREATE : UPDATE;
  return { map: addressOf(map), key, wantsValue, what };
}

async function claimFor(
  owner: SharedObject,
  request: Request,
  options: WaitOptions | undefined,
): Promise<Claim | undefined> {
  const claim = await claimAsync(request, waitSurrender(options, request.what));
  // Until here its handle must not go.
  addressOf(owner);
  return claim;
}

function claimForSync(
  request: Request,
  options: WaitSyncOptions | undefined,
): Claim | undefined {
  return claimSync(request, waitSyncTimeout(options, request.what));
}

const KIND = registerClass(import.meta, {
  constructor: SharedMap,
  destroy: destroyTable,
  look: (map) => [
    counted(load(map + MapField.size), "key"),
    ...lookAtWaiters(map),
  ],
  abandon: abandonClaim,
  protocol: claimProtocol,
  holders: makerOf,
});
