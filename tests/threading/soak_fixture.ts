import { Lock, sendable, SharedList } from "../../threading/mod.ts";
import { checkHeap } from "../../threading/_memory/allocator.ts";

/**
 * Never returns to its event loop and meets objects that it frees.
 *
 * @returns How many words the heap grew by.
 */
export const meetAndFree = sendable(
  import.meta,
  function meetAndFree(rounds: number): number {
    const list = new SharedList<Lock>();
    const meet = () => {
      const lock = new Lock();
      list.push(lock);
      lock.free();
      list.pop()!.free();
    };
    for (let i = 0; i < 5000; i++) meet();
    const before = checkHeap().allocatedWords;
    for (let i = 0; i < rounds; i++) meet();
    const after = checkHeap().allocatedWords;
    list.free();
    return after - before;
  },
);
