import { asCompletedSync, type Future } from "../../pool/mod.ts";
import { type Semaphore, sendable } from "../../threading/mod.ts";

export const same = sendable(import.meta, (n: number) => n);

export const pass = sendable(import.meta, (gate: Semaphore, n: number) => {
  gate.acquireSync();
  return n;
});

export const takeAll = sendable(
  import.meta,
  function takeAll(futures: Future<number>[]): number {
    let sum = 0;
    for (const future of asCompletedSync(futures)) sum += future.resultSync();
    return sum;
  },
);
