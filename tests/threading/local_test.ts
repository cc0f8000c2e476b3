import { assert, assertEquals, assertThrows } from "@std/assert";
import { Event, Thread, ThreadingError } from "../../threading/mod.ts";
import { Local, sleepSync } from "../../threading/current_thread.ts";
import { SharedNumber } from "../../threading/shared/numbers.ts";
import { Header, load } from "../../threading/_memory/heap.ts";
import {
  addTo,
  addToTopLevel,
  churn,
  makeList,
  readAndWait,
  readTwice,
  setAndRead,
  topLevel,
} from "./local_fixture.ts";

function inThread<R, A extends readonly unknown[]>(
  target: (...args: [...A]) => R,
  args: A,
): R {
  const thread = new Thread({ target, args } as never);
  thread.start();
  return thread.joinSync() as R;
}

Deno.test("Local.value is made by init at the first read", () => {
  let calls = 0;
  const local = new Local(() => ++calls);
  assertEquals(calls, 0);
  assertEquals(local.value, 1);
  assertEquals(local.value, 1);
});

Deno.test("Local.value can be set without init being called", () => {
  const local = new Local<number | undefined>(() => {
    throw new Error("not to be called");
  });
  local.value = undefined;
  assertEquals(local.value, undefined);
  local.value = 5;
  assertEquals(local.value, 5);
});

Deno.test("Local.value throws what init throws, and asks it again", () => {
  let calls = 0;
  const local = new Local(() => {
    if (++calls === 1) throw new RangeError("not yet");
    return calls;
  });
  assertThrows(() => local.value, RangeError, "not yet");
  assertEquals(local.value, 2);
});

Deno.test("Local refuses an init that is no function", () => {
  assertThrows(() => new Local(1 as never), TypeError, "received 1");
});

Deno.test("Local at the top level of a module is one per thread", () => {
  topLevel.value.push("main");
  assertEquals(inThread(addToTopLevel, ["a"]), ["fresh", "a"]);
  assertEquals(topLevel.value, ["fresh", "main"]);
});

Deno.test("Local sees no value of the thread before in the same worker", () => {
  const local = new Local(makeList);
  for (let i = 0; i < 20; i++) {
    const item = String(i);
    assertEquals(inThread(addToTopLevel, [item]), ["fresh", item]);
    assertEquals(inThread(addTo, [local, item]), ["fresh", item]);
  }
});

Deno.test("Local that is sent makes its value with a marked init", () => {
  const local = new Local(makeList);
  local.value.push("main");
  assertEquals(inThread(addTo, [local, "thread"]), ["fresh", "thread"]);
  assertEquals(local.value, ["fresh", "main"]);
  assertEquals(inThread(readTwice, [local]), [true, 1]);
});

Deno.test("Local that is sent without a marked init says what to do", () => {
  const local = new Local((): string[] => []);
  assertThrows(
    () => inThread(addTo, [local, "x"]),
    ThreadingError,
    "its init is not marked",
  );
  assertEquals(inThread(setAndRead, [local, 7]), 7);
});

Deno.test("Local has a value for each of many threads at once", () => {
  const local = new Local(makeList);
  const ready = new SharedNumber(0);
  const go = new Event();
  const threads = Array.from({ length: 8 }, () => {
    const thread = new Thread({
      target: readAndWait,
      args: [local, ready, go],
    });
    thread.start();
    return thread;
  });
  while (ready.value < 8) sleepSync(5);
  go.set();
  for (const thread of threads) assertEquals(thread.joinSync(), 2);
});

Deno.test("Local leaves no memory behind", () => {
  inThread(churn, [10]);
  const before = load(Header.allocatedWords);
  for (let i = 0; i < 5; i++) assertEquals(inThread(churn, [5000]), 42);
  assert(load(Header.allocatedWords) - before < 1000);
});
