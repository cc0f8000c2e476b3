import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  asCompletedSync,
  DeadlockError,
  enumerate,
  Event,
  Lock,
  Queue,
  RLock,
  SharedNumber,
  ShutDown,
  Thread,
  ThreadPool,
  threadStates,
} from "../../mod.ts";
import {
  block,
  contend,
  keepProducer,
  nap,
  relay,
  set,
  setAtLast,
  setByChild,
  setBySignal,
  setByTimer,
  setInLoop,
  takeOne,
} from "./deadlock_fixture.ts";
import { runDeno } from "../threading/run_program.ts";
import { SEED, STRESS, waitFor } from "../threading/shared_support.ts";

/** Whether so many other threads wait for something. */
const areWaiting = (count: number) =>
  threadStates().slice(1).filter((state) => state.waitsFor).length >= count;

/** Asserts that a wait is found to be without an end, and soon. */
function assertStuck(wait: () => void): string {
  const start = performance.now();
  const { message } = assertThrows(wait, DeadlockError);
  // Workers that idle do so for ten seconds.
  assert(performance.now() - start < 8_000, "it took too long");
  return message;
}

const KINDS = {
  "an Event": { make: () => new Event(), free: (it: Event) => it.set() },
  "a Lock": {
    make: () => new Lock(),
    free: (it: Lock) => it.release(),
  },
  "a Queue": {
    make: () => new Queue<number>(),
    free: (it: Queue<number>) => it.putSync(1),
  },
};

for (const [name, { make, free }] of Object.entries(KINDS)) {
  Deno.test(`DeadlockError: the result of a task that waits at ${name}`, async () => {
    const what = make();
    for (const size of [1, 3]) {
      // In the promise form nobody knows who is to release it.
      if (what instanceof Lock) await what.acquire();
      using pool = new ThreadPool({ size });
      const future = pool.submitSync(block, [what]);
      const message = assertStuck(() => future.resultSync());
      assertMatch(
        message,
        /^Cannot get the result of a task: this would never end, since every thread waits, and the timers and promises of a blocked thread stand still\n {4}MainThread .*waits for the result of a task\n {4}ThreadPool-\d+-1 waits for (Event|Lock|Queue) \d$/,
      );
      assertStuck(() => future.resultSync());
      free(what as never);
      future.resultSync();
      if (what instanceof Event) what.clear();
    }
  });
}

Deno.test("DeadlockError: in runSync, mapSync and asCompletedSync", () => {
  for (const size of [1, 3]) {
    const event = new Event();
    using pool = new ThreadPool({ size });
    assertStuck(() => pool.runSync(block, [event]));
    for (const ordered of [true, false]) {
      assertStuck(() => {
        const items = Array.from({ length: 10 }, () => event);
        for (const _ of pool.mapSync(block, items, { ordered }));
      });
    }
    const futures = [1, 2, 3].map(() => pool.submitSync(block, [event]));
    const message = assertStuck(() => {
      for (const _ of asCompletedSync(futures));
    });
    assertStringIncludes(
      message,
      "MainThread waits for one of several objects",
    );
    event.set();
    for (const future of futures) future.resultSync();
  }
});

Deno.test("DeadlockError: a task that no worker is left for", () => {
  const event = new Event();
  using pool = new ThreadPool({ size: 2, maxPending: 1 });
  const futures = [1, 2].map(() => pool.submitSync(block, [event]));
  waitFor(() => areWaiting(2));
  const last = pool.submitSync(set, [event]);
  const lines = assertStuck(() => last.resultSync()).split("\n");
  assertEquals(lines.length, 4, lines.join("\n"));
  const room = assertStuck(() => pool.submitSync(set, [event]));
  assertStringIncludes(room, "MainThread waits for room in a pool\n");
  const end = assertStuck(() => pool.shutdownSync());
  assertStringIncludes(end, "MainThread waits for the end of a pool\n");
  event.set();
  for (const future of [...futures, last]) future.resultSync();
});

Deno.test("DeadlockError: workers without work do not count", async () => {
  const thread = new Thread({ target: nap, args: [1] });
  thread.start();
  await thread.join();
  using pool = new ThreadPool({ size: 3 });
  for (const _ of pool.mapSync(nap, [20, 20, 20], { chunk: 1 }));
  const event = new Event();
  // Both, though one could be woken.
  assertStuck(() => event.waitSync());
  const future = pool.submitSync(block, [event]);
  assertEquals(assertStuck(() => future.resultSync()).split("\n").length, 3);
  const waiting = new Thread({ target: block, args: [event], daemon: true });
  waiting.start();
  assertEquals(assertStuck(() => event.waitSync()).split("\n").length, 4);
  event.set();
  future.resultSync();
  await waiting.join();
});

Deno.test("DeadlockError: what a blocked thread was told meanwhile does not count", async () => {
  const pools = [new ThreadPool({ size: 1 }), new ThreadPool({ size: 1 })];
  for (const pool of pools) pool.runSync(nap, [1]);
  const queue = new Queue<number>();
  queue.putSync(1);
  const news: Record<string, () => Promise<unknown>> = {
    "the end of a thread": () => {
      const thread = new Thread({ target: nap, args: [30] });
      thread.start();
      return thread.join();
    },
    "an Event": () => {
      const event = new Event();
      pools[0].submitSync(set, [event]);
      return event.wait();
    },
    "a Future": () => pools[0].submitSync(nap, [30]).result(),
    "a queue whose items are done": () => {
      const joined = queue.join();
      queue.getSync();
      queue.taskDone();
      return joined;
    },
    "the end of a pool": () => pools[1].shutdown(),
  };
  for (const [name, hear] of Object.entries(news)) {
    const heard = hear();
    const stuck = new Event();
    const thread = new Thread({ target: block, args: [stuck], daemon: true });
    thread.start();
    const message = assertStuck(() => thread.joinSync());
    assertStringIncludes(message, "MainThread waits for the end of ", name);
    stuck.set();
    await heard;
    await thread.join();
  }
  await pools[0].shutdown();
});

Deno.test("no DeadlockError: a worker boots, or has just been given a task", () => {
  for (let i = 0; i < 3; i++) {
    const event = new Event();
    using pool = new ThreadPool({ size: 1 });
    pool.submitSync(set, [event]);
    event.waitSync();
  }
  using pool = new ThreadPool({ size: 2 });
  for (let i = 0; i < 300 * STRESS; i++) {
    const [one, two] = [new Event(), new Event()];
    const relayed = pool.submitSync(relay, [one, two, 0]);
    const other = pool.submitSync(set, [one]);
    (i % 2 === 0 ? two : one).waitSync();
    relayed.resultSync();
    other.resultSync();
  }
});

Deno.test("no DeadlockError: a task that can still go on", () => {
  const tasks = {
    setInLoop: (event: Event) => pool.submitSync(setInLoop, [event, 100]),
    setByTimer: (event: Event) => pool.submitSync(setByTimer, [event, 100]),
    setByChild: (event: Event) => pool.submitSync(setByChild, [event]),
    setBySignal: (event: Event) => pool.submitSync(setBySignal, [event]),
    setAtLast: (event: Event) =>
      pool.submitSync(setAtLast, [event], { attempts: 2 }),
  };
  using pool = new ThreadPool({ size: 2 });
  for (const submit of Object.values(tasks)) {
    const [event, unset] = [new Event(), new Event()];
    const waiting = pool.submitSync(relay, [event, unset, 0]);
    const future = submit(event);
    unset.waitSync();
    waiting.resultSync();
    future.resultSync();
  }
});

Deno.test("no DeadlockError: a task whose time runs out", () => {
  using pool = new ThreadPool({ size: 1 });
  const options = { timeout: 200 };
  const future = pool.submitSync(block, [new Event()], options);
  assertEquals(
    assertThrows(() => future.resultSync(), DOMException).name,
    "TimeoutError",
  );
});

Deno.test("no DeadlockError: one of several tasks waits for the waiter", () => {
  using pool = new ThreadPool({ size: 2 });
  using lock = new RLock().acquireSync();
  const stuck = pool.submitSync(takeOne, [lock]);
  waitFor(() => areWaiting(1));
  const other = pool.submitSync(nap, [200]);
  for (const future of asCompletedSync([stuck, other])) {
    if (future === other) lock.release();
  }
  lock.acquireSync();
});

Deno.test("no DeadlockError: a worker without work whose end wakes somebody", () => {
  using pool = new ThreadPool({ size: 1, idleTimeout: 300 });
  pool.runSync(nap, [1]);
  enumerate().find((thread) => thread.name.startsWith("ThreadPool"))!
    .joinSync();
  const queue = new Queue<number>();
  pool.runSync(keepProducer, [queue]);
  assertThrows(() => queue.getSync(), ShutDown);
});

Deno.test(`no DeadlockError: tasks under contention (SKEIN_SEED=${SEED})`, () => {
  using pool = new ThreadPool({ size: 3 });
  const locks = [new RLock(), new RLock()];
  const sums = [new SharedNumber(0), new SharedNumber(0)];
  const tokens = new Queue<number>();
  tokens.putSync(1);
  tokens.putSync(2);
  let done = 0;
  const seeds = Array.from({ length: 60 * STRESS }, (_, i) => SEED + i);
  for (const ordered of [true, false]) {
    const args = seeds.map((seed) => [locks, tokens, sums, seed] as const);
    const futures = args.map((each) => pool.submitSync(contend, [...each]));
    if (ordered) { for (const future of futures) done += future.resultSync(); }
    else for (const f of asCompletedSync(futures)) done += f.resultSync();
  }
  assertEquals(sums[0].value + sums[1].value, done);
  assertEquals(done, 2 * 30 * seeds.length);
});

Deno.test("no DeadlockError: the main thread joins a circle that one of it ends, beside stuck pools", async () => {
  const url = new URL("beside_stuck_program.ts", import.meta.url);
  const { stdout, stderr } = await runDeno([
    "run",
    "-A",
    "--no-check",
    url.href,
    `${2000 * STRESS}`,
  ]);
  const { circles, wrong } = JSON.parse(stdout || "{}");
  assertEquals(wrong, [], stderr);
  assert(circles > 0, "there was no circle");
});
