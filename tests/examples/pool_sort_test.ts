import { assertEquals } from "@std/assert";
import { runExample } from "./run_example.ts";

Deno.test("pool-sort sorts with any number of workers", async () => {
  assertEquals(await runExample("pool-sort"), [
    "1 worker: sorted",
    "2 workers: sorted",
    "4 workers: sorted",
  ]);
});
