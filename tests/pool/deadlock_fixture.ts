import { delay } from "@std/async";
import { currentTask } from "../../pool/mod.ts";
import { Queue } from "../../queue/mod.ts";
import { runSync } from "../../process/mod.ts";
import { alarm, sigwait } from "../../signal/mod.ts";
import {
  type Event,
  type Lock,
  type RLock,
  sendable,
  type SharedNumber,
  sleepSync,
  Timer,
} from "../../threading/mod.ts";
import { randomFrom } from "../threading/shared_support.ts";

/** Waits at an object, for ever. */
export const block = sendable(
  import.meta,
  function block(what: Event | Lock | Queue<number>) {
    if (what instanceof Queue) what.getSync();
    else if ("waitSync" in what) what.waitSync();
    else what.acquireSync().release();
  },
);

export const set = sendable(import.meta, (event: Event) => event.set());

/** Waits for one event and sets the next one. */
export const relay = sendable(
  import.meta,
  function relay(from: Event, to: Event, ms: number) {
    from.waitSync();
    if (ms > 0) sleepSync(ms);
    to.set();
  },
);

export const setInLoop = sendable(
  import.meta,
  async function setInLoop(event: Event, ms: number) {
    await delay(ms);
    event.set();
  },
);

/** Waits for what a Timer sets. */
export const setByTimer = sendable(
  import.meta,
  function setByTimer(event: Event, ms: number) {
    const timer = new Timer(ms, set, [event]);
    timer.start();
    event.waitSync();
    timer.joinSync();
  },
);

export const setByChild = sendable(
  import.meta,
  function setByChild(event: Event) {
    runSync("sleep 0.3");
    event.set();
  },
);

export const setBySignal = sendable(
  import.meta,
  async function setBySignal(event: Event) {
    alarm(1);
    await sigwait(["SIGALRM"]);
    event.set();
  },
);

/** Ends its worker the first time, and sets the event when it is tried again. */
export const setAtLast = sendable(
  import.meta,
  function setAtLast(event: Event) {
    if (currentTask()!.attempt === 1) Deno.exit();
    event.set();
  },
);

export const takeOne = sendable(
  import.meta,
  function takeOne(lock: RLock) {
    lock.acquireSync().release();
    return "taken";
  },
);

export const nap = sendable(import.meta, function nap(ms: number) {
  sleepSync(ms);
  return "slept";
});

/** What a worker keeps behind its task. */
const kept: unknown[] = [];
export const keepProducer = sendable(
  import.meta,
  function keepProducer(queue: Queue<number>) {
    kept.push(queue.producer());
  },
);

/**
 * Adds to numbers under locks, and hands tokens round, in blocking waits without
 * a timeout only. All would go on for ever without an error.
 */
export const contend = sendable(
  import.meta,
  function contend(
    locks: RLock[],
    tokens: Queue<number>,
    sums: SharedNumber[],
    seed: number,
  ) {
    const random = randomFrom(seed);
    for (let i = 0; i < 30; i++) {
      const at = random(locks.length);
      const token = tokens.getSync();
      using _ = locks[at].acquireSync();
      sums[at].value += 1;
      tokens.putSync(token);
    }
    return 30;
  },
);
