// What the tasks of the pool rows do. Their workers import this file.
import { builtIn } from "../../_internal/built_in.ts";
import type { ThreadPool } from "../../pool/mod.ts";
import { sendable } from "../../threading/mod.ts";

/** Gives back what it was given. */
export const same = sendable(import.meta, (n: number) => n);

const buffer = new Uint8Array(65_536);

/** The SHA-256 of 64 KiB. Only who calls it loads what it needs. */
export const hash = sendable(
  import.meta,
  (n: number) =>
    builtIn("node:crypto").createHash("sha256").update(buffer.fill(n))
      .digest("hex"),
);

/** Whether a number is prime, by trial. */
export const isPrime = sendable(import.meta, function isPrime(n: number) {
  if (n % 2 === 0) return n === 2;
  for (let i = 3; i * i <= n; i += 2) {
    if (n % i === 0) return false;
  }
  return n > 1;
});

/** Keeps its thread busy. */
export const compute = sendable(import.meta, function compute(ms: number) {
  const end = performance.now() + ms;
  while (performance.now() < end);
});

export function fib(n: number): number {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

/** Splits itself; whoever waits for a half runs it, if nobody has begun. */
export const splitFib = sendable(
  import.meta,
  function splitFib(pool: ThreadPool, n: number, depth: number): number {
    if (depth === 0 || n < 2) return fib(n);
    const left = pool.submitNowait(splitFib, [pool, n - 1, depth - 1]);
    const right = splitFib(pool, n - 2, depth - 1);
    const sum = left.resultSync() + right;
    left.free();
    return sum;
  },
);
