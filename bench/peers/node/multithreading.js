// The rows that the npm package `multithreading` has, too: whole programs, and
// warm ones. It runs on Deno, since Node 20 has no `navigator`, which it asks.
// Run: deno run -A multithreading.js ROW; where it measures itself, prints
// {"name", "ns"}.
import process from "node:process";

// Named by a variable: the package is only installed for the run.
const PACKAGE = "multithreading";
const {
  channel,
  Condvar,
  initRuntime,
  move,
  Mutex,
  RwLock,
  shutdown,
  spawn,
} = await import(PACKAGE);

/** The value of an answer: the package returns errors and does not throw them. */
function valueOf(result) {
  if (!result.ok) throw result.error;
  return result.value;
}

async function thread() {
  valueOf(await spawn(() => {}).join());
}

// What is spawned goes to the worker as text, so it can use nothing around it.
function play(mutex, turns, me, times) {
  for (let i = 0; i < times; i++) {
    const guard = mutex.blockingLock();
    while (guard.value[0] !== me) turns.blockingWait(guard);
    guard.value[0] = 1 - me;
    turns.notifyOne();
    guard.dispose();
  }
}

async function lock(count) {
  const mutex = new Mutex(new Int32Array(new SharedArrayBuffer(4)));
  const turns = new Condvar();
  const other = spawn(move(mutex, turns, 1, count / 2), play);
  play(mutex, turns, 0, count / 2);
  valueOf(await other.join());
}

function produce(sender, kind, count) {
  for (let i = 0; i < count; i++) {
    const item = kind === "numbers"
      ? i
      : { id: i, name: "spam", priority: 3, tags: ["a", "b"] };
    const result = sender.blockingSend(item);
    if (!result.ok) throw result.error;
  }
}

/** Gets items on the blocked main thread; nanoseconds each, after the warm ones. */
async function items(kind, count, warm = 1) {
  const [sender, receiver] = channel();
  const producer = spawn(move(sender, kind, count), produce);
  let begin = 0;
  for (let i = 0; i < count; i++) {
    const item = valueOf(receiver.blockingRecv());
    if ((kind === "numbers" ? item : item.id) !== i) {
      throw new Error(`Cannot measure: item ${i} is missing`);
    }
    if (i === warm - 1) begin = performance.now();
  }
  const took = performance.now() - begin;
  valueOf(await producer.join());
  return took * 1e6 / (count - warm);
}

function lockPair() {
  const mutex = new Mutex();
  const n = 100_000;
  let start = 0;
  for (let i = -n; i < n; i++) {
    if (i === 0) start = performance.now();
    mutex.blockingLock().dispose();
  }
  return (performance.now() - start) * 1e6 / n;
}

function rwRead() {
  const lock = new RwLock();
  const n = 100_000;
  let start = 0;
  for (let i = -n; i < n; i++) {
    if (i === 0) start = performance.now();
    lock.blockingRead().dispose();
  }
  return (performance.now() - start) * 1e6 / n;
}

// In a worker, so it can use nothing around it.
function readTogether(lock, words, threads, times) {
  for (let i = 0; i < times; i++) lock.blockingRead().dispose();
  Atomics.add(words, 0, 1);
  while (Atomics.load(words, 0) < threads);
  const start = performance.now();
  for (let i = 0; i < times; i++) lock.blockingRead().dispose();
  return performance.now() - start;
}

async function rwReaders() {
  const lock = new RwLock();
  const words = new Int32Array(new SharedArrayBuffer(4));
  const [threads, times] = [4, 50_000];
  initRuntime({ maxWorkers: threads });
  const readers = Array.from(
    { length: threads },
    () => spawn(move(lock, words, threads, times), readTogether),
  );
  const took = await Promise.all(readers.map((reader) => reader.join()));
  return Math.max(...took.map(valueOf)) * 1e6 / (threads * times);
}

function lockUsing() {
  const mutex = new Mutex();
  const n = 100_000;
  let start = 0;
  for (let i = -n; i < n; i++) {
    if (i === 0) start = performance.now();
    using _ = mutex.blockingLock();
  }
  return (performance.now() - start) * 1e6 / n;
}

/**
 * A trivial task, awaited, one at a time. Many at once fail: "Function ID 0 not
 * found in worker registry".
 */
async function poolOne() {
  const n = 500;
  const until = performance.now() + 1000;
  let start = 0;
  for (let i = -n; i < n; i++) {
    // It warms up as long as the others.
    if (i === -1 && performance.now() < until) i = -n;
    if (i === 0) start = performance.now();
    valueOf(await spawn(move(i), (i) => i).join());
  }
  return (performance.now() - start) * 1e6 / n;
}

/** The rows, each with the number behind its name. */
const rows = {
  thread,
  lock,
  numbers: (count) => items("numbers", count),
  objects: (count) => items("objects", count),
  "lock-pair": lockPair,
  "rw-read": rwRead,
  "rw-readers": rwReaders,
  "lock-using": lockUsing,
  "objects-warm": () => items("objects", 80_000, 40_000),
  "pool-one": poolOne,
};

const [row, count] = process.argv[2].split(" ");
if (!Object.hasOwn(rows, row)) {
  throw new Error(`Cannot run the row: it is unknown, received ${row}`);
}
const ns = await rows[row](Number(count));
if (ns !== undefined) console.log(JSON.stringify({ name: row, ns }));
shutdown();
