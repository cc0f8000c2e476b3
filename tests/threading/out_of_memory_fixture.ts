/**
 * Run as a program of its own, with a small limit of memory: threads that run
 * out of it.
 */
import { assert, assertRejects, assertThrows } from "@std/assert";
import {
  Lock,
  OwnerDiedError,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { devour, echo } from "./death_fixture.ts";

async function outOfMemory(sync: boolean): Promise<void> {
  const lock = new Lock();
  const thread = new Thread({ target: devour, args: [lock] });
  thread.start();
  const start = performance.now();
  if (sync) {
    assertThrows(() => thread.joinSync(), ThreadingError, "out of memory");
  } else {
    await assertRejects(() => thread.join(), ThreadingError, "out of memory");
  }
  console.log(sync ? "sync" : "async", Math.round(performance.now() - start));
  assert(!thread.isAlive());
  assertThrows(() => lock.acquireSync(), OwnerDiedError, thread.name);
  const next = new Thread({ target: echo, args: [1] });
  next.start();
  assert(next.joinSync() === 1);
}

if (import.meta.main) {
  await outOfMemory(false);
  await outOfMemory(true);
  for (let i = 0; i < 3; i++) await outOfMemory(true);
  console.log("done");
}
