import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { delay } from "@std/async";
import {
  Barrier,
  Condition,
  DeadlockError,
  Event,
  InterpreterLock,
  Lock,
  RLock,
  RwLock,
  SharedArray,
  SharedMap,
  type SharedObject,
  sleepSync,
  Thread,
  ThreadingError,
  ThreadPool,
  threadStates,
} from "../../mod.ts";
import {
  awaitNext,
  blockForAWhile,
  handOver,
  makeOf,
  notifyHolding,
  pingPong,
  readAgain,
  runChild,
  setFromLoop,
  setLater,
  signalLater,
  take,
  takeAndJoin,
  takeNext,
  takeOne,
  takeTwo,
  upgrade,
  waitForEvent,
  waitForNext,
  waitHolding,
  write,
} from "./deadlock_fixture.ts";
import { runDeno } from "./run_program.ts";
import { SEED, STRESS, waitFor as waitUntil } from "./shared_support.ts";
import {
  Field,
  load,
  Slot,
  slotOf,
  store,
  wakeSlot,
} from "../../threading/_memory/heap.ts";
import {
  lock as lockMutex,
  unlock as unlockMutex,
} from "../../threading/_memory/mutex.ts";
import { addressOf } from "../../threading/_memory/shared_object.ts";
import { LockField } from "../../threading/sync/lock_word.ts";

// deno-lint-ignore no-control-regex
const ANSI = /\x1b\[[\d;]*m/g;
const JOIN = { timeout: 60_000 };

/** Runs threads that each return a message; gives those there are. */
async function messagesOf(threads: Thread<string>[]): Promise<string[]> {
  for (const thread of threads) thread.start();
  const messages: string[] = [];
  for (const thread of threads) messages.push(await thread.join(JOIN));
  return messages.filter((message) => message !== "");
}

/**
 * Waits until the first thread beside this one is blocked for an object: it says
 * what it waits for before it says that it is blocked.
 */
function waitUntilBlocked(object: SharedObject): void {
  waitUntil(() => {
    const state = threadStates()[1];
    return state?.waitsFor === object &&
      (load(slotOf(state.ident) + Slot.blocked) & 1) === 1;
  });
}

/** Asserts that one thread found the circle, and returns its drawing. */
function assertFound(messages: string[], lines: number): string {
  assertEquals(messages.length, 1, messages.join("\n"));
  const [first, ...rest] = messages[0].split("\n");
  assertStringIncludes(first, "this would never end, since these threads");
  assertEquals(rest.length, lines, messages[0]);
  for (const line of rest) assertMatch(line, /^ {4}\S+ .*waits for /);
  return messages[0];
}

const KINDS = { Lock, RLock, InterpreterLock };

for (const [name, Class] of Object.entries(KINDS)) {
  for (const count of [2, 3]) {
    Deno.test(`DeadlockError: a circle of ${count} ${name}s`, async () => {
      for (let i = 0; i < 5; i++) {
        const locks = Array.from({ length: count }, () => new Class());
        const all = new Barrier(count);
        const threads = locks.map((lock, i) =>
          new Thread({
            target: takeNext,
            args: [lock, locks[(i + 1) % count], all],
          })
        );
        const message = assertFound(await messagesOf(threads), count);
        for (const thread of threads) {
          assertStringIncludes(message, `${thread.name} holds ${name} `);
        }
        assert(locks.every((lock) => !lock.locked()));
      }
    });
  }
}

Deno.test("DeadlockError: a circle through an InterpreterLock and locks of all kinds", async () => {
  const locks = [new Lock(), new InterpreterLock(), new RLock()];
  const all = new Barrier(locks.length);
  const threads = locks.map((lock, i) =>
    new Thread({
      target: takeNext,
      args: [lock, locks[(i + 1) % locks.length], all],
    })
  );
  const message = assertFound(await messagesOf(threads), locks.length);
  for (const [i, lock] of locks.entries()) {
    const { name } = lock.constructor;
    assertStringIncludes(message, `${threads[i].name} holds ${name} `);
    assert(!lock.locked());
  }
});

Deno.test("DeadlockError: a circle of two locks and a join", async () => {
  for (const Class of [Lock, RLock]) {
    const [one, two] = [new Class(), new Class()];
    const all = new Barrier(3);
    const last = new Thread({ target: take, args: [one, all] });
    const threads = [
      new Thread({ target: takeNext, args: [one, two, all] }),
      new Thread({ target: takeAndJoin, args: [two, last, all] }),
      last,
    ];
    const message = assertFound(await messagesOf(threads), 3);
    assertStringIncludes(message, `waits for the end of ${last.name}`);
  }
});

Deno.test("DeadlockError: an RLock and the lock of a Condition", async () => {
  const lock = new RLock();
  const condition = new Condition();
  const waits = new Event();
  const waiting = new Thread({
    target: waitHolding,
    args: [lock, condition, waits],
  });
  const notifying = new Thread({
    target: notifyHolding,
    args: [lock, condition],
  });
  waiting.start();
  await waits.wait(JOIN);
  // Until it really waits, and not for the lock.
  while (condition.locked()) await delay(1);
  notifying.start();
  const messages = [await notifying.join(JOIN), await waiting.join(JOIN)];
  const message = assertFound(messages.filter((each) => each !== ""), 2);
  assertStringIncludes(message, `${notifying.name} holds `);
  assertStringIncludes(message, `${waiting.name} holds RLock `);
});

Deno.test("DeadlockError: two readers that both want to write", async () => {
  const [one, two] = [new RwLock(), new RwLock()];
  const all = new Barrier(2);
  const threads = [
    new Thread({ target: upgrade, args: [one, two, all] }),
    new Thread({ target: upgrade, args: [two, one, all] }),
  ];
  const message = assertFound(await messagesOf(threads), 2);
  assertMatch(message, /holds RwLock \d and waits for RwLock \d/);
  assertEquals([one.readers(), two.readers()], [0, 0]);
});

Deno.test("DeadlockError: a reader that reads again while a writer waits for it", async () => {
  const lock = new RwLock();
  const all = new Barrier(2);
  const threads = [
    new Thread({ target: readAgain, args: [lock, all] }),
    new Thread({ target: write, args: [lock, all] }),
  ];
  assertFound(await messagesOf(threads), 2);
  lock.acquireWriteSync().release();
});

Deno.test("DeadlockError: two values of a SharedMap made of each other", async () => {
  const map = new SharedMap<string, string>();
  const all = new Barrier(2);
  const threads = [
    new Thread({ target: makeOf, args: [map, "a", "b", all] }),
    new Thread({ target: makeOf, args: [map, "b", "a", all] }),
  ];
  const messages = await messagesOf(threads);
  assertFound(messages.filter((each) => each.startsWith("Cannot")), 2);
});

Deno.test("DeadlockError: the result of a task that waits for a lock", () => {
  using pool = new ThreadPool({ size: 1 });
  const lock = new RLock().acquireSync();
  const begun = new Event();
  const future = pool.submitSync(takeOne, [lock, begun]);
  begun.waitSync();
  waitUntilBlocked(lock);
  const error = assertThrows(() => future.resultSync(), DeadlockError);
  assertStringIncludes(
    error.message,
    "    MainThread holds RLock 1 and waits for the result of a task\n",
  );
  assertEquals(Deno.inspect(future), "Future { running }");
  lock.release();
  assertEquals(future.resultSync(JOIN), "");
  // A timeout ends the task, and so the circle.
  lock.acquireSync();
  const timed = pool.submitSync(takeOne, [lock, begun], { timeout: 300 });
  assertThrows(() => timed.resultSync(), DOMException);
  lock.release();
});

Deno.test("DeadlockError is for whoever closes the circle, the others go on", () => {
  const [one, two] = [new RLock().acquireSync(), new RLock()];
  const all = new Barrier(2);
  const thread = new Thread({ target: takeNext, args: [two, one, all] });
  thread.start();
  all.waitSync(JOIN);
  waitUntilBlocked(one);
  const error = assertThrows(() => two.acquireSync(), DeadlockError);
  assert(error instanceof ThreadingError);
  assertEquals(error.name, "DeadlockError");
  assertEquals(
    error.message,
    `Cannot acquire an RLock: this would never end, since these threads wait for one another
    MainThread holds RLock 1 and waits for RLock 2
    ${thread.name} holds RLock 2 and waits for RLock 1`,
  );
  // As if the call had never been made; and it is found as often as it is made.
  assertThrows(() => thread.joinSync(), DeadlockError, "the end of");
  assertThrows(() => two.acquireSync(), DeadlockError);
  one.release();
  assertEquals(thread.joinSync(JOIN), "");
});

Deno.test("DeadlockError is found within milliseconds", () => {
  const one = new RLock().acquireSync();
  const two = new RLock();
  const all = new Barrier(2);
  const thread = new Thread({ target: takeNext, args: [two, one, all] });
  thread.start();
  all.waitSync(JOIN);
  waitUntilBlocked(one);
  const took = Array.from({ length: 20 }, () => {
    const start = performance.now();
    assertThrows(() => two.acquireSync(), DeadlockError);
    return performance.now() - start;
  });
  one.release();
  thread.joinSync(JOIN);
  assert(Math.min(...took) <= 5, `${took}`);
});

Deno.test("no DeadlockError: tasks that could still release", async () => {
  for (const Class of [Lock, RLock]) {
    const locks = [new Class(), new Class(), new Class()];
    const all = new Barrier(3);
    const threads = locks.map((lock, i) =>
      new Thread({ target: awaitNext, args: [lock, locks[(i + 1) % 3], all] })
    );
    assertEquals(await messagesOf(threads), []);
  }
});

Deno.test("no DeadlockError: a circle that a timeout breaks", async () => {
  for (const Class of Object.values(KINDS)) {
    const locks = [new Class(), new Class()];
    const all = new Barrier(2);
    const threads = locks.map((lock, i) =>
      new Thread({ target: blockForAWhile, args: [lock, locks[1 - i], all] })
    );
    assertEquals(await messagesOf(threads), []);
  }
});

Deno.test("no DeadlockError: a Lock that another thread releases as a signal", () => {
  for (let i = 0; i < 3; i++) {
    const lock = new Lock().acquireSync();
    const thread = new Thread({ target: signalLater, args: [30, lock] });
    thread.start();
    // The chapter's way: it waits for what it holds itself.
    lock.acquireSync();
    thread.joinSync(JOIN);
    lock.release();
  }
});

Deno.test("no DeadlockError: a signal to one that the holder joins", async () => {
  const lock = new Lock().acquireSync();
  const all = new Barrier(1);
  const waiting = new Thread({ target: take, args: [lock, all] });
  const signalling = new Thread({ target: signalLater, args: [100, lock] });
  waiting.start();
  signalling.start();
  assertEquals(waiting.joinSync(), "");
  await signalling.join();
});

Deno.test("no DeadlockError: threads that give each other turns by Locks", async () => {
  const [one, two] = [new Lock().acquireSync(), new Lock().acquireSync()];
  const threads = [
    new Thread({ target: pingPong, args: [one, two, 300] }),
    new Thread({ target: pingPong, args: [two, one, 300] }),
  ];
  for (const thread of threads) thread.start();
  one.release();
  for (const thread of threads) assertEquals(thread.joinSync(), "");
  await delay(0);
});

Deno.test("DeadlockError: every thread waits", async () => {
  const event = new Event();
  const threads = [1, 2].map(() =>
    new Thread({ target: waitForEvent, args: [event], daemon: true })
  );
  for (const thread of threads) thread.start();
  const message = assertThrows(() => event.waitSync(), DeadlockError).message;
  const [first, ...lines] = message.split("\n");
  assertEquals(
    first,
    "Cannot wait for an Event: this would never end, since every thread waits, and the timers and promises of a blocked thread stand still",
  );
  assertEquals(lines.sort(), [
    "    MainThread waits for Event 1",
    ...threads.map(({ name }) => `    ${name} waits for Event 1`).sort(),
  ]);
  assertThrows(
    () => threads[0].joinSync(),
    DeadlockError,
    "every thread waits",
  );
  event.set();
  for (const thread of threads) await thread.join();
});

Deno.test("DeadlockError: the last thread that could wake the others ends", async () => {
  const event = new Event();
  const sleeper = new Thread({
    target: waitForEvent,
    args: [event],
    daemon: true,
  });
  const lock = new Lock();
  lock.acquireSync();
  const last = new Thread({ target: signalLater, args: [100, lock] });
  sleeper.start();
  last.start();
  assertThrows(() => event.waitSync(), DeadlockError, "every thread waits");
  event.set();
  await sleeper.join();
  await last.join();
});

Deno.test("no DeadlockError: threads that wait for a child process", () => {
  const threads = [1, 2].map(() => new Thread({ target: runChild }));
  for (const thread of threads) thread.start();
  for (const thread of threads) assertEquals(thread.joinSync(), "done\n");
});

Deno.test("no DeadlockError: threads that sleep or are in their event loop", () => {
  const event = new Event();
  for (const target of [setLater, setFromLoop]) {
    const thread = new Thread({ target, args: [event] });
    const waiting = new Thread({ target: waitForEvent, args: [event] });
    waiting.start();
    thread.start();
    event.waitSync();
    waiting.joinSync();
    thread.joinSync();
    event.clear();
  }
});

Deno.test("no DeadlockError: a lock that is being handed over", async () => {
  // `first` has `own` and waits for `lock`; `second` waits for `own`.
  const [lock, own] = [new RLock().acquireSync(), new RLock()];
  const first = new Thread({ target: waitForNext, args: [lock, own] });
  first.start();
  waitUntilBlocked(lock);
  const second = new Thread({ target: waitForNext, args: [own, undefined] });
  second.start();
  waitUntil(() => threadStates().some((state) => state.waitsFor === own));
  const word = addressOf(lock) + LockField.word;
  for (const next of [first, second]) {
    // In the middle of a hand-over the lock has its next holder, and the wait of
    // that one has not been told: `first` looks then, and seems to be in a circle
    // with itself, or with a task of `second` that cannot run.
    lockMutex(addressOf(lock) + Field.mutex);
    const before = load(word);
    store(word, next.ident! << 2 | 1);
    wakeSlot(slotOf(first.ident!));
    // Nobody notifies this; what waits by skein's means must not be used here.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    store(word, before);
    unlockMutex(addressOf(lock) + Field.mutex);
    sleepSync(100);
  }
  lock.release();
  assertEquals([await first.join(JOIN), await second.join(JOIN)], ["", ""]);
});

Deno.test(`no DeadlockError: locks handed over under contention (SKEIN_SEED=${SEED})`, async () => {
  const locks = [
    new RLock(),
    new Lock(),
    new InterpreterLock(),
    new RLock(),
    new Lock(),
  ];
  const rwLocks = [new RwLock(), new RwLock()];
  const ms = 3_000 * STRESS;
  const threads = Array.from(
    { length: 4 },
    (_, i) =>
      new Thread({ target: handOver, args: [locks, rwLocks, SEED + i, ms] }),
  );
  for (const thread of threads) thread.start();
  for (const thread of threads) {
    assert(await thread.join({ timeout: ms + 60_000 }) > 0);
  }
  assert(locks.every((lock) => !lock.locked()));
  assertEquals(rwLocks.map((lock) => lock.readers()), [0, 0]);
});

Deno.test(`DeadlockError ends every circle under stress (SKEIN_SEED=${SEED})`, async () => {
  for (const ordered of [true, false]) {
    const locks = [
      ...Array.from({ length: 3 }, () => new RLock()),
      ...Array.from({ length: 3 }, () => new Lock()),
    ];
    const rwLocks = [new RwLock(), new RwLock()];
    const held = new SharedArray(Int32Array, 8);
    const threads = Array.from({ length: 5 }, (_, i) =>
      new Thread({
        target: takeTwo,
        args: [locks, rwLocks, held, ordered, SEED + i, 300 * STRESS],
      }));
    for (const thread of threads) thread.start();
    let found = 0;
    const join = { timeout: 60_000 * STRESS };
    for (const thread of threads) found += await thread.join(join);
    if (ordered) assertEquals(found, 0);
    assert(locks.every((lock) => !lock.locked()));
    assertEquals(rwLocks.map((lock) => lock.readers()), [0, 0]);
  }
});

Deno.test("a deadlock in a test of deno test fails it, with the drawing", async () => {
  const program = new URL("deadlock_program.ts", import.meta.url).href;
  const { code, stdout } = await runDeno([
    "test",
    "-A",
    "--no-check",
    program,
  ]);
  assertEquals(code, 1);
  const [, ...drawing] = stdout.replace(ANSI, "").match(
    /DeadlockError: Cannot acquire a Lock: this would never end, since these threads wait for one another\n {4}(.*)\n {4}(.*)\n/,
  )!;
  // Whoever falls asleep last throws, and is drawn first.
  const names = drawing.map((line) => line.split(" ")[0]);
  assertEquals(names.toSorted(), ["MainThread", "Thread-1"]);
  assertEquals(drawing, [
    `${names[0]} holds Lock 1 and waits for Lock 2`,
    `${names[1]} holds Lock 2 and waits for Lock 1`,
  ]);
});
