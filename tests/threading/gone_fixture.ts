// Threads that run out of memory while the main thread is blocked or busy. Run
// as a program of its own, with a small limit of memory.
import { assert, assertThrows } from "@std/assert";
import {
  Event,
  Lock,
  OwnerDiedError,
  sendable,
  setExcepthook,
  SharedList,
  sleepSync,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { Queue } from "../../queue/mod.ts";
import { allocate } from "../../threading/_memory/allocator.ts";
import { Field, Header, load } from "../../threading/_memory/heap.ts";
import { lock, lockInner } from "../../threading/_memory/mutex.ts";
import { ADDRESS } from "../../threading/_memory/shared_object.ts";
import { devour } from "./death_fixture.ts";

function devourAll(): never {
  const list: number[][] = [];
  for (;;) list.push(new Array(100_000).fill(Math.random()));
}

/** Runs out of memory in a critical section. */
export const dieInside = sendable(
  import.meta,
  function dieInside(object: SharedList<number> | undefined, begun: Event) {
    begun.set();
    if (object === undefined) lockInner(Header.allocatorMutex);
    else lock(object[ADDRESS] + Field.mutex);
    devourAll();
  },
);

/** Changes a list; gives the message of what that throws. */
export const pushTo = sendable(
  import.meta,
  function pushTo(list: SharedList<number>): string {
    try {
      list.push(1);
      return "no error";
    } catch (error) {
      return String(error);
    }
  },
);

/** Runs out of memory with a lock, when it is told to. */
export const dieHolding = sendable(
  import.meta,
  function dieHolding(object: Lock, held: Event, go: Event) {
    object.acquireSync();
    held.set();
    go.waitSync();
    devourAll();
  },
);

/** Waits for a lock, and says what came of it. */
export const waitFor = sendable(
  import.meta,
  function waitFor(object: Lock, waits: Event, ends: Queue<string>) {
    waits.set();
    try {
      object.acquireSync();
    } catch (error) {
      ends.putSync((error as Error).name);
    }
  },
);

function start(target: typeof dieInside, args: unknown[]): Thread {
  const thread = new Thread({ target, args, daemon: true } as never);
  thread.start();
  return thread;
}

/** The first thing that the main thread blocks for is the dead one's mutex. */
function waitForMutex(object: SharedList<number> | undefined): void {
  const begun = new Event();
  const thread = start(dieInside, [object, begun]);
  begun.waitSync();
  const mutex = object === undefined
    ? Header.allocatorMutex
    : object[ADDRESS] + Field.mutex;
  while (load(mutex) === 0);
  if (object === undefined) allocate(10);
  else {
    assertThrows(
      () => object.push(1),
      ThreadingError,
      "ran out of memory or stack",
    );
  }
  assertThrows(() => thread.joinSync(), ThreadingError, "out of memory");
}

const programs: Record<string, () => void> = {
  "in the mutex of an object": () => waitForMutex(new SharedList()),
  "in the allocator": () => waitForMutex(undefined),
  "while the main thread is busy"() {
    const lock = new Lock();
    const [held, go, waits] = [new Event(), new Event(), new Event()];
    const ends = new Queue<string>();
    start(dieHolding as never, [lock, held, go]);
    held.waitSync();
    start(waitFor as never, [lock, waits, ends]);
    waits.waitSync();
    // Long enough for a sentinel.
    sleepSync(1000);
    go.set();
    const deadline = performance.now() + 30_000;
    while (ends.empty() && performance.now() < deadline);
    assert(ends.getNowait() === "OwnerDiedError");
    assertThrows(() => lock.acquireSync(), OwnerDiedError);
  },
  "while it waits itself"() {
    const lock = new Lock();
    const thread = start(devour as never, [lock]);
    assertThrows(() => thread.joinSync(), ThreadingError, "out of memory");
    assertThrows(() => lock.acquireSync(), OwnerDiedError);
  },
};

if (import.meta.main) {
  setExcepthook(() => {});
  programs[Deno.args[0]]();
  console.log("done");
}
