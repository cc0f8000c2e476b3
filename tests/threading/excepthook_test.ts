import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async";
import { setExcepthook, Thread } from "../../threading/mod.ts";
import {
  answer,
  goWrong,
  lost,
  OddFields,
  thrown,
} from "./excepthook_fixture.ts";
import { fixture, runDeno } from "./run_program.ts";

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

function program(how: string) {
  const path = fixture("excepthook_program.ts");
  return runDeno(["run", "-A", "--no-check", path, how]);
}

for (const how of ["unmarked", "unmarked async", "marked", "marked async"]) {
  Deno.test(`setExcepthook() outlives a hook that throws: ${how}`, async () => {
    const { code, stdout, stderr } = await program(how);
    assertEquals(stdout, "woken\njoined\n", stderr);
    assertEquals(count(stderr, "SyntaxError: hook failed"), 1, stderr);
    assertEquals(count(stderr, "RangeError: run failed"), 1, stderr);
    assertStringIncludes(stderr, "Uncaught error in the excepthook");
    assertStringIncludes(stderr, "Uncaught error in thread Thread-1");
    assertEquals(code, 0);
  });
}

Deno.test("setExcepthook() is told what is lost by the last thread of the process", async () => {
  const { code, stderr } = await program("forgotten at the end");
  assertEquals(count(stderr, "run failed"), 1, stderr);
  assertStringIncludes(stderr, "Uncaught error in thread Thread-1");
  assertEquals(code, 0);
});

Deno.test("exit() ends in silence where nobody hears of it", async () => {
  const { code, stderr } = await program("exit forgotten");
  assertEquals([code, stderr], [0, ""]);
});

Deno.test("Thread that dies of an error in a timer says so once, and nothing else", async () => {
  const { code, stderr } = await program("in a timer");
  assertEquals(count(stderr, "rror"), 2, stderr);
  assertStringIncludes(stderr, "Uncaught error in thread Thread-1: RangeError");
  assertEquals(code, 0);
});

interface Outcome {
  /** What the hook was told. */
  told: string[];
  /** What joining gave or threw. */
  joined: unknown;
}

/** Runs a thread, and one more in the same worker. */
async function run(thread: Thread<unknown>, sync: boolean): Promise<Outcome> {
  const told: string[] = [];
  setExcepthook(({ error }) => told.push((error as Error).message));
  try {
    thread.start();
    const joined = await (sync
      ? Promise.try(() =>
        thread.joinSync({ timeout: 20_000 })
      )
      : thread.join({ timeout: 20_000 })).catch((error) => error.message);
    const next = new Thread({ target: answer });
    next.start();
    assertEquals(await next.join({ timeout: 20_000 }), 42);
    // The hook runs when this event loop turns.
    for (let i = 0; i < 50 && told.length === 0; i++) await delay(20);
    await delay(20);
    return { told, joined };
  } finally {
    setExcepthook(undefined);
  }
}

for (const how of thrown) {
  Deno.test(`Thread.join() throws, and setExcepthook() is told once: ${how}`, async () => {
    for (const sync of [true, false]) {
      const thread = new Thread({ target: goWrong, args: [how] });
      const { told, joined } = await run(thread as Thread, sync);
      assertEquals(told, [joined]);
      assertMatch(told[0], /threw|thrown/);
    }
  });
}

for (const how of lost) {
  Deno.test(`Thread.join() returns, and setExcepthook() is told once: ${how}`, async () => {
    for (const sync of [true, false]) {
      const thread = new Thread({ target: goWrong, args: [how] });
      const { told, joined } = await run(thread as Thread, sync);
      assertEquals(joined, 7);
      assertEquals(told.length, 1);
      assertStringIncludes(told[0], "lost");
    }
  });
}

Deno.test("Thread.join() throws, and setExcepthook() is told once: a field", async () => {
  for (const sync of [true, false]) {
    const { told, joined } = await run(new OddFields(), sync);
    assertEquals(told, ["thrown by a field"]);
    assertEquals(joined, "thrown by a field");
  }
});
