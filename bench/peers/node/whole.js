// Whole programs with node:worker_threads, on Node and, since it has the same
// module, on Deno. A main thread that blocked would get no messages, so it
// listens for them. Run: node whole.js ROW; for items prints {"name", "ns"},
// what each of them took after the first.
import { once } from "node:events";
import process from "node:process";
import { parentPort, Worker, workerData } from "node:worker_threads";

// Words of what the main thread and its workers share.
const ARRIVED = 0;
const END = 1;
const TURN = 2;

function itemOf(kind, i) {
  if (kind === "numbers") return i;
  return { id: i, name: "spam", priority: 3, tags: ["a", "b"] };
}

/** Hands the turn to and fro; a word says whose it is. */
function play(cells, me, turns) {
  for (let i = 0; i < turns; i++) {
    while (Atomics.load(cells, TURN) !== me) Atomics.wait(cells, TURN, 1 - me);
    Atomics.store(cells, TURN, 1 - me);
    Atomics.notify(cells, TURN, 1);
  }
}

/** What the workers do. */
const works = {
  thread() {},
  waiting({ cells }) {
    Atomics.add(cells, ARRIVED, 1);
    Atomics.notify(cells, ARRIVED);
    Atomics.wait(cells, END, 0);
  },
  lock({ cells, count }) {
    play(cells, 1, count / 2);
  },
  items({ kind, count }) {
    for (let i = 0; i < count; i++) parentPort.postMessage(itemOf(kind, i));
  },
};

function start(work, data) {
  return new Worker(new URL(import.meta.url), {
    workerData: { work, ...data },
  });
}

async function items(kind, count) {
  const producer = start("items", { kind, count });
  let begin = 0;
  let got = 0;
  producer.on("message", (item) => {
    if ((kind === "numbers" ? item : item.id) !== got) {
      throw new Error(`Cannot measure: item ${got} is missing`);
    }
    if (got++ === 0) begin = performance.now();
    if (got < count) return;
    const ns = (performance.now() - begin) * 1e6 / (count - 1);
    console.log(JSON.stringify({ name: kind, ns }));
  });
  await once(producer, "exit");
}

/** The rows, each with the number behind its name. */
const rows = {
  thread: () => once(start("thread"), "exit"),
  waiting(count) {
    const cells = new Int32Array(new SharedArrayBuffer(16));
    for (let i = 0; i < count; i++) start("waiting", { cells });
    for (let there = 0; there < count;) {
      Atomics.wait(cells, ARRIVED, there);
      there = Atomics.load(cells, ARRIVED);
    }
    process.exit(0);
  },
  lock(count) {
    const cells = new Int32Array(new SharedArrayBuffer(16));
    const other = start("lock", { cells, count });
    play(cells, 0, count / 2);
    return once(other, "exit");
  },
  numbers: (count) => items("numbers", count),
  objects: (count) => items("objects", count),
};

if (workerData?.work) {
  works[workerData.work](workerData);
} else {
  const [row, count] = process.argv[2].split(" ");
  if (!Object.hasOwn(rows, row)) {
    throw new Error(`Cannot run the row: it is unknown, received ${row}`);
  }
  await rows[row](Number(count));
}
