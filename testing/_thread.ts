/**
 * What each thread of an explored program runs: one run after the other, as long
 * as the director asks for them.
 *
 * @module
 */

import { builtIn } from "../_internal/built_in.ts";
import {
  Header,
  load,
  objectAt,
  self,
  Slot,
  words,
} from "../threading/_ground.ts";
import {
  claimDeath,
  Dying,
  freeSlot,
  loadModulesOf,
  readRecord,
  reap,
  sendableOwn,
  terminated,
} from "../threading/_threads.ts";
import { At } from "./_layout.ts";
import {
  awaitRun,
  begin,
  come,
  control,
  end,
  introduce,
  leaveRun,
  sleepInLoop,
} from "./_steps.ts";

/** The addresses of the objects that this thread has handles of. */
export function heldHere(): Set<number> {
  const held = new Set<number>();
  const first = words[self + Slot.holds];
  for (let i = 0; i < words[self + Slot.holdsCapacity]; i++) {
    const address = words[first + i];
    if (address !== 0) held.add(address);
  }
  return held;
}

/** Gives back this thread's handles, but for those of some objects. */
export function freeAllBut(kept: Set<number>): void {
  for (const address of heldHere()) {
    if (kept.has(address)) continue;
    try {
      objectAt(address).free();
    } catch {
      // A task still waits for it: the heap will tell.
    }
  }
}

/** Lets the event loop turn. */
export function turn(): Promise<void> {
  const { setImmediate } = builtIn("node:timers");
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** So many runs keep the event loop waiting at most. */
const RUNS_A_TURN = 256;

/** Waits for a promise, and lets others go on while nothing is left to do. */
async function settle(promise: PromiseLike<unknown>): Promise<void> {
  let settled = false;
  const done = () => {
    settled = true;
  };
  promise.then(done, done);
  while (!settled) {
    await turn();
    if (!settled) sleepInLoop();
  }
  await promise;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then ===
    "function";
}

/** What a thread of an explored program is. */
export type Explored = (objects: unknown) => unknown;

/** Runs functions, one after the other; never returns. */
export const exploreThread: (
  index: number,
  last: number,
) => Promise<void> = sendableOwn(
  import.meta,
  async function exploreThread(index: number, last: number) {
    introduce({
      index,
      slot: self,
      allocatorMutex: Header.allocatorMutex,
      fields: {
        event: self + Slot.event,
        waitsFor: self + Slot.waitsFor,
        dying: self + Slot.dying,
        ground: self + Slot.ground,
        innerGround: self + Slot.innerGround,
        openDrafts: self + Slot.openDrafts,
      },
    });
    // From here on the event loop listens.
    await turn();
    const kept = heldHere();
    come();
    for (let run = last;;) {
      run = awaitRun(run);
      // What other runs have left there would make this one another one.
      words.fill(0, self + Slot.locks, self + Slot.locksOverflow);
      words[self + Slot.cancels] = 0;
      const record = control[At.objects];
      let error: unknown;
      let failed = false;
      let isAsync = false;
      let read: [Explored[], unknown] | undefined;
      try {
        const loading = loadModulesOf(record);
        if (loading !== undefined) await loading;
        read = readRecord(record) as [Explored[], unknown];
      } catch (reason) {
        // The run before may have damaged the heap.
        error = reason;
        failed = true;
      }
      const began = begin();
      try {
        if (began && read !== undefined) {
          const [functions, objects] = read;
          const result = functions[index](objects);
          isAsync = isThenable(result);
          if (isAsync) await settle(result as PromiseLike<unknown>);
        }
      } catch (reason) {
        error = reason;
        failed = true;
      }
      if (began) end(error, failed);
      if (isAsync || run % RUNS_A_TURN === 0) await turn();
      read = undefined;
      freeAllBut(kept);
      leaveRun();
    }
  },
);

/**
 * Cleans up after a thread that has died, as the main thread does: what the last
 * thread of a program does in which another one dies.
 */
export const bury: () => void = sendableOwn(import.meta, function bury() {
  const slot = control[At.remains];
  if (load(slot + Slot.dying) !== Dying.parked) {
    if (!claimDeath(slot, Dying.forced)) return;
    reap(slot, terminated("it"));
  }
  freeSlot(slot);
});
