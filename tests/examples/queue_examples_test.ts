import { assert, assertEquals } from "@std/assert";
import { parse, runExample } from "./run_example.ts";

const TEN = Array.from({ length: 10 }, (_, i) => String(i));

Deno.test("queue-example-1 finishes ten tasks", async () => {
  const lines = await runExample("queue-example-1");
  const tasks = parse(lines, /^task (\d) finished$/).map(([task]) => task);
  assertEquals(tasks.toSorted(), TEN);
});

Deno.test("queue-example-2 pushes no further than the limit", async () => {
  const lines = await runExample("queue-example-2");
  const pushed = lines.filter((line) => line.startsWith("push"));
  assertEquals(pushed, TEN.map((i) => `push ${i}`));
  const tasks = parse(
    lines.filter((line) => !line.startsWith("push")),
    /^task (\d) finished$/,
  );
  assertEquals(tasks.flat().toSorted(), TEN);
  let finished = 0;
  for (const line of lines) {
    if (line.startsWith("task")) finished++;
    // Three in the queue, one at each worker, one on its way into the queue; a
    // worker may have taken the next before the line before it is printed.
    else assert(Number(line.slice(5)) <= finished + 3 + 2 + 2, line);
  }
});

Deno.test("queue-example-3 prints in order of priority", async () => {
  assertEquals(await runExample("queue-example-3"), [
    '[ 10, "first" ]',
    '[ 20, "second" ]',
    '[ 30, "third" ]',
  ]);
});

Deno.test("queue-example-4 prints the last item first", async () => {
  assertEquals(await runExample("queue-example-4"), [
    "third",
    "second",
    "first",
  ]);
});

Deno.test("queue-requests counts every deposit", async () => {
  const lines = await runExample("queue-requests");
  assertEquals(lines.at(-1), "balance: 120");
  const balances = parse(
    lines.slice(0, -1),
    /^Thread-\d+: the balance is (\d+) after deposit [1-4]$/,
  ).map(([balance]) => Number(balance));
  assertEquals(
    balances.toSorted((a, b) => a - b),
    Array.from({ length: 12 }, (_, i) => 10 * (i + 1)),
  );
});
