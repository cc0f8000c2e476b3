// Run with SKEIN_HEAP_MIB=2: threads end, in all the ways in which one can, while
// there is no room on the shared heap.
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  Event,
  exit,
  HeapExhaustedError,
  Lock,
  OwnerDiedError,
  sendable,
  SharedArray,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import {
  allocate,
  checkHeap,
  removeDraft,
} from "../../threading/_memory/allocator.ts";

/** Takes what room there is; nobody gives it back. */
function fill(): void {
  for (let words = 2 ** 16; words > 0; words >>= 1) {
    for (;;) {
      try {
        removeDraft(allocate(words));
      } catch {
        break;
      }
    }
  }
}

const ways = {
  "throws": () => {
    throw new Error("long ".repeat(1000));
  },
  "returns": () => "long ".repeat(1000),
  "exits": () => exit(),
  "closes its worker": () => {
    close();
    new Event().waitSync();
  },
  "is killed": () => new Event().waitSync(),
};

type Way = keyof typeof ways;

export const endFull = sendable(
  import.meta,
  function endFull(way: Way, lock: Lock, ready: SharedArray<Int32Array>) {
    lock.acquireSync();
    // Handles that it needs are there before the heap is full.
    fill();
    assertThrows(() => allocate(1), HeapExhaustedError);
    ready.view[0] = 1;
    return ways[way]();
  },
);

if (import.meta.main) {
  const name = "X".repeat(100);
  const way = Deno.args[0] as Way;
  const lock = new Lock();
  const ready = new SharedArray(Int32Array, 1);
  const thread = new Thread({
    target: endFull,
    args: [way, lock, ready],
    name,
  });
  thread.start();
  while (Atomics.load(ready.view, 0) === 0);
  if (way === "is killed") thread.terminate();
  let outcome: unknown;
  try {
    outcome = thread.joinSync();
  } catch (error) {
    outcome = error;
  }
  assert(!thread.isAlive());
  if (way === "exits") {
    assertEquals(outcome, undefined);
    assert(lock.locked());
  } else {
    assert(outcome instanceof ThreadingError, String(outcome));
    assertThrows(() => lock.acquireSync(), OwnerDiedError, name);
    lock.recover();
    lock.acquireSync();
  }
  checkHeap();
  console.log("done");
}
