// Run by lifetime_test.ts with the sanitizers of `deno test`, too.
import { assertEquals } from "@std/assert";
import { ThreadPool, toThread } from "../../pool/mod.ts";
import * as fixture from "./lifetime_fixture.ts";

Deno.test("ThreadPool leaves nothing to a test that shuts it down", async () => {
  await using pool = new ThreadPool({ size: 2 });
  assertEquals(await pool.run(fixture.add, [1, 2]), 3);
  assertEquals(pool.runSync(fixture.add, [1, 2]), 3);
  const future = await pool.submit(fixture.later, [10]);
  assertEquals(await future.result({ timeout: 60_000 }), 10);
  const late = pool.submitNowait(fixture.later, [10], { timeout: 60_000 });
  assertEquals(late.resultSync(), 10);
});

Deno.test("ThreadPool.map() leaves nothing to a test", async () => {
  using pool = new ThreadPool({ size: 2 });
  const items = Array.from({ length: 100 }, (_, i) => i % 3);
  assertEquals(await Array.fromAsync(pool.map(fixture.later, items)), items);
  for await (const _ of pool.map(fixture.later, items, { chunk: 1 })) break;
  const { signal } = new AbortController();
  const cut = pool.submitNowait(fixture.later, [5], { signal });
  assertEquals(await cut.result(), 5);
});

Deno.test("ThreadPool leaves nothing to a test while its workers idle on", async () => {
  assertEquals(await toThread(fixture.add, [1, 2]), 3);
});
