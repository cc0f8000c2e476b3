// The rows of the threading suite with what Deno itself has: workers, Atomics
// and postMessage. Run: deno run -A threading.ts ROW; prints {"name", "ns"}.
import { main, perCall } from "../../_measure.ts";
import { acquire, release } from "./mutex.ts";
import {
  INCREMENTS,
  type Task,
  TRIPS,
  WARM_INCREMENTS,
} from "./threading_worker.ts";

const cells = new Int32Array(new SharedArrayBuffer(1024));

function worker(task: Omit<Task, "cells">): {
  worker: Worker;
  result: Promise<number>;
} {
  const url = new URL("./threading_worker.ts", import.meta.url);
  const worker = new Worker(url, { type: "module" });
  const result = new Promise<number>((resolve, reject) => {
    worker.onmessage = (event) => resolve(event.data);
    worker.onerror = (event) => reject(event.error ?? event.message);
  });
  worker.postMessage({ ...task, cells });
  return { worker, result };
}

async function both(kind: Task["kind"]): Promise<[number, number]> {
  return await Promise.all([
    worker({ kind, me: 0 }).result,
    worker({ kind, me: 1 }).result,
  ]);
}

function lockPair(): number {
  return perCall(20_000, (turns) => {
    for (let i = 0; i < turns; i++) {
      acquire(cells, 0);
      release(cells, 0);
    }
  });
}

/** What is compared with an event of a trace, which looks at the clock, too. */
function clock(): number {
  let last = 0;
  const ns = perCall(2000, (turns) => {
    for (let i = 0; i < turns; i++) last = performance.now();
  });
  if (last === 0) throw new Error("Cannot measure: no time, received 0");
  return ns;
}

async function increment(): Promise<number> {
  const took = await both("increment");
  if (cells[1] !== 2 * (INCREMENTS + WARM_INCREMENTS)) {
    throw new Error(`Cannot measure: increments lost, received ${cells[1]}`);
  }
  return Math.max(...took) / (2 * INCREMENTS);
}

async function roundTrip(): Promise<number> {
  return (await both("round-trip"))[0] / TRIPS;
}

async function message(): Promise<number> {
  const { worker: echo, result } = worker({ kind: "echo", me: 1 });
  await result;
  const ask = (i: number) =>
    new Promise((resolve) => {
      echo.onmessage = resolve;
      echo.postMessage(i);
    });
  for (let i = 0; i < 500; i++) await ask(i);
  const times = 4000;
  const start = performance.now();
  for (let i = 0; i < times; i++) await ask(i);
  return (performance.now() - start) * 1e6 / times;
}

async function startEnd(): Promise<number> {
  const start = performance.now();
  const { worker: one, result } = worker({ kind: "nothing", me: 0 });
  await result;
  one.terminate();
  return (performance.now() - start) * 1e6;
}

async function startWarm(): Promise<number> {
  await startEnd();
  let sum = 0;
  for (let i = 0; i < 10; i++) sum += await startEnd();
  return sum / 10;
}

const KEYS = Array.from({ length: 64 }, (_, i) => `key${i}`);
const map = new Map(KEYS.map((key, i) => [key, i]));

function mapGet(): number {
  let sum = 0;
  const ns = perCall(20_000, (turns) => {
    for (let i = 0; i < turns; i++) sum += map.get(KEYS[i & 63])!;
  });
  if (sum === 0) throw new Error(`Cannot measure: nothing got, received 0`);
  return ns;
}

function mapSet(): number {
  return perCall(20_000, (turns) => {
    for (let i = 0; i < turns; i++) map.set(KEYS[i & 63], i);
  });
}

if (import.meta.main) {
  await main({
    "lock-pair": lockPair,
    "increment": increment,
    "round-trip": roundTrip,
    "message": message,
    "start-warm": startWarm,
    "map-get": mapGet,
    "map-set": mapSet,
    clock,
  });
}
