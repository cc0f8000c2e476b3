import { assert, assertEquals } from "@std/assert";
import { parse, runExample } from "./run_example.ts";

const TASK = /^(\d+) -- task (\d+) finished$/;

Deno.test("thread-example-1 kills its threads when it ends", async () => {
  const lines = await runExample("thread-example-1");
  const tasks = lines.filter((line) => line !== "goodbye!");
  assertEquals(tasks.length, lines.length - 1);

  const byThread = Object.values(
    Object.groupBy(parse(tasks, TASK), ([ident]) => ident),
  );
  // Two, unless the machine is too busy to start one within the second.
  assert(byThread.length <= 2);
  for (const thread of byThread) {
    // Nobody waits for the rest. It may go on printing after the goodbye, for
    // as long as the process takes to end.
    assert(thread!.length < 50);
    const numbers = thread!.map(([_ident, task]) => Number(task));
    assertEquals(numbers, numbers.map((_task, index) => index));
  }
});
