import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  Lock,
  SharedList,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { Queue } from "../../queue/mod.ts";
import { checkHeap } from "../../threading/_memory/allocator.ts";
import {
  compareExchange,
  Field,
  Header,
  load,
  MAX_SLOTS,
  Slot,
  slotAt,
  store,
  words,
} from "../../threading/_memory/heap.ts";
import { ADDRESS } from "../../threading/_memory/shared_object.ts";
import { reap } from "../../threading/_runtime/reaper.ts";
import { QueueField } from "../../queue/_engine/layout.ts";
import { echo } from "./death_fixture.ts";
import { pushTo } from "./gone_fixture.ts";
import { fixture, runDeno } from "./run_program.ts";

const SLOT = slotAt(MAX_SLOTS - 1);

/** A worker that is gone in the midst of a section, as the sentinel says it. */
function dieIn(mutex: number): void {
  words[SLOT + Slot.ground] = mutex;
  while (compareExchange(mutex, 0, SLOT) !== 0);
  store(SLOT + Slot.guarded, 1);
  store(SLOT + Slot.gone, 1);
}

/** The main thread comes to clean up after it. */
function cleanUp(): void {
  reap(SLOT, new Error("out of memory"));
  words.fill(0, SLOT, SLOT + Slot.serial);
  checkHeap();
}

const DAMAGED = "ran out of memory or stack";

Deno.test("a mutex whose holder is gone: who waits for an object is told", async () => {
  const list = new SharedList([1]);
  dieIn(list[ADDRESS] + Field.mutex);
  const thread = new Thread({ target: pushTo, args: [list] });
  thread.start();
  assertThrows(() => list.push(2), ThreadingError, DAMAGED);
  assertStringIncludes(await thread.join(), DAMAGED);
  cleanUp();
  assertThrows(() => list.push(3), ThreadingError, DAMAGED);
  list.free();
  checkHeap();
});

Deno.test("a mutex whose holder is gone: the rest of a queue is closed later", () => {
  for (const end of [QueueField.headMutex, QueueField.tailMutex]) {
    const queue = new Queue<number>();
    queue.putSync(1);
    dieIn(queue[ADDRESS] + end);
    const use = end === QueueField.headMutex
      ? () => queue.getSync()
      : () => queue.putSync(2);
    assertThrows(use, ThreadingError, DAMAGED);
    cleanUp();
    assertThrows(() => queue.getSync(), ThreadingError, DAMAGED);
    assertThrows(() => queue.putSync(3), ThreadingError, DAMAGED);
    assertThrows(() => queue.joinSync(), ThreadingError, DAMAGED);
    queue.free();
    checkHeap();
  }
});

Deno.test("a mutex whose holder is gone: a table goes on as it is", async () => {
  const tables = [Header.allocatorMutex, Header.registryMutex];
  for (const mutex of [...tables, Header.internMutex]) {
    dieIn(mutex);
    for (let i = 0; i < 10; i++) new Lock().free();
    const thread = new Thread({ target: echo, args: [1] });
    thread.start();
    assertEquals(await thread.join(), 1);
    checkHeap();
    cleanUp();
    assertEquals(load(mutex), 0);
  }
});

for (
  const how of [
    "in the mutex of an object",
    "in the allocator",
    "while the main thread is busy",
    "while it waits itself",
  ]
) {
  Deno.test(`a thread that runs out of memory is cleaned up after: ${how}`, async () => {
    const { code, stdout, stderr } = await runDeno([
      "run",
      "-A",
      "--no-check",
      "--v8-flags=--max-old-space-size=64",
      fixture("gone_fixture.ts"),
      how,
    ]);
    assertEquals([stdout.trim(), code], ["done", 0], stderr);
  });
}
