// The rows of the pool suite: who takes part, and what is to be reached.
import { type Contestant, contestant, type Row } from "./_harness.ts";
import {
  deno,
  denoWithPackages,
  java,
  nodeWithPackages,
  python,
} from "./_programs.ts";

const here = (path: string) => new URL(path, import.meta.url);

const program = deno(here("./skein/pool.ts"));
const nodeProgram = nodeWithPackages(here("./peers/node/pool.js"));
const pythonProgram = python(here("./peers/pool.py"));

const skein = contestant("skein", program);
const blocked = contestant("skein, blocked", program);
const alone = contestant("skein, one thread", program);
const jvm = contestant("Java", java(here("./peers/Pools.java")));
const multithreading = contestant(
  "multithreading",
  denoWithPackages(here("./peers/node/multithreading.js")),
);

/** A pool of an npm package, on Node. */
function npm(name: string) {
  return (row: string, atMost?: number): Contestant =>
    contestant(name, nodeProgram)(`${name} ${row}`, atMost);
}

const piscina = npm("piscina");
const tinypool = npm("tinypool");
const workerpool = npm("workerpool");
const poolifier = npm("poolifier");

/** An executor of Python. */
function executor(kind: "Thread" | "Process") {
  return (row: string, atMost?: number): Contestant =>
    contestant(`Python ${kind}PoolExecutor`, pythonProgram)(
      `${kind.toLowerCase()} ${row}`,
      atMost,
    );
}

const threads = executor("Thread");
const processes = executor("Process");

/** The rows, in the order of the table. */
export const rows: readonly Row[] = [
  {
    name: "a trivial task in a pool, awaited, one at a time",
    unit: "ns",
    contestants: [
      skein("one"),
      blocked("one-sync"),
      piscina("one", 0.6),
      tinypool("one"),
      workerpool("one"),
      poolifier("one"),
      multithreading("pool-one"),
      threads("one"),
      processes("one"),
      jvm("one"),
    ],
  },
  {
    name: "10 000 trivial tasks in a pool, submitted, then awaited",
    unit: "ns",
    contestants: [
      skein("many", 3000),
      piscina("many", 0.2),
      tinypool("many"),
      workerpool("many"),
      poolifier("many"),
      threads("many", 0.5),
      processes("many"),
      jvm("many"),
    ],
  },
  {
    name: "map over 1 000 000 numbers with a trivial function",
    unit: "ns",
    rounds: 3,
    contestants: [
      skein("map", 400),
      blocked("map-sync"),
      threads("map"),
      processes("map"),
      jvm("map"),
    ],
  },
  {
    name: "map with SHA-256 of 64 KiB, two workers",
    unit: "ns",
    contestants: [
      skein("hash"),
      alone("hash-alone", 1 / 1.85),
      piscina("hash"),
      tinypool("hash"),
      workerpool("hash"),
      poolifier("hash"),
      threads("hash"),
      processes("hash"),
      jvm("hash"),
    ],
  },
  {
    name: "map with 2 000 prime tests, two workers",
    unit: "ns",
    contestants: [
      skein("primes"),
      alone("primes-alone", 1 / 1.85),
      piscina("primes"),
      tinypool("primes"),
      workerpool("primes"),
      poolifier("primes"),
      processes("primes"),
      jvm("primes"),
    ],
  },
  {
    name: "fib(25), split to depth 8, two workers that help",
    unit: "ns",
    contestants: [skein("fib"), alone("fib-alone", 1 / 1.7), jvm("fib")],
  },
  {
    name: "fib(32), split to depth 8, two workers that help",
    unit: "ns",
    contestants: [
      skein("fib-large"),
      alone("fib-large-alone", 1 / 1.7),
      jvm("fib-large"),
    ],
  },
  {
    name: "an idle pool of 4 workers, CPU in 10 s",
    unit: "ns",
    rounds: 3,
    contestants: [skein("idle", 10e6)],
  },
];
