import { assert, assertEquals } from "@std/assert";
import { LifoQueue, PriorityQueue, Queue } from "../../queue/mod.ts";
import { sleepSync, startTrace } from "../../threading/mod.ts";
import { checkTrace, readTrace } from "../threading/trace_format.ts";

const path = Deno.makeTempFileSync({ prefix: "skein_trace_" });
addEventListener("unload", () => Deno.removeSync(path));

for (const Kind of [Queue, LifoQueue, PriorityQueue]) {
  Deno.test(`startTrace() shows how many items a ${Kind.name} has`, () => {
    const trace = startTrace({ path });
    const queue = new Kind<number>();
    // Longer than the writer looks away.
    const look = () => sleepSync(300);
    queue.putMany([1, 2, 3]);
    look();
    queue.getSync();
    look();
    queue.drain();
    look();
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
  sleepSync(300);
  queue.free();
  const others = Array.from({ length: 20 }, () => new Queue<number>());
  sleepSync(300);
  trace.stop();
  const { C } = checkTrace(readTrace(path));
  const last = C.filter(({ name }) => name === "Queue 1").at(-1);
  assertEquals(last?.args, { items: 1 });
  assert(others.every((other) => other.empty()));
});
