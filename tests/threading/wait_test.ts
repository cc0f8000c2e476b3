import {
  Condition,
  Event,
  Lock,
  RLock,
  Semaphore,
  SharedArray,
  sleepSync,
  Thread,
} from "../../threading/mod.ts";
import { delay } from "@std/async";
import { hold } from "./wait_fixture.ts";
import { randomFrom, SEED, STRESS } from "./shared_support.ts";
import {
  type Awaited,
  impatient,
  patient,
  type Shared,
  STOP,
  TOKEN,
} from "./wake_fixture.ts";

const ROUNDS = 40 * STRESS;
const forms = ["blocking", "promise"];

const kinds: Record<string, () => Awaited> = {
  Lock: () => new Lock(),
  RLock: () => new RLock(),
  Semaphore: () => new Semaphore(1),
  Event: () => new Event(),
  Condition: () => new Condition(),
  "Condition(Lock)": () => new Condition(new Lock()),
};

/** Makes both wait, and then wakes one. */
function wakeOnce({ awaited, words, turn }: Shared, delay: number): void {
  if ("isSet" in awaited) {
    awaited.clear();
    turn.release();
    sleepSync(delay);
    awaited.set();
  } else if ("notify" in awaited) {
    turn.release();
    sleepSync(delay);
    using _ = awaited.acquireSync();
    words.view[TOKEN] = 1;
    awaited.notify();
  } else {
    using _ = awaited.acquireSync({ timeout: 10_000 });
    turn.release();
    sleepSync(delay);
  }
}

for (const [kind, make] of Object.entries(kinds)) {
  for (const impatientForm of forms) {
    for (const patientForm of forms) {
      const name =
        `${kind} wakes one in ${patientForm} form though one in ${impatientForm} form gives up`;
      Deno.test(`${name} (SKEIN_SEED=${SEED})`, async () => {
        const shared: Shared = {
          awaited: make(),
          words: new SharedArray(Int32Array, 2),
          turn: new Semaphore(0),
          done: new Semaphore(0),
        };
        const threads = [
          new Thread({
            target: impatient,
            args: [shared, impatientForm, SEED],
          }),
          new Thread({ target: patient, args: [shared, patientForm, ROUNDS] }),
        ];
        for (const thread of threads) thread.start();
        try {
          const random = randomFrom(SEED);
          for (let round = 0; round < ROUNDS; round++) {
            wakeOnce(shared, random(1500) / 1000);
            shared.done.acquireSync({ timeout: 10_000 });
          }
          shared.words.view[STOP] = 1;
          if (shared.awaited instanceof Event) shared.awaited.set();
          for (const thread of threads) await thread.join({ timeout: 10_000 });
        } finally {
          for (const thread of threads) thread.terminate();
        }
      });
    }
  }
}

Deno.test("Lock.acquire() keeps the event loop alive for what it was given by a thread that has ended", async () => {
  for (let i = 0; i < 40; i++) {
    const lock = new Lock();
    const held = new Event();
    const go = new Event();
    const thread = new Thread({ target: hold, args: [lock, held, go] });
    thread.start();
    await held.wait();
    const waiting = lock.acquire();
    await delay(1);
    go.set();
    // Meanwhile nothing can be told to the wait, and afterwards nobody is left.
    thread.joinSync();
    await waiting;
    lock.release();
  }
});
