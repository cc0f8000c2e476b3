import { assert, assertLess } from "@std/assert";
import { Lock, Thread } from "../../threading/mod.ts";
import { checkHeap } from "../../threading/_memory/allocator.ts";
import { settleHeap } from "./heap_words.ts";
import { meetAndFree } from "./soak_fixture.ts";
import { add } from "./thread_fixture.ts";

const stress = Number(Deno.env.get("SKEIN_STRESS") ?? 1);
const MIB = 2 ** 20;

async function startAndJoin(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const thread = new Thread({ target: add, args: [i, 1] });
    thread.start();
    assert(thread.joinSync() === i + 1);
    if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
}

async function makeAndDrop(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    new Lock().acquireSync();
    if (i % 1000 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
}

/**
 * Runs it twice; the second time must leave nothing behind. The number of
 * blocks tells: the table of a thread's handles grows to what was ever needed
 * at once, which depends on when garbage is collected.
 */
async function assertFlat(
  run: (count: number) => Promise<void>,
  count: number,
): Promise<void> {
  await run(count / 10);
  await settleHeap();
  const { blocks } = checkHeap();
  const { rss } = Deno.memoryUsage();
  await run(count);
  let left = Infinity;
  for (let attempt = 0; left > 10 && attempt < 10; attempt++) {
    await settleHeap();
    left = checkHeap().blocks - blocks;
  }
  assert(left <= 10, `${left} blocks are left`);
  assertLess(Deno.memoryUsage().rss - rss, 64 * MIB);
}

Deno.test("Thread leaves nothing behind, 10 000 times", async () => {
  await assertFlat(startAndJoin, 10_000 * stress);
});

Deno.test("Lock leaves nothing behind, 100 000 times", async () => {
  await assertFlat(makeAndDrop, 100_000 * stress);
});

Deno.test("SharedObject.free() keeps memory flat in a thread that never returns to its event loop, a million times", async () => {
  const thread = new Thread({
    target: meetAndFree,
    args: [1_000_000 * stress],
  });
  thread.start();
  assertLess(await thread.join(), 300);
  checkHeap();
});
