/**
 * The simple cache of the chapter's overview: asked by several threads at once,
 * it makes the same item more than once. With a lock it cannot, and a
 * `SharedMap` has a method for just that.
 *
 * The chapter shows no output. This prints, with some number above 1 in its
 * first line:
 *
 *     getitem: made 4 times
 *     getitem with a lock: made 1 time
 *     getOrCreateSync: made 1 time
 *
 * @module
 */

import {
  Barrier,
  Lock,
  sendable,
  SharedMap,
  SharedNumber,
  sleepSync,
  Thread,
} from "@skein/std/threading";

/** How many threads ask for the same item at once. */
const THREADS = 4;

/** A cache that all threads see. */
export class Cache {
  static {
    sendable(import.meta, this);
  }
  lock = new Lock();
  items = new SharedMap<string, string>();
  /** How many items were made. */
  made = new SharedNumber(0);

  /** Makes an item, which takes its time. */
  createNewItem(key: string): string {
    this.made.add(1);
    sleepSync(100);
    return key.toUpperCase();
  }

  /** As in the chapter: another thread may get in between any two lines. */
  getitem(key: string): string {
    let item = this.items.get(key);
    if (item === undefined) {
      // Not in the cache, so make one.
      item = this.createNewItem(key);
      this.items.set(key, item);
    }
    return item;
  }

  /** The same, one thread at a time. */
  getitemLocked(key: string): string {
    using _ = this.lock.acquireSync();
    return this.getitem(key);
  }

  /** The same in one call, where only who wants this very key must wait. */
  getitemOnce(key: string): string {
    return this.items.getOrCreateSync(key, () => this.createNewItem(key));
  }
}

/** The three ways to ask. */
type Way = "getitem" | "getitemLocked" | "getitemOnce";

/** Asks for an item when all other threads do. */
export const ask = sendable(
  import.meta,
  function ask(cache: Cache, way: Way, start: Barrier): string {
    start.waitSync();
    return cache[way]("spam");
  },
);

/** Lets all threads ask an empty cache, and counts the items it makes. */
function countMade(way: Way): number {
  const cache = new Cache();
  const start = new Barrier(THREADS);
  const threads = Array.from(
    { length: THREADS },
    () => new Thread({ target: ask, args: [cache, way, start] }),
  );
  for (const thread of threads) thread.start();
  for (const thread of threads) thread.joinSync();
  return cache.made.value;
}

if (import.meta.main) {
  console.log(`getitem: made ${countMade("getitem")} times`);
  console.log(`getitem with a lock: made ${countMade("getitemLocked")} time`);
  console.log(`getOrCreateSync: made ${countMade("getitemOnce")} time`);
}
