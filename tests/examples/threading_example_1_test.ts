import { assertEquals } from "@std/assert";
import { parse, runExample } from "./run_example.ts";

const TASK = /^Thread-(\d+) -- task (\d) finished (\d+)$/;

/** 0, 1, … */
const upTo = (length: number) => Array.from({ length }, (_, index) => index);

Deno.test("threading-example-1 counts a hundred tasks of ten workers", async () => {
  const tasks = parse(await runExample("threading-example-1"), TASK)
    .map((numbers) => numbers.map(Number));
  const values = tasks.map(([_thread, _task, value]) => value);
  // Each number once, the last of them 100; who gets which is open.
  assertEquals(values.sort((a, b) => a - b), upTo(101).slice(1));
  for (const worker of upTo(11).slice(1)) {
    const own = tasks.filter(([thread]) => thread === worker);
    assertEquals(own.map(([_thread, task]) => task), upTo(10));
    const counted = own.map(([_thread, _task, value]) => value);
    assertEquals(counted, counted.toSorted((a, b) => a - b));
  }
});
