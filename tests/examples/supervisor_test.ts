import { assertEquals } from "@std/assert";
import { parse, runExample } from "./run_example.ts";

Deno.test("supervisor loses no job with its workers", async () => {
  const [jobs, workers, ...more] = await runExample("supervisor");
  assertEquals([jobs, more], ["jobs that were never done: 0", []]);
  parse([workers], /^workers that were killed: (\d+)$/);
});
