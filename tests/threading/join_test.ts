import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  Lock,
  mainThread,
  sendable,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import {
  type ExceptHookArgs,
  setExcepthook,
} from "../../threading/excepthook.ts";
import { unreachable } from "./broken_module_fixture.ts";
import { makeChain, throwChain } from "./error_chain_fixture.ts";
import { elusive } from "./missing_function_fixture.ts";
import {
  add,
  echo,
  failWith,
  joinOther,
  joinSelf,
  joinSelfAsync,
  nothing,
  OddError,
  returnUnsendable,
  waitFor,
} from "./thread_fixture.ts";

setExcepthook(() => {});

/** Runs a thread and joins it in both forms; what each of them throws. */
async function errorsOf(make: () => Thread): Promise<Error[]> {
  const [sync, async] = [make(), make()];
  sync.start();
  const first = assertThrows(() => sync.joinSync({ timeout: 10_000 }));
  async.start();
  const second = await async.join({ timeout: 10_000 }).then(
    () => assert(false, "join did not throw"),
    (error) => error,
  );
  return [first as Error, second];
}

Deno.test("Thread.join() returns what the thread returned", async () => {
  const thread = new Thread({ target: add, args: [1, 2] });
  thread.start();
  const sum: number = await thread.join();
  assertEquals(sum, 3);
  // Again, and in the other form.
  assertEquals(await thread.join(), 3);
  assertEquals(thread.joinSync(), 3);
});

Deno.test("Thread.joinSync() returns what the thread returned", () => {
  const value = new Map([["a", [1n, undefined, new Date(5)]]]);
  const thread = new Thread({ target: echo, args: [value] });
  thread.start();
  assertEquals(thread.joinSync(), value);
});

Deno.test("Thread.join() throws what the thread threw", async () => {
  const make = () => new Thread({ target: failWith, args: ["odd"] });
  for (const error of await errorsOf(make)) {
    assertInstanceOf(error, OddError);
    assertEquals(error.message, "it is odd");
    assertEquals(error.details, { even: false });
    assertStringIncludes(error.stack!, "failWith");
    assertStringIncludes(error.stack!, "thread_fixture.ts");
  }
});

Deno.test("Thread.join() throws errors with their cause", async () => {
  const make = () => new Thread({ target: failWith, args: ["cause"] });
  for (const error of await errorsOf(make)) {
    assertInstanceOf(error, TypeError);
    assertEquals(error.message, "outer");
    assertInstanceOf(error.cause, RangeError);
    assertEquals(error.cause.message, "inner");
  }
});

Deno.test("Thread.join() throws what is no error too", async () => {
  const thread = new Thread({ target: failWith, args: ["value"] });
  thread.start();
  const reason = await thread.join().catch((reason: unknown) => reason);
  assertEquals(reason, { not: "an error" });
});

Deno.test("Thread.join() throws when error or result cannot be sent", async () => {
  const make = () => new Thread({ target: failWith, args: ["unsendable"] });
  for (const error of await errorsOf(make)) {
    assertStringIncludes(error.message, "threw what cannot be sent");
  }
  const makeReturning = () => new Thread({ target: returnUnsendable });
  for (const error of await errorsOf(makeReturning)) {
    assertStringIncludes(error.message, "Cannot send result");
    assertStringIncludes(error.message, "sendable(");
  }
});

Deno.test("Thread.join() says which module cannot be loaded in a thread, and why", async () => {
  for (
    const error of await errorsOf(() => new Thread({ target: unreachable }))
  ) {
    assertInstanceOf(error, ThreadingError);
    assertStringIncludes(error.message, "broken_module_fixture.ts");
    assertStringIncludes(error.message, "this module fails in threads");
    assertStringIncludes(error.message, "under if (import.meta.main)");
    assertInstanceOf(error.cause, SyntaxError);
    assertEquals(error.cause.message, "this module fails in threads");
    assertStringIncludes(error.cause.stack!, "broken_module_fixture.ts");
  }
});

const directory = Deno.makeTempDirSync({ dir: "/tmp" });
const bad = ["gone.ts", "no_module.ts", "imports_gone.ts", "throws_later.ts"]
  .map((name) => `${directory}/${name}`);
const targets = bad.map((path) =>
  sendable({ url: `file://${path}` } as ImportMeta, function target() {})
);

Deno.test("Thread.join() names a module that is not there, or is none", async () => {
  Deno.writeTextFileSync(bad[1], "const = 1;");
  Deno.writeTextFileSync(bad[2], 'import "./gone.ts";');
  Deno.writeTextFileSync(bad[3], "await 0; throw undefined;");
  for (const [i, target] of targets.entries()) {
    for (const error of await errorsOf(() => new Thread({ target }))) {
      assertInstanceOf(error, ThreadingError);
      assertStringIncludes(error.message, `module file://${bad[i]} cannot`);
      if (i !== 1 && i !== 3) assertStringIncludes(error.message, "/gone.ts");
    }
  }
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("Thread.join() throws when the module does not mark the target", async () => {
  for (const error of await errorsOf(() => new Thread({ target: elusive }))) {
    assertInstanceOf(error, ThreadingError);
    assertStringIncludes(error.message, "elusive");
    assertStringIncludes(error.message, "missing_function_fixture.ts");
  }
});

Deno.test("Thread.join() throws before the start", async () => {
  const thread = new Thread({ target: nothing });
  assertThrows(() => thread.joinSync(), ThreadingError, "not started");
  await assertRejects(() => thread.join(), ThreadingError, "not started");
});

Deno.test("Thread.join() throws for the current thread", async () => {
  const message = "it is the current thread";
  assertThrows(() => mainThread().joinSync(), ThreadingError, message);
  await assertRejects(() => mainThread().join(), ThreadingError, message);
  for (const target of [joinSelf, joinSelfAsync]) {
    const thread = new Thread<unknown>({ target });
    thread.start();
    await assertRejects(() => thread.join(), ThreadingError, message);
  }
});

Deno.test("Thread.join() gives up at the timeout and may be called again", async () => {
  const lock = new Lock().acquireSync();
  const thread = new Thread({ target: waitFor, args: [lock] });
  thread.start();
  const expired = assertThrows(() => thread.joinSync({ timeout: 20 }));
  assertEquals((expired as Error).name, "TimeoutError");
  const error = await assertRejects(() => thread.join({ timeout: 20 }));
  assertEquals((error as Error).name, "TimeoutError");
  const reason = new Error("enough");
  const controller = new AbortController();
  const joined = thread.join({ signal: controller.signal });
  controller.abort(reason);
  await assertRejects(() => joined, Error, "enough");
  await assertRejects(
    () => thread.join({ signal: AbortSignal.abort(reason) }),
    Error,
    "enough",
  );
  assert(thread.isAlive());
  lock.release();
  await thread.join({ timeout: 10_000 });
  assertFalse(thread.isAlive());
});

Deno.test("Thread.join() checks its timeout", async () => {
  const thread = new Thread({ target: nothing });
  thread.start();
  assertThrows(() => thread.joinSync({ timeout: -1 }), RangeError);
  await assertRejects(() => thread.join({ timeout: NaN }), RangeError);
  await assertRejects(
    () => thread.join({ timeout: "5" as unknown as number }),
    TypeError,
  );
  await thread.join();
});

Deno.test("Thread.join() may be called by several threads", async () => {
  const lock = new Lock().acquireSync();
  const thread = new Thread({ target: waitFor, args: [lock] });
  thread.start();
  const joiners = [1, 2].map(() =>
    new Thread({ target: joinOther, args: [thread] })
  );
  for (const joiner of joiners) joiner.start();
  lock.release();
  await thread.join();
  for (const joiner of joiners) assertEquals(joiner.joinSync(), undefined);
});

Deno.test("setExcepthook() is told of what threads do not catch", async () => {
  const told: ExceptHookArgs[] = [];
  setExcepthook((args) => told.push(args));
  const thread = new Thread({ target: failWith, args: ["odd"], name: "Bob" });
  thread.start();
  await assertRejects(() => thread.join(), OddError);
  for (let i = 0; told.length === 0 && i < 100; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  setExcepthook(() => {});
  assertEquals(told.length, 1);
  assertInstanceOf(told[0].error, OddError);
  assert(told[0].thread === thread);
  assertThrows(() => setExcepthook(5 as unknown as () => void), TypeError);
});

for (const depth of [2000, 30_000]) {
  Deno.test(`Thread.join() gives errors in a chain of ${depth} causes`, async () => {
    const returning = new Thread({ target: makeChain, args: [depth] });
    returning.start();
    assertEquals(chainLength(await returning.join({ timeout: 60_000 })), depth);
    for (const form of ["join", "joinSync"] as const) {
      const throwing = new Thread({ target: throwChain, args: [depth] });
      throwing.start();
      const error = await assertRejects(async () => {
        await throwing[form]({ timeout: 60_000 });
      }, Error);
      assertEquals(chainLength(error), depth);
    }
  });
}

function chainLength(error: Error): number {
  let length = 0;
  for (let at = error; at.cause instanceof Error; at = at.cause) length++;
  return length;
}
