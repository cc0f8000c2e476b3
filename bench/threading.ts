// The rows of the threading suite: who takes part, and what is to be reached.
import { contestant, type Row } from "./_harness.ts";
import {
  c,
  deno,
  denoWithPackages,
  java,
  nodeWithPackages,
  python,
} from "./_programs.ts";

const here = (path: string) => new URL(path, import.meta.url);
const skeinProgram = deno(here("./skein/threading.ts"));
const denoProgram = deno(here("./peers/deno/threading.ts"));
const javaProgram = java(here("./peers/Threading.java"));
const pythonProgram = python(here("./peers/threading.py"));
const nodeProgram = nodeWithPackages(here("./peers/node/threading.js"));

const skein = contestant("skein", skeinProgram);
const posix = contestant("C pthread", c(here("./peers/threading.c")));
const py = contestant("Python", pythonProgram);
const dict = contestant("Python dict, Lock", pythonProgram);
const hashMap = contestant("Java ConcurrentHashMap", javaProgram);
const jvm = contestant("Java", javaProgram);
const monitor = contestant("Java synchronized", javaProgram);
const reentrant = contestant("Java ReentrantLock", javaProgram);
const atomics = contestant("Deno Atomics", denoProgram);
const messages = contestant("Deno postMessage", denoProgram);
const worker = contestant("Deno Worker", denoProgram);
const clockTime = contestant("performance.now()", denoProgram);
const map = contestant("Deno Map, no lock", denoProgram);
const readWrite = contestant("Java ReentrantReadWriteLock", javaProgram);
const packageProgram = denoWithPackages(
  here("./peers/node/multithreading.js"),
);
const mutex = contestant("multithreading Mutex", packageProgram);
const pool = (name: string) => contestant(name, nodeProgram)(name);

const HAND_OVER = 1.3;

/** The rows, in the order of the table. */
export const rows: readonly Row[] = [
  {
    name: "Lock acquire + release, uncontended",
    unit: "ns",
    contestants: [
      skein("lock-pair"),
      posix("lock-pair", 3),
      py("lock-pair", 0.25),
      monitor("lock-pair-synchronized"),
      reentrant("lock-pair-reentrant"),
      atomics("lock-pair"),
      mutex("lock-pair"),
    ],
  },
  {
    name: "Lock acquire + release with `using`, uncontended",
    unit: "ns",
    contestants: [
      skein("lock-using"),
      contestant("skein, acquireSync and release", skeinProgram)("lock-pair"),
      py("lock-with"),
      mutex("lock-using"),
    ],
  },
  {
    name: "two threads incrementing under a Lock",
    unit: "ns",
    contestants: [
      skein("increment"),
      posix("increment", 1.5),
      py("increment"),
      monitor("increment-synchronized"),
      reentrant("increment-reentrant"),
      atomics("increment"),
    ],
  },
  {
    name: "RwLock, acquired for reading + release, uncontended",
    unit: "ns",
    contestants: [
      skein("rw-read"),
      contestant("skein, Lock", skeinProgram)("lock-pair", 2.5),
      readWrite("rw-read"),
      contestant("multithreading RwLock", packageProgram)("rw-read"),
    ],
  },
  {
    name: "RwLock, four threads read at once",
    unit: "ns",
    contestants: [
      skein("rw-readers"),
      readWrite("rw-readers"),
      contestant("multithreading RwLock", packageProgram)("rw-readers"),
    ],
  },
  {
    name: "a deadlock of two threads, found by the second",
    unit: "ns",
    contestants: [
      skein("deadlock"),
      contestant("Deno Atomics, there and back", denoProgram)("round-trip"),
    ],
  },
  {
    name: "start + join of a trivial thread, warm",
    unit: "ns",
    contestants: [
      skein("start-join"),
      py("start-join", 1),
      posix("start-join"),
      jvm("start-join"),
      worker("start-warm"),
      pool("piscina"),
      pool("tinypool"),
    ],
  },
  {
    name: "SharedMap get",
    unit: "ns",
    contestants: [
      skein("map-get", 1000),
      dict("map-get"),
      hashMap("map-get"),
      map("map-get"),
    ],
  },
  {
    name: "SharedMap set",
    unit: "ns",
    contestants: [
      skein("map-set", 1000),
      dict("map-set"),
      hashMap("map-set"),
      map("map-set"),
    ],
  },
  {
    name: "Condition, there and back",
    unit: "ns",
    contestants: [
      skein("condition"),
      atomics("round-trip", 1.2),
      posix("condition"),
      py("condition"),
      jvm("condition"),
    ],
  },
  {
    name: "Event, there and back",
    unit: "ns",
    contestants: [
      skein("event"),
      atomics("round-trip", HAND_OVER),
      messages("message"),
      py("event"),
    ],
  },
  {
    name: "Thread.cancel, until the catch of the blocked thread answers",
    unit: "ns",
    contestants: [skein("cancel"), atomics("round-trip", 2)],
  },
  {
    name: "Semaphore, there and back",
    unit: "ns",
    contestants: [
      skein("semaphore"),
      atomics("round-trip", HAND_OVER),
      posix("semaphore"),
      py("semaphore"),
      jvm("semaphore"),
    ],
  },
  {
    name: "a trace that is off, in the lock pair",
    unit: "ns",
    contestants: [skein("trace-off", 1)],
  },
  {
    name: "an event of a trace, of a lock",
    unit: "ns",
    contestants: [skein("trace-lock"), clockTime("clock", 2)],
  },
  {
    name: "an event of a trace, of a span",
    unit: "ns",
    contestants: [skein("trace-span"), clockTime("clock", 2)],
  },
];
