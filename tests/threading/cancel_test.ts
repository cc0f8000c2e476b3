import { assert, assertEquals, assertThrows } from "@std/assert";
import { setExcepthook, Thread, threadStates } from "../../threading/mod.ts";
import { callLate, free, Place, ready, wait, waits } from "./cancel_fixture.ts";

const TIMEOUT = 60_000;

/** What the excepthook was told, which is to be nothing. */
const told: unknown[] = [];
setExcepthook(({ error }) => void told.push(error));

/** Everything that somebody could wait for is held. */
function heldPlace(): { place: Place; letGo: () => void } {
  const place = new Place();
  place.lock.acquireSync();
  place.rlock.acquireSync();
  place.gil.acquireSync();
  const writer = place.rwLock.acquireWriteSync();
  const { promise, resolve } = Promise.withResolvers<number>();
  place.map.getOrCreate("key", () => promise);
  return {
    place,
    letGo() {
      place.lock.release();
      place.rlock.release();
      place.gil.release();
      writer.release();
      resolve(1);
    },
  };
}

async function untilWaiting(thread: Thread, place: Place): Promise<void> {
  await place.ready.wait({ timeout: TIMEOUT });
  const { ident } = thread;
  // Those that wait in the promise form are in their event loop soon.
  for (let i = 0; i < 20; i++) {
    const state = threadStates().find((state) => state.ident === ident)?.state;
    if (state === "waiting") return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

for (const name of Object.keys(waits)) {
  Deno.test(`Thread.cancel() ends ${name}()`, async () => {
    const { place, letGo } = heldPlace();
    const thread = new Thread({ target: wait, args: [place, name] });
    thread.start();
    await untilWaiting(thread, place);
    thread.cancel(new RangeError(name));
    const error = assertThrows(
      () => thread.joinSync({ timeout: TIMEOUT }),
      RangeError,
    );
    assertEquals(error.message, name);
    assertEquals(told.splice(0), []);
    // As if it had never been called: nobody is in line, nothing is broken.
    assertEquals(place.barrier.nWaiting(), 0);
    assert(!place.barrier.broken());
    assert(!place.condition.locked());
    letGo();
    for (const lock of [place.lock, place.rlock, place.gil]) {
      lock.acquireSync({ timeout: TIMEOUT }).release();
    }
    place.rwLock.acquireWriteSync({ timeout: TIMEOUT }).release();
    place.semaphore.release();
    assert(place.semaphore.acquireNowait());
    assertEquals(await place.map.getOrCreate("key", () => 2), 1);
    place.condition.acquireSync().release();
    place.reentrant.acquireSync().release();
  });
}

for (const name of Object.keys(ready)) {
  Deno.test(`Thread.cancel() makes ${name}() throw that need not wait`, () => {
    const place = new Place();
    const ended = new Thread();
    ended.start();
    ended.joinSync();
    place.thread = ended;
    const thread = new Thread({
      target: callLate,
      args: [place, "ready", name],
    });
    thread.start();
    place.ready.waitSync({ timeout: TIMEOUT });
    thread.cancel(new RangeError(name));
    assertThrows(() => thread.joinSync({ timeout: TIMEOUT }), RangeError, name);
    assertEquals(told.splice(0), []);
  });
}

for (const name of Object.keys(free)) {
  Deno.test(`Thread.cancel() lets ${name}() go on`, () => {
    const place = new Place();
    const thread = new Thread({
      target: callLate,
      args: [place, "free", name],
    });
    thread.start();
    place.ready.waitSync({ timeout: TIMEOUT });
    thread.cancel();
    assertEquals(thread.joinSync({ timeout: TIMEOUT }), "went on");
  });
}
