import { Event, Lock, sendable, Thread, threadStates } from "../../mod.ts";

export const takeBoth = sendable(
  import.meta,
  function takeBoth(one: Lock, two: Lock, has: Event) {
    using _ = two.acquireSync();
    has.set();
    using __ = one.acquireSync();
  },
);

Deno.test("two threads take two locks", () => {
  const [one, two] = [new Lock(), new Lock()];
  using _ = one.acquireSync();
  const has = new Event();
  const thread = new Thread({ target: takeBoth, args: [one, two, has] });
  thread.start();
  has.waitSync();
  while (threadStates()[1]?.waitsFor !== one);
  using __ = two.acquireSync();
  // Maybe it fell asleep later than this thread, and it was it that threw.
  thread.joinSync();
});
