import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Thread } from "../../threading/mod.ts";
import { Baggage, leaveOpen, report, Reporter } from "./loading_fixture.ts";
import {
  importStarting,
  importWhileRunning,
  unpack,
} from "./loading_use_fixture.ts";
import { fixture, runDeno } from "./run_program.ts";

function bomb(how: string, when: string) {
  const program = fixture("loading_bomb_program.ts");
  return runDeno(["run", "-A", "--no-check", program, how, when]);
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

for (const how of ["Thread", "daemon", "Timer", "subclass"]) {
  Deno.test(`Thread.start() throws in a module that a new thread loads: ${how}`, async () => {
    const { code, stdout, stderr } = await bomb(how, "at once");
    // Once in the main thread, once in the thread that it starts.
    assertEquals(count(stdout, "main\n"), 2, stderr);
    assertStringIncludes(stdout, "joined Cannot start the thread");
    assertStringIncludes(stdout, "put it under if (import.meta.main)");
    assertEquals(count(stderr, "Uncaught error in thread"), 1, stderr);
    assertEquals(code, 0);
  });
}

Deno.test("startNewThread() throws in a module that a new thread loads", async () => {
  const { code, stdout, stderr } = await bomb("startNewThread", "at once");
  assertEquals(count(stdout, "main\n"), 2);
  assertStringIncludes(stderr, "put it under if (import.meta.main)");
  assertEquals(count(stderr, "Uncaught error in thread"), 1);
  assertEquals(code, 0);
});

for (const when of ["in a microtask", "in a timer", "on an event"]) {
  Deno.test(`Thread.start() throws in what a module that a new thread loads does later: ${when}`, async () => {
    const { code, stdout, stderr } = await bomb("Thread", when);
    assertEquals(count(stdout, "main\n"), 2, stderr);
    assertStringIncludes(stderr, "put it under if (import.meta.main)");
    assertEquals(count(stderr, "Uncaught error in thread"), 1, stderr);
    assertStringIncludes(stdout, "joined");
    assertEquals(code, 0);
  });
}

/** Runs a thread in a new worker. */
async function run<R>(thread: Thread<R>): Promise<R> {
  const before = new Thread({ target: leaveOpen });
  before.start();
  await before.join({ timeout: 20_000 });
  thread.start();
  return await thread.join({ timeout: 20_000 });
}

function assertAllTrue(looks: Record<string, boolean>[]) {
  assertEquals(looks.length, 3);
  for (const look of looks) {
    for (const [what, is] of Object.entries(look)) assert(is, what);
  }
}

const name = "loading";

Deno.test("currentThread() is right while a thread loads its module", async () => {
  assertAllTrue(await run(new Thread({ target: report, name })));
});

Deno.test("currentThread() is right while a thread loads its class", async () => {
  const reporter = new Reporter({ name });
  assertAllTrue(await run(reporter));
});

Deno.test("currentThread() is right while a thread loads the module of an argument", async () => {
  const args = [new Baggage()] as const;
  assertAllTrue(await run(new Thread({ target: unpack, args, name })));
});

Deno.test("currentThread() is right in what a thread imports while it runs", async () => {
  assertAllTrue(await run(new Thread({ target: importWhileRunning, name })));
});

Deno.test("Thread.start() works in a module that a thread imports while it runs", async () => {
  assertEquals(await run(new Thread({ target: importStarting })), 1);
});
