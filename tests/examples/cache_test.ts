import { assert, assertEquals } from "@std/assert";
import { parse, runExample } from "./run_example.ts";

Deno.test("cache makes an item twice only without a lock", async () => {
  const [racy, ...safe] = await runExample("cache");
  const [[count]] = parse([racy], /^getitem: made (\d) times$/);
  assert(Number(count) >= 2);
  assertEquals(safe, [
    "getitem with a lock: made 1 time",
    "getOrCreateSync: made 1 time",
  ]);
});
