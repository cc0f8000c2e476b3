import { Empty, Full, Queue, ShutDown } from "../../queue/mod.ts";
import { Lock, sendable, type SharedArray } from "../../threading/mod.ts";

/** What became of a put, in the words of `puts`. */
export const Put = { tried: 1, done: 2, failed: 3 };
/** The most items of a batch. */
export const BATCH = 8;

/** A queue with hooks that is first-in first-out. */
export class Hooked<T> extends Queue<T> {
  static {
    sendable(import.meta, this);
  }
  protected override _put(item: T): void {
    this.queue.insert(0, item);
  }
  protected override _get(): T {
    return this.queue.pop()!;
  }
}

/** Compares numbers. */
export const byNumber = sendable(
  import.meta,
  function byNumber(a: unknown, b: unknown): number {
    return (a as number) - (b as number);
  },
);

/** Numbers from 0 to below n, the same for the same seed. */
export function dice(seed: number): (n: number) => number {
  let state = seed | 1;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}

type Words = SharedArray<Int32Array>;

/** An item of one of several sizes that holds a number. */
function itemOf(id: number, numbersOnly: boolean): unknown {
  if (numbersOnly || id % 4 < 2) return id;
  if (id % 4 === 2) return { id, text: "x".repeat(id % 100) };
  return { id, lock: id % 16 === 3 ? new Lock() : undefined };
}

function idOf(item: unknown): number {
  if (typeof item === "number") return item;
  const { id, lock } = item as { id: number; lock?: Lock };
  lock?.free();
  return id;
}

/** Puts `count` items with the numbers from `first` on in all forms. */
export const produce = sendable(
  import.meta,
  async function produce(
    queue: Queue<unknown>,
    puts: Words,
    first: number,
    count: number,
    seed: number,
    numbersOnly: boolean,
  ) {
    const roll = dice(seed);
    const words = puts.view;
    for (let id = first; id < first + count;) {
      const size = Math.min(
        roll(3) === 0 ? 1 + roll(BATCH) : 1,
        first + count - id,
        queue.maxsize || BATCH,
      );
      const ids = Array.from({ length: size }, () => id++);
      const items = ids.map((id) => itemOf(id, numbersOnly));
      for (const id of ids) words[id] = Put.tried;
      try {
        await putSomehow(queue, items, roll);
        for (const id of ids) words[id] = Put.done;
      } catch (error) {
        for (const id of ids) words[id] = Put.failed;
        if (!(error instanceof Full || error === GAVE_UP)) throw error;
      }
      for (const item of items) freeLock(item);
    }
    // An idle worker may keep what it has not collected for a while.
    queue.free();
    puts.free();
  },
);

function freeLock(item: unknown): void {
  if (typeof item === "object") (item as { lock?: Lock }).lock?.free();
}

const GAVE_UP = "gave up";

async function putSomehow(
  queue: Queue<unknown>,
  items: unknown[],
  roll: (n: number) => number,
): Promise<void> {
  const [item] = items;
  const one = items.length === 1;
  switch (roll(16)) {
    case 0:
      return one ? queue.putNowait(item) : queue.putManyNowait(items);
    case 1: {
      const timeout = roll(3);
      return one
        ? queue.putSync(item, { timeout })
        : queue.putManySync(items, { timeout });
    }
    case 2: {
      const timeout = roll(3);
      return one
        ? await queue.put(item, { timeout })
        : await queue.putMany(items, { timeout });
    }
    case 3: {
      const controller = new AbortController();
      const { signal } = controller;
      const put = one
        ? queue.put(item, { signal })
        : queue.putMany(items, { signal });
      if (roll(2) === 0) controller.abort(GAVE_UP);
      else setTimeout(() => controller.abort(GAVE_UP), roll(3));
      return await put;
    }
    case 4:
      return one ? await queue.put(item) : await queue.putMany(items);
    default:
      return one ? queue.putSync(item) : queue.putManySync(items);
  }
}

/** Gets items in all forms until the queue is shut down. */
export const consume = sendable(
  import.meta,
  async function consume(queue: Queue<unknown>, gets: Words, seed: number) {
    const roll = dice(seed);
    const words = gets.view;
    for (;;) {
      try {
        for (const item of await getSomehow(queue, roll)) {
          Atomics.add(words, idOf(item), 1);
          queue.taskDone();
        }
      } catch (error) {
        if (error instanceof ShutDown) break;
        if (!(error instanceof Empty || error === GAVE_UP)) throw error;
      }
    }
    queue.free();
    gets.free();
  },
);

async function getSomehow(
  queue: Queue<unknown>,
  roll: (n: number) => number,
): Promise<unknown[]> {
  switch (roll(16)) {
    case 0:
      return [queue.getNowait()];
    case 1:
      return [queue.getSync({ timeout: roll(3) })];
    case 2:
      return [await queue.get({ timeout: roll(3) })];
    case 3: {
      const controller = new AbortController();
      const { signal } = controller;
      const get = queue.get({ signal });
      if (roll(2) === 0) controller.abort(GAVE_UP);
      else setTimeout(() => controller.abort(GAVE_UP), roll(3));
      return [await get];
    }
    case 4:
      return [await queue.get()];
    case 5:
      return await queue.getMany(BATCH);
    case 6:
      return queue.getManyNowait(1 + roll(BATCH));
    case 7:
      return queue.getManySync(1 + roll(BATCH));
    default:
      return [queue.getSync()];
  }
}
