import { assertEquals, assertThrows } from "@std/assert";
import type { Queue } from "../../queue/mod.ts";
import { Event, setExcepthook, Thread } from "../../threading/mod.ts";
import { gets, has, joins, kinds, puts, wait } from "./cancel_fixture.ts";
import { countWaiting, untilWaiting } from "./support.ts";

const TIMEOUT = 60_000;

// Nothing is to be told.
setExcepthook(({ error }) => {
  throw error;
});

function start(queue: Queue<number>, name: string, late?: Event): Thread {
  const thread = new Thread({ target: wait, args: [queue, name, late] });
  thread.start();
  return thread as Thread;
}

function assertCancelled(thread: Thread): void {
  const { name } = thread;
  assertThrows(() => thread.joinSync({ timeout: TIMEOUT }), RangeError, name);
}

function cancel(thread: Thread): void {
  thread.cancel(new RangeError(thread.name));
}

for (const [kind, make] of Object.entries(kinds)) {
  for (const name of Object.keys(gets).filter((name) => has(make(0), name))) {
    Deno.test(`Thread.cancel() ends ${name} of ${kind}, which takes nothing`, () => {
      const queue = make(0);
      const thread = start(queue, name);
      untilWaiting(queue, 1);
      cancel(thread);
      assertCancelled(thread);
      assertEquals(countWaiting(queue, "getters"), 0);
      if (kind === "SynchronousQueue") return;
      // An item that comes when it was cancelled is for somebody else, whether
      // the waiter has noticed or not.
      for (let i = 0; i < 5; i++) {
        const other = start(queue, name);
        untilWaiting(queue, 1);
        cancel(other);
        queue.putSync(i);
        assertCancelled(other);
        assertEquals(queue.getSync({ timeout: TIMEOUT }), i);
        assertEquals(queue.qsize(), 0);
      }
    });

    Deno.test(`Thread.cancel() has ${name} of ${kind} throw though there is an item`, () => {
      const queue = make(0);
      if (kind !== "SynchronousQueue") queue.putNowait(5);
      const late = new Event();
      const thread = start(queue, name, late);
      late.waitSync({ timeout: TIMEOUT });
      cancel(thread);
      assertCancelled(thread);
      if (kind !== "SynchronousQueue") assertEquals(queue.getNowait(), 5);
    });
  }

  for (const name of Object.keys(puts).filter((name) => has(make(0), name))) {
    if (kind === "SimpleQueue") continue;
    Deno.test(`Thread.cancel() ends ${name} of ${kind}, which puts nothing in`, () => {
      const queue = make(1);
      if (kind !== "SynchronousQueue") queue.putNowait(1);
      const thread = start(queue, name);
      untilWaiting(queue, 1, "putters");
      cancel(thread);
      assertCancelled(thread);
      assertEquals(countWaiting(queue, "putters"), 0);
      if (kind === "SynchronousQueue") return;
      assertEquals(queue.qsize(), 1);
      assertEquals(queue.getNowait(), 1);
      const late = new Event();
      const other = start(queue, name, late);
      late.waitSync({ timeout: TIMEOUT });
      cancel(other);
      assertCancelled(other);
      assertEquals(queue.qsize(), 0);
    });
  }

  for (const name of Object.keys(joins).filter((name) => has(make(0), name))) {
    Deno.test(`Thread.cancel() ends ${name} of ${kind}`, () => {
      const queue = make(0);
      queue.putNowait(1);
      const thread = start(queue, name);
      untilWaiting(queue, 1, "joiners");
      cancel(thread);
      assertCancelled(thread);
      queue.getNowait();
      queue.taskDone();
      const late = new Event();
      const other = start(queue, name, late);
      late.waitSync({ timeout: TIMEOUT });
      cancel(other);
      assertCancelled(other);
    });
  }
}
