import { assert, assertEquals } from "@std/assert";
import { runExample } from "./run_example.ts";

Deno.test("pool-hash gives the hashes of its files", async () => {
  const lines = await runExample("pool-hash");
  assertEquals(lines.at(-1), "every hash is that of its file: true");
  assert(lines.length > 10);
});
