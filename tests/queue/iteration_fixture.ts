import { Queue } from "../../queue/mod.ts";
import { sendable, setExcepthook } from "../../threading/mod.ts";
import type { Item } from "./kinds_fixture.ts";

/** The numbers of all items until the end. */
export const iterate = sendable(
  import.meta,
  function iterate(queue: Queue<Item>): number[] {
    const numbers: number[] = [];
    for (const [n] of queue) numbers.push(n);
    return numbers;
  },
);

/** Waits in vain. */
export const timeOut = sendable(import.meta, function timeOut(): void {
  setExcepthook(() => {});
  new Queue().getSync({ timeout: 1 });
});
