// A thread that blocks cannot go on with what its promise-form gets are given:
// it must not keep that from others, nor from itself.
import { assertEquals } from "@std/assert";
import { Event, sleepSync, Thread } from "../../threading/mod.ts";
import { ofNumbers } from "./kinds_fixture.ts";
import { blockBehindTasks, getOne, putOne } from "./stalled_fixture.ts";

const SOON = { timeout: 10_000 };

for (const { name, make } of ofNumbers) {
  Deno.test(`${name}.get() of a blocked thread goes on behind it if nobody took its item`, async () => {
    const queue = make();
    const tasks = [queue.get(SOON), queue.get(SOON)];
    const thread = new Thread({ target: putOne, args: [queue] });
    thread.start();
    // It is woken when its task is, and gives the item back.
    thread.joinSync(SOON);
    sleepSync(30);
    await Promise.race(tasks);
    // One that comes later stands behind those who were there.
    const late = queue.get(SOON);
    for (const item of [2, 3]) queue.putNowait(item);
    assertEquals((await Promise.all(tasks)).sort(), [1, 2]);
    assertEquals(await late, 3);
    queue.free();
  });
}

for (const { name, make } of ofNumbers) {
  Deno.test(`${name}.getSync() overtakes all tasks of its thread`, async () => {
    const queue = make();
    const inLine = new Event();
    const thread = new Thread({
      target: blockBehindTasks,
      args: [queue, inLine],
    });
    thread.start();
    await inLine.wait(SOON);
    sleepSync(50);
    queue.putSync(1);
    while (inLine.isSet()) sleepSync(1);
    for (const item of [2, 3, 4]) queue.putSync(item);
    const got = await thread.join(SOON);
    assertEquals(got[0], ["sync", 1]);
    assertEquals(got.slice(1).map(([who]) => who), ["task", "task", "task"]);
    assertEquals(got.slice(1).map(([_, item]) => item).sort(), [2, 3, 4]);
    assertEquals(queue.qsize(), 0);
    queue.free();
  });

  Deno.test(`${name}.get() of a blocked thread keeps no item from others`, async () => {
    const queue = make();
    const tasks = [queue.get(SOON), queue.get(SOON)];
    const thread = new Thread({ target: getOne, args: [queue] });
    thread.start();
    sleepSync(30);
    queue.putNowait(1);
    queue.putNowait(2);
    queue.putNowait(3);
    // Without the event loop's turning no task can take its item.
    const one = thread.joinSync(SOON);
    const others = await Promise.all(tasks);
    assertEquals([one, ...others].sort(), [1, 2, 3]);
    assertEquals(queue.qsize(), 0);
    queue.free();
  });
}
