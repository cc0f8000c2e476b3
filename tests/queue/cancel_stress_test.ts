import { assert, assertEquals } from "@std/assert";
import { LifoQueue, PriorityQueue, Queue } from "../../queue/mod.ts";
import {
  Condition,
  Lock,
  OwnerDiedError,
  RLock,
  RwLock,
  Semaphore,
  setExcepthook,
  SharedArray,
  SharedMap,
  Thread,
} from "../../threading/mod.ts";
import { assertHeapBackTo, settleHeap } from "../threading/heap_words.ts";
import { SEED, STRESS } from "../threading/shared_support.ts";
import { churn, Fate, type Ground, ITEMS } from "./cancel_stress_fixture.ts";
import { dice, Hooked } from "./stress_fixture.ts";

const told: unknown[] = [];
setExcepthook(({ error }) => void told.push(error));

const PERMITS = 3;
const TIMEOUT = 60_000;

interface Plan {
  rounds: number;
  threads: number;
  /** One of so many threads is killed and not cancelled. */
  killOneOf: number;
}

/** Takes what has been released by then, or is poisoned by a dead owner. */
function assertFree(lock: {
  acquireSync(options: { timeout: number }): { release(): void };
  recover(): void;
}): void {
  try {
    lock.acquireSync({ timeout: TIMEOUT }).release();
  } catch (error) {
    if (!(error instanceof OwnerDiedError)) throw error;
    lock.recover();
    lock.acquireSync({ timeout: TIMEOUT }).release();
  }
}

async function run({ rounds, threads, killOneOf }: Plan, seed: number) {
  const roll = dice(seed);
  const total = rounds * threads * ITEMS;
  const inner = new Lock();
  const ground: Ground = {
    queues: [
      new Queue(2),
      new Queue(),
      new LifoQueue(3),
      new PriorityQueue(3),
      new Hooked(2),
    ],
    lock: new Lock(),
    rlock: new RLock(),
    rwLock: new RwLock(),
    semaphore: new Semaphore(PERMITS),
    condition: new Condition(inner),
    map: new SharedMap(),
    guarded: new SharedArray(Int32Array, 6),
    puts: new SharedArray(Int32Array, total),
    gets: new SharedArray(Int32Array, total),
  };
  let kills = 0;
  let first = 0;
  for (let round = 0; round < rounds; round++) {
    const going = Array.from({ length: threads }, () => {
      const thread = new Thread({
        target: churn,
        args: [ground, first, roll(2 ** 30)],
      });
      first += ITEMS;
      thread.start();
      return thread;
    });
    await new Promise((resolve) => setTimeout(resolve, roll(40)));
    for (const thread of going) {
      if (roll(killOneOf) === 0) {
        kills++;
        thread.terminate();
      } else {
        thread.cancel(
          new RangeError(thread.name),
          roll(3) === 0 ? { grace: TIMEOUT } : {},
        );
      }
      if (roll(2) === 0) {
        await new Promise((resolve) => setTimeout(resolve, roll(3)));
      }
    }
    for (const thread of going) {
      const error = await thread.join({ timeout: TIMEOUT }).then(
        () => assert(false, "it returned"),
        (error) => error,
      );
      const { name, message } = error as Error;
      assert(
        message === thread.name ||
          message === `The thread ${thread.name} was terminated`,
        `${name}: ${message}`,
      );
      thread.free();
    }
    // Only a dead owner leaves a lock taken, or the numbers apart.
    for (const each of [ground.lock, ground.rlock, inner]) {
      if (killOneOf === Infinity) assert(!each.locked());
      assertFree(each);
    }
    if (killOneOf === Infinity) {
      const [a, b, c, d, e, f] = ground.guarded.view;
      assertEquals([a, c, e], [b, d, f]);
      assertEquals(
        ground.semaphore.acquireManyNowait(PERMITS)?.release(),
        undefined,
      );
      assert(!ground.rwLock.locked() && ground.rwLock.readers() === 0);
    } else if (ground.rwLock.locked()) {
      ground.rwLock.recover();
    }
    if (killOneOf !== Infinity) {
      // The permits of the dead are lost.
      ground.semaphore = new Semaphore(PERMITS);
    }
  }
  for (const queue of ground.queues) {
    for (const item of queue.drain()) ground.gets.view[item]++;
  }
  let missing = 0;
  for (let id = 0; id < first; id++) {
    const got = ground.gets.view[id];
    const put = ground.puts.view[id];
    assert(got <= 1, `${id} was got ${got} times`);
    if (put === Fate.done && got === 0) missing++;
    if (put === Fate.failed || put === 0) {
      assertEquals(got, 0, `${id} was not put`);
    }
  }
  // What a killed thread had just got.
  assert(missing <= kills * 3, `${missing} items are missing`);
  for (const part of Object.values(ground)) {
    if (Array.isArray(part)) { for (const queue of part) queue.free(); }
    else part.free();
  }
  inner.free();
  assertEquals(told.splice(0), []);
}

for (
  const [name, killOneOf] of [["", Infinity], [" beside killing", 4]] as const
) {
  Deno.test(`Thread.cancel() loses nothing under stress${name} (SKEIN_SEED=${SEED})`, async () => {
    await run({ rounds: 3, threads: 4, killOneOf }, SEED + 1);
    const before = await settleHeap();
    const rounds = Math.ceil((killOneOf === Infinity ? 30 : 12) * STRESS);
    await run({ rounds, threads: 4, killOneOf }, SEED);
    await assertHeapBackTo(before, 1000);
  });
}
