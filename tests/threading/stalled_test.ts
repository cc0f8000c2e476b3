// A thread that blocks, or is busy, cannot go on with what its promise-form
// waits are given: it must not keep that from others, nor from itself.
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  Condition,
  Event,
  InterpreterLock,
  Lock,
  OwnerDiedError,
  RLock,
  Semaphore,
  setExcepthook,
  SharedMap,
  Thread,
} from "../../threading/mod.ts";
import { sleepSync } from "../../threading/current_thread.ts";
import {
  awaitNotice,
  blockBehindTasks,
  leaveBeforeItsTurn,
  notifyAndSpin,
  updateSlowly,
} from "./stalled_fixture.ts";
import { hold } from "./wait_fixture.ts";

const SOON = { timeout: 10_000 };

/** Waits for a thread's end without blocking, which would pass things on. */
function spinUntilEnded(thread: { isAlive(): boolean }) {
  const deadline = performance.now() + SOON.timeout;
  while (thread.isAlive() && performance.now() < deadline);
  assert(!thread.isAlive());
}

for (const Class of [Lock, RLock, InterpreterLock]) {
  Deno.test(`${Class.name}.acquireSync() overtakes all tasks of its thread`, async () => {
    const lock = new Class().acquireSync();
    const inLine = new Event();
    const thread = new Thread({
      target: blockBehindTasks,
      args: [lock, inLine],
    });
    thread.start();
    await inLine.wait(SOON);
    sleepSync(50);
    lock.release();
    assertEquals(await thread.join(SOON), ["sync", "task", "task", "task"]);
  });
}

Deno.test("Semaphore.acquireSync() overtakes all tasks of its thread", async () => {
  const semaphore = new Semaphore(0);
  const inLine = new Event();
  const thread = new Thread({
    target: blockBehindTasks,
    args: [semaphore, inLine],
  });
  thread.start();
  await inLine.wait(SOON);
  sleepSync(50);
  semaphore.release();
  assertEquals(await thread.join(SOON), ["sync", "task", "task", "task"]);
  assert(semaphore.acquireNowait());
  semaphore.free();
});

Deno.test("InterpreterLock.acquireSync() overtakes a task that has been given it", async () => {
  const lock = new InterpreterLock();
  const [held, go] = [new Event(), new Event()];
  const thread = new Thread({ target: hold, args: [lock as never, held, go] });
  thread.start();
  await held.wait(SOON);
  const task = lock.acquire();
  go.set();
  spinUntilEnded(thread);
  lock.acquireSync(SOON).release();
  (await task).release();
  assert(!lock.locked());
});

Deno.test("InterpreterLock of a task that its thread left goes to the next", async () => {
  const lock = new InterpreterLock().acquireSync();
  const [inLine, given] = [new Event(), new Event()];
  const thread = new Thread({
    target: leaveBeforeItsTurn,
    args: [lock, inLine, given],
  });
  thread.start();
  await inLine.wait(SOON);
  lock.release();
  given.set();
  await thread.join(SOON);
  lock.acquireSync(SOON).release();
});

Deno.test("Condition.wait() of a thread that dies before it has the lock strands nobody", async () => {
  setExcepthook(() => {});
  const condition = new Condition(new Lock());
  const events = [new Event(), new Event(), new Event(), new Event()];
  const [first, second, go, spins] = events;
  const spinner = new Thread({
    target: notifyAndSpin,
    args: [condition, first, go, spins],
  });
  spinner.start();
  await first.wait(SOON);
  const waiter = new Thread({ target: awaitNotice, args: [condition, second] });
  waiter.start();
  await second.wait(SOON);
  condition.acquireSync(SOON).release(); // it waits, then
  go.set();
  await spins.wait(SOON);
  spinner.terminate();
  await assertRejects(() => spinner.join(SOON), "terminated");
  await assertRejects(() => waiter.join(SOON), OwnerDiedError);
});

for (const moment of ["waits for", "has been given"]) {
  Deno.test(`SharedMap.updateSync() overtakes a task that ${moment} the key`, async () => {
    const map = new SharedMap<string, number>();
    const begun = new Event();
    const thread = new Thread({ target: updateSlowly, args: [map, begun] });
    thread.start();
    await begun.wait(SOON);
    const increment = (n = 0) => n + 1;
    const tasks = [map.update("key", increment), map.update("key", increment)];
    if (moment === "has been given") spinUntilEnded(thread);
    assertEquals(map.updateSync("key", increment, SOON), 2);
    assertEquals(await Promise.all(tasks), [3, 4]);
    await thread.join(SOON);
  });
}
