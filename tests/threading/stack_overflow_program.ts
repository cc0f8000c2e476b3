// Overflows the stack again and again in the midst of changes, then looks whether
// all is well. Prints the number of overflows.
import { assert, assertEquals } from "@std/assert";
import { Lock, Semaphore, SharedList, SharedMap } from "../../threading/mod.ts";
import { checkHeap } from "../../threading/_memory/allocator.ts";

/** Takes one step in each frame until the stack is full. */
function dive(step: () => void): never {
  step();
  return dive(step);
}

/** Some frames more or less, so that the stack ends elsewhere each time. */
function shift(frames: number, then: () => void): void {
  if (frames === 0) then();
  else shift(frames - 1, then);
}

/** Until the stack overflows, at whatever instruction that is. */
function overflow(frames: number, step: () => void): void {
  try {
    shift(frames, () => dive(step));
  } catch (error) {
    assert(error instanceof RangeError, String(error));
  }
}

const lock = new Lock();
const semaphore = new Semaphore();
const list = new SharedList<string>();
const map = new SharedMap<string, unknown>();
const steps: (() => void)[] = [
  () => lock.acquireNowait() && lock.release(),
  () => semaphore.release(),
  () => new Lock().free(),
  () => list.length() > 5 ? list.shift() : list.push("item"),
  () => map.set("key", { text: "value", list: [1, 2, 3] }),
  () => map.get("key"),
];
const SHIFTS = 12;
for (let frames = 0; frames < SHIFTS; frames++) {
  for (const step of steps) overflow(frames, step);
  checkHeap();
}
if (lock.locked()) lock.release();
assertEquals(lock.acquireSync(), lock);
semaphore.acquireSync().release();
list.push("last");
assertEquals(list.at(-1), "last");
map.set("key", 1);
assertEquals(map.get("key"), 1);

console.log(SHIFTS * steps.length);
