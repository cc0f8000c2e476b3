import { assert, assertEquals } from "@std/assert";
import { fixture, runDeno } from "./run_program.ts";

/** What a queue with its hundred items takes, in words. */
const QUEUE = 25_000;

Deno.test("what only killed threads knew is given back", async () => {
  const { stdout, stderr } = await runDeno([
    "run",
    "-A",
    "--no-check",
    fixture("stranger_program.ts"),
  ]);
  const lines = stdout.trim().split("\n").map((line) => line.split(" "));
  assertEquals(
    lines.map(([name]) => name),
    ["holdQueue", "waitToPut", "leaveQueue"],
    stderr,
  );
  for (const [name, words] of lines) {
    assert(Number(words) < QUEUE / 3, `${name} left ${words} words a thread`);
  }
});
