import { assertEquals } from "@std/assert";
import { fixture, runDeno } from "./run_program.ts";

const ways = ["throws", "returns", "exits", "closes its worker", "is killed"];

for (const way of ways) {
  Deno.test(`Thread: one that ${way} while the shared heap is full is cleaned up after`, async () => {
    const { code, stdout, stderr } = await runDeno([
      "run",
      "--no-check",
      "--allow-env=SKEIN_HEAP_MIB",
      "--allow-read",
      fixture("full_end_program.ts"),
      way,
    ], { env: { SKEIN_HEAP_MIB: "2" } });
    assertEquals([stdout, code], ["done\n", 0], stderr);
  });
}
