/**
 * Threads that use queues in a program whose main thread does not know them:
 * this module does not import the classes when it is loaded.
 */

import { type Event, sendable, type SharedMap } from "../../threading/mod.ts";

const queueModule = import.meta.resolve("../../queue/mod.ts");
const payload = "x".repeat(1000);

/** A queue with a hundred items. */
async function makeFull() {
  const { Queue } = await import(queueModule);
  const queue = new Queue(100);
  for (let i = 0; i < 100; i++) queue.putSync({ i, payload });
  return queue;
}

/** Holds a full queue, until it is killed. */
export const holdQueue = sendable(
  import.meta,
  async function holdQueue(ready: Event): Promise<void> {
    const queue = await makeFull();
    ready.set();
    for (;;) queue.qsize();
  },
);

/** Waits to put an item, until it is killed. */
export const waitToPut = sendable(
  import.meta,
  async function waitToPut(ready: Event): Promise<void> {
    const queue = await makeFull();
    ready.set();
    queue.putManySync(Array.from({ length: 100 }, () => ({ payload })));
  },
);

/** Leaves a full queue in a map. */
export const leaveQueue = sendable(
  import.meta,
  async function leaveQueue(
    ready: Event,
    map: SharedMap<string, unknown>,
  ): Promise<void> {
    const queue = await makeFull();
    map.set("queue", { queue });
    queue.free();
    ready.set();
  },
);
