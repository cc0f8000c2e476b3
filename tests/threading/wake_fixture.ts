import {
  type Condition,
  type Event,
  type Lock,
  type Semaphore,
  sendable,
  type SharedArray,
  type WaitOptions,
} from "../../threading/mod.ts";
import { randomFrom } from "./shared_support.ts";

/** What two threads wait for. */
export type Awaited = Lock | Semaphore | Event | Condition;

/** What all threads of a test share. */
export interface Shared {
  awaited: Awaited;
  /** Words: whether to stop, the token that a condition tells of. */
  words: SharedArray<Int32Array>;
  /** Has a permit for each time that the patient one is to wait. */
  turn: Semaphore;
  /** Gets a permit for each time that it has been woken. */
  done: Semaphore;
}

export const STOP = 0;
export const TOKEN = 1;

/** Waits again and again and gives up soon; passes on what it gets. */
export const impatient = sendable(
  import.meta,
  async function impatient(shared: Shared, form: string, seed: number) {
    const { awaited, words } = shared;
    const random = randomFrom(seed);
    while (words.view[STOP] === 0) {
      const timeout = random(1500) / 1000;
      try {
        if (form === "blocking") passSync(shared, timeout);
        else await pass(shared, optionsOf(random(2), timeout));
      } catch (error) {
        if ((error as Error).name !== "TimeoutError") throw error;
      }
      // Between two events that are set this must not be a busy loop.
      if ("isSet" in awaited) await new Promise((done) => setTimeout(done, 0));
    }
  },
);

function optionsOf(kind: number, timeout: number): WaitOptions {
  if (kind === 0) return { timeout };
  const controller = new AbortController();
  const reason = new DOMException("aborted", "TimeoutError");
  setTimeout(() => controller.abort(reason), timeout);
  return { signal: controller.signal };
}

function passSync({ awaited, words }: Shared, timeout: number): void {
  if ("isSet" in awaited) return awaited.waitSync({ timeout });
  if (!("notify" in awaited)) return awaited.acquireSync({ timeout }).release();
  using _ = awaited.acquireSync();
  awaited.waitSync({ timeout });
  if (words.view[TOKEN] === 1) awaited.notify();
}

async function pass(
  { awaited, words }: Shared,
  options: WaitOptions,
): Promise<void> {
  if ("isSet" in awaited) return await awaited.wait(options);
  if (!("notify" in awaited)) {
    return (await awaited.acquire(options)).release();
  }
  using _ = await awaited.acquire();
  await awaited.wait(options);
  if (words.view[TOKEN] === 1) awaited.notify();
}

/** Waits without end, once for each turn. */
export const patient = sendable(
  import.meta,
  async function patient(
    { awaited, words, turn, done }: Shared,
    form: string,
    times: number,
  ) {
    const blocking = form === "blocking";
    const come = () => words.view[TOKEN] === 1;
    for (let i = 0; i < times; i++) {
      turn.acquireSync();
      if ("isSet" in awaited) {
        if (blocking) awaited.waitSync();
        else await awaited.wait();
      } else {
        using _ = blocking ? awaited.acquireSync() : await awaited.acquire();
        if ("notify" in awaited) {
          if (blocking) awaited.waitForSync(come);
          else await awaited.waitFor(come);
          words.view[TOKEN] = 0;
        }
      }
      done.release();
    }
  },
);
