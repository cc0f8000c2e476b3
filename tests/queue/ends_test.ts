import { assert, assertEquals, assertThrows } from "@std/assert";
import { Full, Queue } from "../../queue/mod.ts";
import { MAX_INDEX } from "../../queue/_engine/ring.ts";
import { QueueField } from "../../queue/_engine/layout.ts";
import { SharedArray, Thread, ThreadingError } from "../../threading/mod.ts";
import { words } from "../../threading/_memory/heap.ts";
import { ADDRESS } from "../../threading/_memory/shared_object.ts";
import { dieInSection } from "../threading/damage_fixture.ts";
import { SEED, STRESS } from "../threading/shared_support.ts";
import {
  fillAndEmpty,
  getInOrder,
  putInOrder,
  watchPhases,
  watchSize,
} from "./ends_fixture.ts";

const PRODUCERS = 3;

for (const maxsize of [3, 50, 0]) {
  Deno.test(`Queue(${maxsize}) keeps order, size and tasks right while its ends open and close (SKEIN_SEED=${SEED})`, async () => {
    const count = Math.ceil(20_000 * STRESS);
    const queue = new Queue<number>(maxsize);
    const done = new SharedArray(Int32Array, 1);
    const end = new SharedArray(Int32Array, 1);
    const watcher = new Thread({ target: watchSize, args: [queue, end] });
    const consumer = new Thread({
      target: getInOrder,
      args: [queue, PRODUCERS * count, SEED, done],
    });
    const producers = Array.from(
      { length: PRODUCERS },
      (_, i) =>
        new Thread({
          target: putInOrder,
          args: [queue, i, count, SEED + i],
        }),
    );
    for (const thread of [watcher, consumer, ...producers]) thread.start();
    for (const thread of producers) await thread.join();
    await queue.join();
    assertEquals(Atomics.load(done.view, 0), PRODUCERS * count);
    assertEquals(await consumer.join(), 0);
    Atomics.store(end.view, 0, 1);
    const [least, most] = await watcher.join();
    assert(least >= 0 && most <= (maxsize || PRODUCERS * count), `${most}`);
    assertThrows(() => queue.taskDone(), ThreadingError);
    assertEquals(queue.qsize(), 0);
  });
}

Deno.test("Queue.qsize() is right while the ends are being closed", async () => {
  const queue = new Queue<unknown>();
  const phase = new SharedArray(Int32Array, 1);
  const rounds = Math.ceil(500 * STRESS);
  const watcher = new Thread({ target: watchPhases, args: [queue, phase] });
  const worker = new Thread({
    target: fillAndEmpty,
    args: [queue, phase, rounds],
  });
  watcher.start();
  worker.start();
  await worker.join();
  const most = await watcher.join();
  assert(most <= 1, `${most} items`);
});

Deno.test("Queue: its ends begin anew before an index is too great", async () => {
  const queue = new Queue<number>(4);
  queue.putSync(0);
  queue.putSync(1);
  const address = queue[ADDRESS];
  // A multiple of the number of places.
  const shift = MAX_INDEX - 8;
  for (
    const index of ["head", "seenTail", "tail", "seenHead", "openedAt"] as const
  ) {
    words[address + QueueField[index]] += shift;
  }
  for (let i = 2; i < 20; i += 2) {
    queue.putSync(i);
    queue.putSync(i + 1);
    assertThrows(() => queue.putNowait(i), Full);
    assertEquals(queue.qsize(), 4);
    assertEquals([queue.getSync(), queue.getSync()], [i - 2, i - 1]);
    assertEquals(queue.qsize(), 2);
  }
  assert(words[address + QueueField.tail] < shift, "they begin anew");
  assertEquals(queue.getManySync(9), [18, 19]);
  for (let i = 0; i < 20; i++) queue.taskDone();
  assertThrows(() => queue.taskDone(), ThreadingError);
  await queue.join();
});

for (const end of ["headMutex", "tailMutex"] as const) {
  Deno.test(`Queue: a thread that runs out of memory with the ${end} leaves it damaged`, () => {
    const queue = new Queue<number>();
    queue.putSync(1);
    queue.putSync(2);
    dieInSection(queue[ADDRESS] + QueueField[end]);
    const uses = [
      () => queue.getNowait(),
      () => queue.putSync(3),
      () => queue.qsize(),
    ];
    for (const use of uses) {
      assertThrows(use, ThreadingError, "ran out of memory");
    }
    queue.free();
  });
}
