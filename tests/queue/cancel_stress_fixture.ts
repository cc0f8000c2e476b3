import { type Queue, select, selectSync } from "../../queue/mod.ts";
import {
  type Condition,
  type Lock,
  OwnerDiedError,
  type RLock,
  type RwLock,
  type Semaphore,
  sendable,
  type SharedArray,
  type SharedMap,
  shield,
  sleepSync,
} from "../../threading/mod.ts";
import { dice } from "./stress_fixture.ts";

/** What the threads meet in. */
export interface Ground {
  queues: Queue<number>[];
  lock: Lock;
  rlock: RLock;
  rwLock: RwLock;
  semaphore: Semaphore;
  condition: Condition;
  map: SharedMap<string, number>;
  /** Guarded by the three locks: a pair of numbers each that are equal. */
  guarded: SharedArray<Int32Array>;
  /** For each item what became of its put, and how often it was got. */
  puts: SharedArray<Int32Array>;
  gets: SharedArray<Int32Array>;
}

/** What became of a put. */
export const Fate = { tried: 1, done: 2, failed: 3 };

/** How many items a thread puts at most. */
export const ITEMS = 2000;

/** Takes a lock whose last owner may have died. */
function taking<T extends { recover(): void }, R>(
  lock: T,
  take: (lock: T) => R,
): R {
  for (;;) {
    try {
      return take(lock);
    } catch (error) {
      if (!(error instanceof OwnerDiedError)) throw error;
      lock.recover();
    }
  }
}

async function takingAsync<T extends { recover(): void }, R>(
  lock: T,
  take: (lock: T) => Promise<R>,
): Promise<R> {
  for (;;) {
    try {
      return await take(lock);
    } catch (error) {
      if (!(error instanceof OwnerDiedError)) throw error;
      lock.recover();
    }
  }
}

/** In a critical section: both numbers of a pair, one after the other. */
function countPair(view: Int32Array, pair: number): void {
  // A thread that was killed in here has left them apart.
  const n = Math.max(view[2 * pair], view[2 * pair + 1]) + 1;
  view[2 * pair] = n;
  for (let i = 0; i < 20; i++);
  view[2 * pair + 1] = n;
}

/** Does one thing after the other, until it is cancelled or killed. */
export const churn = sendable(
  import.meta,
  async function churn(ground: Ground, first: number, seed: number) {
    const roll = dice(seed);
    const { queues, lock, rlock, rwLock, semaphore, condition } = ground;
    const guarded = ground.guarded.view;
    const puts = ground.puts.view;
    const gets = ground.gets.view;
    let id = first;
    const put = async (queue: Queue<number>) => {
      if (id === first + ITEMS) return;
      const item = id++;
      puts[item] = Fate.tried;
      try {
        const options = roll(3) === 0 ? { timeout: roll(3) } : undefined;
        const how = roll(3);
        if (how === 0) queue.putSync(item, options);
        else if (how === 1) await queue.put(item, options);
        else queue.putManySync([item], options);
      } catch (error) {
        puts[item] = Fate.failed;
        if ((error as Error).name !== "Full") throw error;
        return;
      }
      puts[item] = Fate.done;
    };
    const get = async (queue: Queue<number>) => {
      const options = { timeout: roll(2) === 0 ? roll(2) : 8 };
      const how = roll(6);
      let items: number[];
      try {
        if (how === 0) items = [queue.getSync(options)];
        else if (how === 1) items = [await queue.get(options)];
        else if (how === 2) items = await queue.getMany(3, options);
        else if (how < 5) {
          const cases = [queue, queues[roll(queues.length)]] as const;
          const chosen = how === 3
            ? selectSync(cases, options)
            : await select(cases, options);
          items = [chosen.value as number];
        } else {
          const delivery = roll(2) === 0
            ? queue.receiveSync(options)
            : await queue.receive(options);
          items = [delivery.item];
          delivery.ack();
        }
      } catch (error) {
        const { name } = error as Error;
        if (name !== "Empty" && name !== "TimeoutError") throw error;
        return;
      }
      for (const item of items) Atomics.add(gets, item, 1);
    };
    for (;;) {
      const queue = queues[roll(queues.length)];
      switch (roll(16)) {
        case 0: {
          using _ = taking(lock, (lock) => lock.acquireSync());
          countPair(guarded, 0);
          break;
        }
        case 1: {
          using _ = await takingAsync(lock, (lock) => lock.acquire());
          countPair(guarded, 0);
          await null;
          break;
        }
        case 2: {
          using _ = taking(rlock, (lock) => lock.acquireSync());
          using __ = taking(rlock, (lock) => lock.acquireSync());
          countPair(guarded, 1);
          break;
        }
        case 3: {
          using _ = await takingAsync(
            rwLock,
            (lock) => roll(2) ? lock.acquireWrite() : lock.acquireRead(),
          );
          break;
        }
        case 4: {
          using _ = taking(rwLock, (lock) => lock.acquireWriteSync());
          countPair(guarded, 2);
          break;
        }
        case 5: {
          using _ = roll(2)
            ? semaphore.acquireSync()
            : await semaphore.acquire();
          if (roll(2)) sleepSync(0);
          break;
        }
        case 6: {
          const how = roll(3);
          using _ = taking(condition, (c) => c.acquireSync());
          if (how === 0) condition.notify();
          else {
            try {
              if (how === 1) condition.waitSync({ timeout: 3 });
              else await condition.wait({ timeout: 3 });
            } catch (error) {
              if ((error as Error).name !== "TimeoutError") throw error;
            }
          }
          break;
        }
        case 7: {
          const key = `key ${roll(3)}`;
          if (roll(2)) {
            ground.map.getOrCreateSync(key, () => {
              sleepSync(1);
              return 1;
            });
          } else {
            await ground.map.update(key, async (n = 0) => {
              await shield(() => Promise.resolve());
              return n + 1;
            });
          }
          if (roll(3) === 0) ground.map.delete(key);
          break;
        }
        case 8:
        case 9:
        case 10:
        case 11:
          await put(queue);
          break;
        default:
          await get(queue);
      }
    }
  },
);
