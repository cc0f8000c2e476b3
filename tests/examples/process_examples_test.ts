import { assertEquals } from "@std/assert";
import { runExample } from "./run_example.ts";

Deno.test("process-dollar puts values into commands", async () => {
  assertEquals(await runExample("process-dollar"), [
    `the file: it's a "log"; $(id) *.txt`,
    "lines: 3",
    "errors: disk full, disk full again",
    "attempt 1: status 1, not ready",
    "attempt 2: status 1, not ready",
    "attempt 3: ready",
    "all: starting, warning, done",
  ]);
});

Deno.test("process-stream streams what commands write", async () => {
  assertEquals(await runExample("process-stream"), [
    "the log has 20000 lines",
    "the first one is: entry 1",
    "the endless log begins with: y",
    "sorted: eggs spam",
  ]);
});
