// Two threads close a circle, of which one is told and the other goes on; some
// pools are stuck for good meanwhile. Prints what the main thread, which joins
// both, was told wrongly.

import {
  DeadlockError,
  Lock,
  RLock,
  sendable,
  sleepSync,
  Thread,
  ThreadPool,
} from "../../mod.ts";

const STUCK = 6;

export const takeBoth = sendable(
  import.meta,
  function takeBoth(first: RLock, second: RLock) {
    try {
      using _ = first.acquireSync();
      if (Math.random() < 0.5) sleepSync(Math.random() * 2);
      using __ = second.acquireSync();
      return false;
    } catch (error) {
      if (error instanceof DeadlockError) return true;
      throw error;
    }
  },
);

export const take = sendable(import.meta, function take(lock: Lock) {
  using _ = lock.acquireSync();
});

/** Has the lock, and waits for a task that needs it. */
export const waitForTaker = sendable(
  import.meta,
  function waitForTaker(pool: ThreadPool, lock: Lock) {
    using _ = lock.acquireSync();
    pool.runSync(take, [lock]);
  },
);

function leaveStuck(): void {
  try {
    using pool = new ThreadPool({ size: 2 });
    pool.runSync(waitForTaker, [pool, new Lock()]);
  } catch (error) {
    // Of the wait, and of the disposal, which waits for the tasks.
    if (!(error instanceof SuppressedError)) throw error;
  }
}

if (import.meta.main) {
  let circles = 0;
  const wrong: string[] = [];
  let end = Infinity;
  for (let round = 0; performance.now() < end; round++) {
    if (round < STUCK) leaveStuck();
    else if (round === STUCK) end = performance.now() + Number(Deno.args[0]);
    const [one, two] = [new RLock(), new RLock()];
    const threads = [[one, two], [two, one]].map((args) =>
      new Thread({ target: takeBoth, args: args as [RLock, RLock] })
    );
    for (const thread of threads) thread.start();
    try {
      const told = threads.map((thread) => thread.joinSync());
      if (told.includes(true)) circles++;
    } catch (error) {
      wrong.push(`${error}`);
    }
  }
  console.log(JSON.stringify({ circles, wrong }));
  Deno.exit();
}
