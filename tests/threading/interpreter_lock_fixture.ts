import { type Event, type Semaphore, sendable } from "../../threading/mod.ts";
import type { InterpreterLock } from "../../threading/sync/interpreter_lock.ts";
import type { SharedArray } from "../../threading/shared/numbers.ts";
import { sleepSync } from "../../threading/current_thread.ts";

type Doubles = SharedArray<Float64Array>;

/** Counts up, not atomically. */
export const count = sendable(
  import.meta,
  function count(gil: InterpreterLock, cells: Doubles, times: number) {
    const { view } = cells;
    using _ = gil.acquireSync();
    for (let i = 0; i < times; i++) {
      const n = view[0];
      gil.check();
      view[0] += 1;
      if (view[0] < n) throw new Error("lost");
    }
  },
);

/** Writes down whose turn it is, once a check. */
export const sign = sendable(
  import.meta,
  function sign(
    gil: InterpreterLock,
    cells: Doubles,
    me: number,
    times: number,
    ready: Semaphore,
  ) {
    const { view } = cells;
    ready.release();
    using _ = gil.acquireSync();
    for (let i = 0; i < times; i++) {
      view[++view[0]] = me;
      gil.check();
    }
  },
);

export const holdUntil = sendable(
  import.meta,
  function holdUntil(gil: InterpreterLock, held: Event, go: Event) {
    using _ = gil.acquireSync();
    held.set();
    go.waitSync();
  },
);

export const holdAndReturn = sendable(
  import.meta,
  function holdAndReturn(gil: InterpreterLock) {
    gil.acquireSync();
  },
);

/** Sleeps in allowThreads, which lets all sleep at once. */
export const sleepAllowed = sendable(
  import.meta,
  function sleepAllowed(gil: InterpreterLock, ms: number, ready: Semaphore) {
    using _ = gil.acquireSync();
    ready.release();
    return gil.allowThreads(() => {
      sleepSync(ms);
      return "slept";
    });
  },
);

/** Takes the lock in the promise form, over and over. */
export const countAsync = sendable(
  import.meta,
  async function countAsync(
    gil: InterpreterLock,
    cells: Doubles,
    times: number,
  ) {
    const task = async () => {
      for (let i = 0; i < times; i++) {
        using _ = await gil.acquire();
        const n = cells.view[0];
        await gil.allowThreads(() => Promise.resolve());
        gil.check();
        cells.view[0] = Math.max(cells.view[0], n) + 1;
      }
    };
    await Promise.all([task(), task()]);
  },
);

/** Blocks for the lock while a task of its own stands in line before it. */
export const blockBehindOwnTask = sendable(
  import.meta,
  async function blockBehindOwnTask(
    gil: InterpreterLock,
    inLine: Event,
  ): Promise<string[]> {
    const order: string[] = [];
    const task = gil.acquire().then((lock) => {
      order.push("task");
      lock.release();
    });
    inLine.set();
    gil.acquireSync();
    order.push("sync");
    gil.release();
    await task;
    return order;
  },
);
