import {
  currentTask,
  parallelMapSync,
  type ThreadPool,
  toThread,
} from "../../pool/mod.ts";
import {
  currentThread,
  type Event,
  sendable,
  type SharedNumber,
} from "../../threading/mod.ts";

export const square = sendable(import.meta, (n: number) => n * n);

export const squareLater = sendable(
  import.meta,
  async function squareLater(n: number): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, n % 3));
    return n * n;
  },
);

export const same = sendable(import.meta, (value: unknown) => value);

export const sameLater = sendable(
  import.meta,
  async function sameLater(value: unknown): Promise<unknown> {
    return await value;
  },
);

export const odd = sendable(import.meta, function odd(n: number) {
  if (n % 2 === 0) throw new RangeError(`${n} is even`);
  return n;
});

export const slowFirst = sendable(
  import.meta,
  async function slowFirst(ms: number) {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return ms;
  },
);

/** Keeps its thread busy, and gives back the milliseconds. */
export const spin = sendable(import.meta, function spin(ms: number): number {
  const end = performance.now() + ms;
  while (performance.now() < end);
  return ms;
});

/** The same, in the event loop from the second item on. */
export const spinLater = sendable(
  import.meta,
  (ms: number): number | Promise<number> =>
    ms === 0 ? 0 : Promise.resolve(ms).then(spin),
);

export const hang = sendable(import.meta, async function hang(n: number) {
  if (n < 2) return n;
  const { signal } = currentTask()!;
  await new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason))
  );
  return n;
});

/** One result, or one reason, cannot be sent. */
export const unsendableAt = sendable(
  import.meta,
  function unsendableAt(n: number): unknown {
    if (n === 3) return () => n;
    if (n === 5) throw () => n;
    if (n === 7) throw new RangeError("seven");
    return n;
  },
);

export const unsendableLater = sendable(
  import.meta,
  async function unsendableLater(n: number): Promise<unknown> {
    await Promise.resolve();
    return unsendableAt(n);
  },
);

export const dieAt = sendable(import.meta, function dieAt(n: number) {
  if (n === 3) currentThread().terminate();
  return n;
});

export const sumOfSquares = sendable(
  import.meta,
  async function sumOfSquares(pool: ThreadPool, n: number): Promise<number> {
    let sum = 0;
    const numbers = Array.from({ length: n }, (_, i) => i);
    for await (const each of pool.map(square, numbers)) sum += each;
    return sum;
  },
);

export const sumOfSquaresSync = sendable(
  import.meta,
  function sumOfSquaresSync(pool: ThreadPool, n: number): number {
    let sum = 0;
    const numbers = Array.from({ length: n }, (_, i) => i);
    for (const each of pool.mapSync(square, numbers)) sum += each;
    return sum;
  },
);

export const inCommon = sendable(
  import.meta,
  async function inCommon(): Promise<unknown> {
    return [
      [...parallelMapSync(square, [1, 2, 3])],
      await toThread(square, [4]),
    ];
  },
);

export const report = sendable(
  import.meta,
  function report(n: number, event?: Event): void {
    const task = currentTask()!;
    for (let i = 0; i < n; i++) task.progress({ step: i });
    event?.waitSync();
    task.progress("last");
  },
);

export const countRuns = sendable(
  import.meta,
  (runs: SharedNumber) => runs.add(1),
);

/** Makes what it has been given such that it can be sent no further. */
export const spoil = sendable(
  import.meta,
  function spoil({ box, ms }: { box: { fn?: () => void }; ms: number }) {
    box.fn = () => {};
    return spin(ms);
  },
);
