import { assert, assertStrictEquals, assertThrows } from "@std/assert";
import { delay } from "@std/async";
import { Event, Thread, ThreadingError } from "../../threading/mod.ts";
import { testOptions } from "./wait_options.ts";
import { echo, setAfter } from "./wait_fixture.ts";

testOptions("Event.wait", () => {
  const event = new Event();
  return {
    wait: (options) => event.wait(options),
    waitSync: (options) => event.waitSync(options),
    let: () => event.set(),
    free: () => event.free(),
  };
});

Deno.test("Event.set() sets it, clear() clears it", async () => {
  const event = new Event();
  assert(!event.isSet());
  event.set();
  event.set();
  assert(event.isSet());
  event.waitSync();
  await event.wait();
  event.clear();
  event.clear();
  assert(!event.isSet());
});

Deno.test("Event.set() lets all go on that wait, though it is cleared at once", async () => {
  const event = new Event();
  const waits = [1, 2, 3].map(() => event.wait());
  event.set();
  event.clear();
  await Promise.all(waits);
  assert(!event.isSet());
});

Deno.test("Event.wait() waits for another thread", async () => {
  const event = new Event();
  const thread = new Thread({ target: setAfter, args: [event, 5] });
  thread.start();
  await Promise.all([event.wait(), event.wait()]);
  await thread.join();
  event.clear();
  const again = new Thread({ target: setAfter, args: [event, 5] });
  again.start();
  const waiting = event.wait();
  event.waitSync();
  await waiting;
  again.joinSync();
});

Deno.test("Event.wait() of a thread that was blocked goes on when all others ended", async () => {
  const event = new Event();
  const thread = new Thread({ target: setAfter, args: [event, 20] });
  thread.start();
  const waiting = event.wait();
  thread.joinSync();
  await waiting;
});

Deno.test("Event.waitSync() throws if nobody is left to set it", () => {
  assertThrows(
    () => new Event().waitSync(),
    ThreadingError,
    "Cannot wait for an Event: this would never end",
  );
});

Deno.test("Event is shared with a thread, and is the same when it comes back", async () => {
  const event = new Event();
  const thread = new Thread({ target: echo, args: [new Map([[1, event]])] });
  thread.start();
  const back = await thread.join() as Map<number, Event>;
  assertStrictEquals(back.get(1), event);
});

Deno.test("Event.wait() that times out leaves nothing behind", async () => {
  const event = new Event();
  for (let i = 0; i < 100; i++) {
    await event.wait({ timeout: i % 3 }).catch(() => {});
  }
  await delay(1);
  event.set();
  event.waitSync();
});
