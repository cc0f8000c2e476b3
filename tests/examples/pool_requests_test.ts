import { assert, assertEquals } from "@std/assert";
import { parse, runExample } from "./run_example.ts";

Deno.test("pool-requests refuses what is too much, and drains", async () => {
  const [answers, refused, drained] = await runExample("pool-requests");
  const [accepted] = parse([answers], /^answers: (\d+), all right: true$/);
  const [rest] = parse([refused], /^refused with 503: (\d+)$/);
  assertEquals(Number(accepted) + Number(rest), 10);
  assert(Number(rest) > 0);
  assertEquals(drained, "drained");
});
