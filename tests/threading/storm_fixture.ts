import {
  type Event,
  Lock,
  OwnerDiedError,
  sendable,
  type SharedList,
  SharedNumber,
  Thread,
} from "../../threading/mod.ts";
import { sleepFor } from "../../threading/_memory/wait.ts";

/** What the victims work on. */
export interface Field {
  lock: Lock;
  list: SharedList<unknown>;
  never: Event;
}

/** Numbers that look random, the same ones for the same seed. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 | 0;
    return (state >>> 8) % below;
  };
}

const big = Array.from({ length: 200 }, (_, i) => ({ i, text: "x".repeat(i) }));

function underLock(lock: Lock, act: () => void): void {
  try {
    using _ = lock.acquireSync();
    act();
  } catch (error) {
    if (!(error instanceof OwnerDiedError)) throw error;
    lock.recover();
  }
}

const labours: ((field: Field) => unknown)[] = [
  function locks({ lock }) {
    underLock(lock, () => {});
  },
  function allocates() {
    const objects = [new Lock(), new SharedNumber(1), new Lock()];
    for (const object of objects) object.free();
  },
  function encodes({ list, lock }) {
    underLock(lock, () => {
      list.push(big);
      list.pop();
    });
  },
  function changesTheList({ list }) {
    list.push([new Map([[1, "one"]]), list]);
    list.removeAt(0);
  },
  function starts() {
    const thread = new Thread({ target: rest, args: [0] });
    thread.start();
    thread.joinSync();
    thread.free();
  },
  function waits({ never }) {
    try {
      never.waitSync({ timeout: 1 });
    } catch { /* the time ran out */ }
  },
  async function awaits({ never, lock }) {
    await Promise.allSettled([
      never.wait({ timeout: 1 }),
      lock.acquire({ timeout: 1 }).then((lock) => lock.release()),
    ]);
    lock.recover();
  },
];

/** Works until it is killed. */
export const labour = sendable(
  import.meta,
  async function labour(seed: number, field: Field): Promise<never> {
    const random = randomFrom(seed);
    for (;;) {
      const work = labours[random(labours.length)];
      for (let i = random(20); i >= 0; i--) {
        const done = work(field);
        if (done !== undefined) await done;
      }
    }
  },
);

/** Kills a thread after some milliseconds. */
export const kill = sendable(
  import.meta,
  function kill(thread: Thread, after: number) {
    sleepFor(after);
    thread.terminate();
  },
);

export const rest = sendable(import.meta, function rest(ms: number) {
  if (ms > 0) sleepFor(ms);
});
