import {
  type Barrier,
  type Event,
  sendable,
  sleepSync,
} from "../../threading/mod.ts";

/** Waits at a barrier once. */
export const meet = sendable(import.meta, function meet(barrier: Barrier) {
  return barrier.waitSync();
});

/** Waits at a barrier so many times; the sum of its places. */
export const rounds = sendable(
  import.meta,
  async function rounds(barrier: Barrier, times: number, form: string) {
    let sum = 0;
    for (let i = 0; i < times; i++) {
      sum += form === "promise" ? await barrier.wait() : barrier.waitSync();
    }
    return sum;
  },
);

let runs = 0;

/** A marked action: counts how often this thread ran it. */
export const countRun = sendable(import.meta, function countRun() {
  runs++;
});

/** How often this thread has run the action since it was asked last. */
export function takeRuns(): number {
  const taken = runs;
  runs = 0;
  return taken;
}

/** Waits so many times; how often the action ran here. */
export const runsOf = sendable(
  import.meta,
  function runsOf(barrier: Barrier, times: number) {
    for (let i = 0; i < times; i++) barrier.waitSync();
    return takeRuns();
  },
);

/** Set by this thread when it runs an action that never ends. */
let acting: Event | undefined;

/** An action that never ends, and blocks its thread. */
export const block = sendable(import.meta, function block() {
  acting?.set();
  sleepSync(1e9);
});

/** An action that never ends, and leaves its thread's event loop running. */
export const hang = sendable(import.meta, function hang() {
  acting?.set();
  return new Promise(() => {});
});

/** Comes last, in a form; may end without awaiting its own wait. */
export const comeLast = sendable(
  import.meta,
  async function comeLast(
    barrier: Barrier,
    event: Event,
    form: string,
    leaves: boolean,
  ) {
    acting = event;
    if (form === "blocking") barrier.waitSync();
    else if (leaves) barrier.wait().catch(() => {});
    else await barrier.wait();
    await event.wait();
  },
);
