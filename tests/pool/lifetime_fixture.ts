import { currentTask, type Future, ThreadPool } from "../../pool/mod.ts";
import { type Queue, ShutDown } from "../../queue/mod.ts";
import {
  type Barrier,
  currentThread,
  sendable,
  type SharedNumber,
} from "../../threading/mod.ts";

export const add = sendable(import.meta, (a: number, b: number) => a + b);

export const nothing = sendable(import.meta, function nothing() {});

export const count = sendable(
  import.meta,
  (calls: SharedNumber) => calls.add(1),
);

export const later = sendable(import.meta, async function later(ms: number) {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return ms;
});

/** Leaves something that its worker's event loop goes on with. */
export const leaveTimer = sendable(import.meta, function leaveTimer() {
  setInterval(() => {}, 50);
});

/** Leaves a timer, which says whether it belongs to a task, and whose it is. */
export const leaveMessage = sendable(
  import.meta,
  function leaveMessage(ms: number, back: Queue<[boolean, string]>): string {
    const { name } = currentThread();
    setTimeout(
      () => back.putNowait([currentTask() !== undefined, currentThread().name]),
      ms,
    );
    return name;
  },
);

/** Leaves a timer that throws. */
export const leaveError = sendable(import.meta, function leaveError() {
  setTimeout(() => {
    throw new RangeError("left behind");
  }, 1);
});

/** Submits without ever coming back to the event loop, and keeps no Future. */
export const submitAway = sendable(
  import.meta,
  function submitAway(pool: ThreadPool, n: number): void {
    for (let i = 0; i < n; i++) pool.submitSync(add, [i, 1]).free();
  },
);

/** Submits a task of its own and gives its Future to whoever waits for it. */
export const delegate = sendable(
  import.meta,
  function delegate(pool: ThreadPool, n: number): Future<number>[] {
    return [pool.submitNowait(later, [n]), pool.submitNowait(add, [n, 1])];
  },
);

export const delegateOne = sendable(
  import.meta,
  (pool: ThreadPool): Future<number> => pool.submitNowait(add, [1, 1]),
);

/** What a submitter has seen. */
export interface Submitted {
  /** The futures of what was accepted. */
  accepted: Future<number>[];
  /** How often it was refused. */
  refused: number;
}

/** Submits until the pool is shut down, and a little longer. */
export const submitUntilShutDown = sendable(
  import.meta,
  async function submitUntilShutDown(
    pool: ThreadPool,
    start: Barrier,
    calls: SharedNumber,
    kind: number,
  ): Promise<Submitted> {
    const accepted: Future<number>[] = [];
    let refused = 0;
    start.waitSync();
    while (refused < 3) {
      try {
        const future = kind === 0
          ? pool.submitNowait(count, [calls])
          : kind === 1
          ? pool.submitSync(count, [calls])
          : await pool.submit(count, [calls]);
        accepted.push(future);
      } catch (error) {
        if (error instanceof ShutDown) refused++;
        else if ((error as Error).name !== "Full") throw error;
      }
    }
    return { accepted, refused };
  },
);

/** Makes a pool, leaves a task in it, and ends. */
export const makeAndLeave = sendable(
  import.meta,
  function makeAndLeave(back: Queue<[ThreadPool, Future<number>]>): void {
    const pool = new ThreadPool({ size: 2, name: "Left" });
    const future = pool.submitNowait(later, [50]);
    back.putSync([pool, future]);
  },
);

/** The same, and keeps the pool for itself; idle workers end soon. */
export const makeAndDrop = sendable(
  import.meta,
  function makeAndDrop(back: Queue<Future<number>>): void {
    const pool = new ThreadPool({ size: 2, name: "Dropped", idleTimeout: 50 });
    pool.runSync(add, [1, 2]);
    back.putSync(pool.submitNowait(later, [50]));
  },
);

/** The same, and is killed. */
export const makeAndDie = sendable(
  import.meta,
  function makeAndDie(back: Queue<Future<number>>): void {
    const pool = new ThreadPool({
      size: 2,
      name: "Orphan",
      idleTimeout: Infinity,
    });
    pool.runSync(add, [1, 2]);
    back.putSync(pool.submitNowait(later, [50]));
    for (;;);
  },
);
