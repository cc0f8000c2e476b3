import { assert, assertEquals } from "@std/assert";
import { LifoQueue, PriorityQueue, Queue } from "../../queue/mod.ts";
import { sleepSync, startTrace } from "../../threading/mod.ts";
import { checkTrace, readTrace } from "../threading/trace_format.ts";

const path = Deno.makeTempFileSync({ prefix: "skein_trace_" });
addEventListener("unload", () => Deno.removeSync(path));

/** Waits until the last count that was written is this one. */
function awaitCount(count: number): void {
  const until = performance.now() + 30_000;
  for (;;) {
    const text = Deno.readTextFileSync(path);
    if (text.match(/"items":\d+/g)?.at(-1) === `"items":${count}`) return;
    assert(performance.now() < until, "nobody looks");
    sleepSync(10);
  }
}

for (const Kind of [Queue, LifoQueue, PriorityQueue]) {
  Deno.test(`startTrace() shows how many items a ${Kind.name} has`, () => {
    const trace = startTrace({ path });
    const queue = new Kind<number>();
    queue.putMany([1, 2, 3]);
    awaitCount(3);
    queue.getSync();
    awaitCount(2);
    queue.drain();
    awaitCount(0);
    trace.stop();
    const { C } = checkTrace(readTrace(path));
    assertEquals(C.map(({ name }) => name), C.map(() => `${Kind.name} 1`));
    const counts = C.map(({ args }) => args!.items);
    // It may have looked before the first items came.
    assertEquals(counts[0] === 0 ? counts.slice(1) : counts, [3, 2, 0]);
  });
}

Deno.test("startTrace() looks no more at a queue that was freed", () => {
  const trace = startTrace({ path });
  const queue = new Queue<number>();
  queue.putSync(1);
  awaitCount(1);
  queue.free();
  const others = Array.from({ length: 20 }, () => new Queue<number>());
  sleepSync(300);
  trace.stop();
  const { C } = checkTrace(readTrace(path));
  const last = C.filter(({ name }) => name === "Queue 1").at(-1);
  assertEquals(last?.args, { items: 1 });
  assert(others.every((other) => other.empty()));
});
