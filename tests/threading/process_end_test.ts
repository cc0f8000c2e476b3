import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fixture, type Outcome, runDeno } from "./run_program.ts";

interface Expected {
  lines: string[];
  code?: number;
  stderr?: string | RegExp;
  /** Milliseconds that the program takes at least. */
  least?: number;
  /** Milliseconds that it takes at most, as much as a busy machine needs. */
  most?: number;
}

const UNRESOLVED = "Top-level await promise never resolved";

const programs: Record<string, Expected> = {
  "a thread holds the process open": {
    lines: ["main", "thread"],
    least: 300,
  },
  "a thread in its event loop holds the process open": {
    lines: ["main", "thread"],
    least: 300,
  },
  "a thread of a thread holds the process open": {
    lines: ["main", "grandchild"],
    least: 300,
  },
  "daemons are killed": { lines: ["main"] },
  "the threads of daemons are daemons": { lines: ["inherited", "main"] },
  "idle workers are ended": {
    lines: ["thread", "thread", "thread", "main"],
    // By themselves they end after ten seconds.
    most: 9500,
  },
  "an unused module does nothing": { lines: ["main"] },
  "a wait that a daemon can end keeps the process alive": {
    lines: ["main"],
    least: 300,
  },
  "a wait that nobody can end ends the process": {
    lines: [],
    code: 1,
    stderr: UNRESOLVED,
  },
  "a wait that nobody can end any more ends the process": {
    lines: ["thread"],
    code: 1,
    stderr: UNRESOLVED,
    // Deno waits for workers, also unreferenced ones: the idle one ends in 10 s.
    most: 20_000,
  },
  "a blocking wait that nobody can end throws": { lines: ["true main"] },
  "a blocking wait that nobody can end any more throws": {
    lines: ["thread", "true main"],
  },
  "Deno.exit ends the process with its threads": { lines: ["main"], code: 7 },
  "an uncaught error ends the process with its threads": {
    lines: ["main"],
    code: 1,
    stderr: "uncaught",
  },
  "a blocked main thread has a sentinel, which holds nothing up": {
    lines: ["thread", "main"],
    least: 500,
  },
  "errors are printed": {
    lines: ["main"],
    stderr:
      /Uncaught error in thread Bob: RangeError: it failed\n[^]*process_end_fixture.ts[^]*Uncaught error in thread Eve: RangeError: it failed in a timer\n/,
  },
  "an error of a thread does not end the process": {
    lines: ["main"],
    stderr: "Uncaught error in thread Bob: RangeError: it failed",
  },
};

function check(outcome: Outcome, expected: Expected): void {
  const { stdout, stderr, code, ms } = outcome;
  const { lines, least = 0, most = 40_000 } = expected;
  assertEquals(stdout, lines.map((line) => line + "\n").join(""), stderr);
  assertEquals(code, expected.code ?? 0, stderr);
  if (expected.stderr instanceof RegExp) {
    assert(expected.stderr.test(stderr), stderr);
  } else if (expected.stderr !== undefined) {
    assertStringIncludes(stderr, expected.stderr);
  } else assertEquals(stderr, "");
  assert(ms >= least && ms < most, `it took ${ms} ms`);
}

for (const [name, expected] of Object.entries(programs)) {
  Deno.test(`A process: ${name}`, async () => {
    const path = fixture("process_end_fixture.ts");
    check(await runDeno(["run", "-A", "--no-check", path, name]), expected);
  });
}
