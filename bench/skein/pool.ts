// The rows of the pool suite with skein.
// Run: deno run -A pool.ts ROW; prints {"name", "ns"}.
import process from "node:process";
import { type Future, ThreadPool } from "../../pool/mod.ts";
import { main } from "../_measure.ts";
import * as work from "./pool_workers.ts";

const SIZE = 2;
const TASKS = 10_000;
const ITEMS = 1_000_000;
const BUFFERS = 400;
const PRIMES = 2000;

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i);

/** So many milliseconds each program warms up, in at least two rounds. */
const WARM_UP = 1000;

/** The median time of several rounds, in nanoseconds, after a warm-up. */
async function rounds(
  count: number,
  round: () => unknown,
): Promise<number> {
  const until = performance.now() + WARM_UP;
  for (let i = 0; i < 2 || performance.now() < until; i++) await round();
  const took: number[] = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await round();
    took.push(performance.now() - start);
  }
  return took.sort((a, b) => a - b)[took.length >> 1] * 1e6;
}

async function one(): Promise<number> {
  const pool = new ThreadPool({ size: 1 });
  return await rounds(9, async () => {
    for (let i = 0; i < 500; i++) await pool.run(work.same, [7]);
  }) / 500;
}

async function oneSync(): Promise<number> {
  const pool = new ThreadPool({ size: 1 });
  return await rounds(9, () => {
    for (let i = 0; i < 500; i++) pool.runSync(work.same, [i]);
  }) / 500;
}

async function many(): Promise<number> {
  const pool = new ThreadPool({ size: SIZE });
  return await rounds(9, async () => {
    const futures: Future<number>[] = [];
    for (let i = 0; i < TASKS; i++) {
      futures.push(pool.submitNowait(work.same, [i]));
    }
    for (const future of futures) await future.result();
  }) / TASKS;
}

async function map(): Promise<number> {
  const pool = new ThreadPool({ size: SIZE });
  const items = numbers(ITEMS);
  return await rounds(5, async () => {
    let sum = 0;
    for await (const n of pool.map(work.same, items)) sum += n;
  }) / ITEMS;
}

async function mapSync(): Promise<number> {
  const pool = new ThreadPool({ size: SIZE });
  const items = numbers(ITEMS);
  return await rounds(5, () => {
    let sum = 0;
    for (const n of pool.mapSync(work.same, items)) sum += n;
  }) / ITEMS;
}

async function mapped<T>(
  fn: (n: number) => T,
  items: number[],
): Promise<number> {
  const pool = new ThreadPool({ size: SIZE });
  return await rounds(5, () => Array.fromAsync(pool.map(fn, items))) /
    items.length;
}

async function alone<T>(
  fn: (n: number) => T,
  items: number[],
): Promise<number> {
  return await rounds(5, () => items.map((n) => fn(n))) / items.length;
}

async function fib(n: number): Promise<number> {
  const pool = new ThreadPool({ size: SIZE });
  return await rounds(15, () => pool.run(work.splitFib, [pool, n, 8]));
}

async function idle(): Promise<number> {
  const pool = new ThreadPool({ size: 4, idleTimeout: Infinity });
  await Array.fromAsync(pool.map(work.compute, [20, 20, 20, 20], { chunk: 1 }));
  // What starts and ends with them is over.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const { user, system } = process.cpuUsage(before);
  return Math.max(1, (user + system) * 1000);
}

/** Odd ones, as large as numbers can be that are quick. */
const primes = () => numbers(PRIMES).map((i) => 2_140_000_001 + 2 * i);

if (import.meta.main) {
  await main({
    "one": one,
    "one-sync": oneSync,
    "many": many,
    "map": map,
    "map-sync": mapSync,
    "hash": () => mapped(work.hash, numbers(BUFFERS)),
    "hash-alone": () => alone(work.hash, numbers(BUFFERS)),
    "primes": () => mapped(work.isPrime, primes()),
    "primes-alone": () => alone(work.isPrime, primes()),
    "fib": () => fib(25),
    "fib-alone": () => rounds(15, () => work.fib(25)),
    "fib-large": () => fib(32),
    "fib-large-alone": () => rounds(15, () => work.fib(32)),
    "idle": idle,
  });
}
