import { assert, assertEquals } from "@std/assert";
import {
  Barrier,
  Condition,
  Event,
  Lock,
  RLock,
  Semaphore,
  SharedArray,
  Thread,
} from "../../threading/mod.ts";
import { SEED, STRESS } from "./shared_support.ts";
import {
  buffer,
  exclude,
  excludeTasks,
  gather,
  type Part,
  share,
  signal,
} from "./stress_fixture.ts";
import { echo } from "./wait_fixture.ts";

const THREADS = 8;
/** A wake-up that is lost shows as a test that does not end. */
const TIMEOUT_MS = 60_000 * STRESS;
const SEEDED = `(SKEIN_SEED=${SEED})`;

type Start = (part: Part) => Thread<unknown, never>;

/** Runs eight threads, every other one in promise form. */
async function stress(
  times: number,
  words: SharedArray<Int32Array>,
  make: Start,
): Promise<unknown[]> {
  const threads = Array.from({ length: THREADS }, (_, index) =>
    make({
      index,
      promise: index % 2 === 1,
      times: times * STRESS,
      seed: SEED + index * 1000,
      words,
    }));
  // Alone, so that Deno checks the types of a worker once and not eight times.
  const first = new Thread({ target: echo, args: [0] });
  first.start();
  await first.join();
  for (const thread of threads) thread.start();
  try {
    const joins = threads.map((thread) => thread.join({ timeout: TIMEOUT_MS }));
    return await Promise.all(joins);
  } finally {
    for (const thread of threads) {
      thread.terminate();
      thread.free();
    }
  }
}

const makeWords = () => new SharedArray(Int32Array, 4);

for (const Class of [Lock, RLock]) {
  Deno.test(`${Class.name} excludes eight threads ${SEEDED}`, async () => {
    const lock = new Class();
    const words = makeWords();
    await stress(
      3000,
      words,
      (part) => new Thread({ target: exclude, args: [lock, part] }),
    );
    assertEquals(words.view[0], 3000 * STRESS * THREADS);
    assert(!lock.locked());
  });

  Deno.test(`${Class.name} excludes the tasks of eight threads ${SEEDED}`, async () => {
    const lock = new Class();
    const words = makeWords();
    await stress(600, words, (part) =>
      new Thread({
        target: excludeTasks,
        args: [lock, { ...part, promise: true }],
      }));
    assertEquals(words.view[0], 600 * STRESS * THREADS * 3);
    assert(!lock.locked());
  });
}

for (const Class of [Lock, RLock]) {
  Deno.test(`Condition(${Class.name}) loses no item between eight threads ${SEEDED}`, async () => {
    const lock = new Class();
    const [notEmpty, notFull] = [new Condition(lock), new Condition(lock)];
    const words = makeWords();
    await stress(
      400,
      words,
      (part) =>
        new Thread({ target: buffer, args: [notEmpty, notFull, 3, part] }),
    );
    const half = 400 * STRESS * THREADS / 2;
    assertEquals([...words.view], [0, half, half, 0]);
    assert(!lock.locked());
  });
}

Deno.test(`Semaphore never gives more permits than it has to eight threads ${SEEDED}`, async () => {
  const semaphore = new Semaphore(3);
  const words = makeWords();
  await stress(
    1000,
    words,
    (part) => new Thread({ target: share, args: [semaphore, 3, part] }),
  );
  assertEquals(words.view[0], 0);
  for (let i = 0; i < 3; i++) assert(semaphore.acquireNowait());
  assertEquals(semaphore.acquireNowait(), undefined);
});

Deno.test(`Event wakes all of eight threads ${SEEDED}`, async () => {
  const events = [new Event(), new Event(), new Event()];
  const done = new Event();
  const others = THREADS - 1;
  await stress(
    200,
    makeWords(),
    (part) =>
      new Thread({ target: signal, args: [events, done, others, part] }),
  );
});

Deno.test(`Barrier gathers eight threads ${SEEDED}`, async () => {
  const barrier = new Barrier(THREADS);
  const words = makeWords();
  const places = await stress(
    500,
    words,
    (part) => new Thread({ target: gather, args: [barrier, part] }),
  ) as number[];
  assertEquals(words.view[0], 500 * STRESS * THREADS);
  const sum = places.reduce((sum, place) => sum + place, 0);
  assertEquals(sum, 500 * STRESS * (THREADS * (THREADS - 1) / 2));
  assertEquals(barrier.nWaiting(), 0);
});
