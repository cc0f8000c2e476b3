import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { delay } from "@std/async";
import {
  Lock,
  setExcepthook,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { checkHeap } from "../../threading/_memory/allocator.ts";
import { Field, load, words } from "../../threading/_memory/heap.ts";
import { ADDRESS } from "../../threading/_memory/shared_object.ts";
import { firstOf, Node } from "../../threading/_memory/wait_queue.ts";
import { QueueField } from "../../queue/_engine/layout.ts";
import {
  afterwards,
  dieInSection,
  waitBlocked,
  waitInLoop,
  ways,
} from "./damage_fixture.ts";

const QUEUES = [
  Field.head,
  QueueField.getters,
  QueueField.putters,
  QueueField.joiners,
];

/** Waits until so many nodes are in one of the queues of an object. */
async function untilWaiting(
  object: number,
  queues: number[],
  count: number,
): Promise<void> {
  for (;;) {
    let found = 0;
    for (const queue of queues) {
      let node = firstOf(object, queue);
      for (; node !== 0 && found < count; node = load(node + Node.next)) {
        found++;
      }
    }
    if (found >= count) return;
    await delay(2);
  }
}

for (const [name, way] of Object.entries(ways)) {
  Deno.test(`${name}() throws when its object is damaged meanwhile`, async () => {
    const target = way.make();
    const object: number = target[ADDRESS];
    const threads = [waitBlocked, waitInLoop, waitBlocked].map((wait) => {
      const args: [string, unknown] = [name, target];
      const thread = new Thread({ target: wait, args });
      thread.start();
      return thread;
    });
    const own = way.wait(target).catch(String);
    const queues = name.startsWith("Queue") ? QUEUES : [Field.head];
    const place = name === "Condition.acquire"
      ? (words[object + Field.own] as number)
      : object;
    await untilWaiting(place, queues, threads.length + 1);
    dieInSection(place + Field.mutex);
    const ends = await Promise.all([own, ...threads.map((t) => t.join())]);
    for (const end of ends) {
      assertStringIncludes(String(end), "ran out of memory or stack");
    }
    assertEquals(ends.length, 4);
  });
}

for (const [name, target] of Object.entries(afterwards)) {
  Deno.test(`a critical section that is left in the middle damages its object, whatever the thread does then: ${name}`, async () => {
    setExcepthook(() => {});
    const lock = new Lock().acquireSync();
    const waits = [waitBlocked, waitInLoop].map((wait) => {
      const waiter = new Thread({ target: wait, args: ["Lock.acquire", lock] });
      waiter.start();
      return waiter;
    });
    await untilWaiting(lock[ADDRESS], [Field.head], waits.length);
    const thread = new Thread({ target, args: [lock] });
    thread.start();
    // Until it has entered the section; nobody else does.
    while (load(lock[ADDRESS] + Field.mutex) === 0) await delay(1);
    assertThrows(() => lock.release(), ThreadingError, "ran out of memory or");
    for (const waiter of waits) {
      assertStringIncludes(await waiter.join(), "ran out of memory or stack");
    }
    assertThrows(() => lock.acquireSync(), ThreadingError, "ran out of memory");
    lock.free();
    checkHeap();
    thread.terminate();
    await thread.join().catch(() => {});
    setExcepthook(undefined);
  });
}
