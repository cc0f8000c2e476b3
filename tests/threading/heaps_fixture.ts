// What each Worker of heaps_test.ts runs: with a heap of its own, it starts a
// thread and says so when that runs, and ends it when it is told to.

import { Event, sendable, Thread } from "../../threading/mod.ts";

export const stay = sendable(
  import.meta,
  function stay(running: Event, end: Event) {
    running.set();
    end.waitSync();
  },
);

if (import.meta.main) {
  const started = new Event();
  const ending = new Event();
  const thread = new Thread({ target: stay, args: [started, ending] });
  thread.start();
  await started.wait();
  postMessage("running");
  addEventListener("message", async () => {
    ending.set();
    await thread.join();
    postMessage("joined");
  }, { once: true });
}
