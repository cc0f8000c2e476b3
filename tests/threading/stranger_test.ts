import { assert, assertEquals } from "@std/assert";
import { fixture, runDeno, serveRoot } from "./run_program.ts";

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

Deno.test("what killed threads were given goes to those who know the queue", async () => {
  // What comes from a registry the main thread could not load while it waits.
  await using server = serveRoot();
  const origin = `http://127.0.0.1:${server.addr.port}`;
  const directory = await Deno.makeTempDir({ dir: "/tmp" });
  const program = "tests/threading/stranger_legacy_program.ts";
  const { stdout, stderr } = await runDeno([
    "run",
    "-A",
    "--no-check",
    "--no-config",
    `${origin}/${program}`,
  ], { cwd: directory, env: { DENO_DIR: `${directory}/cache` } });
  await Deno.remove(directory, { recursive: true });
  const items = "[[1,2],[2,1],[1,2]]";
  const lines = [
    `blocking ${items}`,
    `inheritLater ${items}`,
    `inheritNow ${items}`,
    `deliveries ${items}`,
    "behind [[1,5],[1,5],[1,5]]",
  ];
  assertEquals(stdout.trim().split("\n"), lines, stderr);
});
