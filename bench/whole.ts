// The rows "as users meet it": whole programs, from the start of the process to
// its end, with nothing warmed up, and who takes part.
import { type Contestant, contestant, type Row } from "./_harness.ts";
import {
  deno,
  denoWithPackages,
  node,
  nodeWithPackages,
  type Program,
  published,
  python,
  whole,
} from "./_programs.ts";

const here = (path: string) => new URL(path, import.meta.url);

type What = Parameters<typeof whole>[0];

/** Who takes part; what of the whole is measured is chosen for each row. */
function among(name: string, program: Program) {
  return (what: What) => contestant(name, whole(what, program));
}

const empty = deno(here("./peers/deno/empty.ts"));
const workersProgram = deno(here("./peers/node/whole.js"));
const queueProgram = published("bench/skein/whole_queue.ts");
const nodeProgram = node(here("./peers/node/whole.js"));
const pythonProgram = python(here("./peers/whole.py"));
const packageProgram = denoWithPackages(
  here("./peers/node/multithreading.js"),
);

const skein = among("skein", published("bench/skein/whole_threading.ts"));
const skeinQueue = among("skein", queueProgram);
const workers = among("Deno node:worker_threads", workersProgram);
const globalWorker = among("Deno Worker", deno(here("./peers/deno/whole.ts")));
const nodeWorkers = among("Node worker_threads", nodeProgram);
const py = among("Python", pythonProgram);
const multithreading = among("multithreading", packageProgram);
const poolProgram = nodeWithPackages(here("./peers/node/pool.js"));

/** What the import of a module costs beyond an empty program. */
function importOf(
  name: string,
  path: string,
  what: "cpu" | "memory",
  atMost?: number,
): Row {
  return {
    name: `import of ${name}, ${
      what === "cpu" ? "CPU" : "memory"
    } beyond an empty program`,
    unit: what === "cpu" ? "ns" : "bytes",
    rehearsed: true,
    contestants: [{
      // The module is the program.
      ...among("skein", published(path))(what)("import", atMost),
      beyond: { program: whole(what, empty), row: "import" },
    }],
  };
}

const FEW = 4;
const MANY = 24;

/** What each of the waiting threads beyond the first few costs. */
function perThread(one: ReturnType<typeof among>, atMost?: number): Contestant {
  const many = one("memory")(`waiting ${MANY}`, atMost);
  return {
    ...many,
    beyond: {
      program: many.program,
      row: `waiting ${FEW}`,
      parts: MANY - FEW,
    },
  };
}

/** Items from a thread to the blocked main thread, in a program of their own. */
function items(
  name: string,
  row: string,
  atMost?: number,
  rounds?: number,
): Row {
  return {
    name: `${name} from a thread, whole program`,
    unit: "ns",
    rounds,
    rehearsed: true,
    contestants: [
      skeinQueue("time")(row),
      nodeWorkers("time")(row, atMost),
      py("time")(row),
      multithreading("time")(row),
    ],
  };
}

/** What an item takes in a program that has just begun. */
function firstItems(kind: string, atMost: number): Row {
  const row = `${kind} 20000`;
  return {
    name: `first 20 000 ${kind} of a queue, the main thread gets`,
    unit: "ns",
    rehearsed: true,
    contestants: [
      contestant("skein", queueProgram)(row, atMost),
      contestant("Node worker_threads", nodeProgram)(row),
      contestant("Python", pythonProgram)(row),
      contestant("multithreading", packageProgram)(row),
    ],
  };
}

/** The rows, in the order of the table. */
export const rows: readonly Row[] = [
  importOf("everything", "js/mod.js", "cpu", 60e6),
  importOf("everything", "js/mod.js", "memory", 13e6),
  importOf("process alone", "js/process/mod.js", "cpu", 25e6),
  importOf("signal alone", "js/signal/mod.js", "cpu", 25e6),
  importOf("threading alone", "js/threading/mod.js", "cpu"),
  importOf("queue alone", "js/queue/mod.js", "cpu"),
  {
    name: "first thread with its import, CPU of the program",
    unit: "ns",
    rehearsed: true,
    contestants: [
      skein("cpu")("thread"),
      workers("cpu")("thread", 1.4),
      globalWorker("cpu")("thread"),
      nodeWorkers("cpu")("thread"),
      multithreading("cpu")("thread"),
    ],
  },
  {
    name: "one thread started and joined, whole program",
    unit: "ns",
    rehearsed: true,
    contestants: [
      skein("time")("thread"),
      workers("time")("thread"),
      globalWorker("time")("thread"),
      nodeWorkers("time")("thread"),
      py("time")("thread"),
      multithreading("time")("thread"),
    ],
  },
  {
    name: "a further thread that waits, memory",
    unit: "bytes",
    rehearsed: true,
    contestants: [
      perThread(skein, 13.5e6),
      perThread(workers),
      perThread(globalWorker),
      perThread(nodeWorkers),
    ],
  },
  {
    name: "100 threads started and waiting, whole program",
    unit: "ns",
    rounds: 3,
    rehearsed: true,
    contestants: [
      skein("time")("waiting 100"),
      workers("time")("waiting 100", 1.3),
      globalWorker("time")("waiting 100"),
    ],
  },
  {
    name: "100 threads started and waiting, memory of the program",
    unit: "bytes",
    rounds: 3,
    contestants: [
      skein("memory")("waiting 100", 1.35e9),
      workers("memory")("waiting 100"),
      globalWorker("memory")("waiting 100"),
    ],
  },
  {
    name: "the first 100 tasks of 1 ms in a pool, whole program",
    unit: "ns",
    rehearsed: true,
    contestants: [
      among("skein", published("bench/skein/whole_pool.ts"))("time")(
        "tasks 100",
      ),
      among("piscina", poolProgram)("time")("piscina tasks 100", 1),
      among("tinypool", poolProgram)("time")("tinypool tasks 100"),
      among("workerpool", poolProgram)("time")("workerpool tasks 100"),
      among("poolifier", poolProgram)("time")("poolifier tasks 100"),
      py("time")("tasks 100"),
    ],
  },
  items("10 numbers", "numbers 10"),
  items("1 000 small objects", "objects 1000", 1),
  items("30 000 small objects", "objects 30000", 1),
  items("300 000 small objects", "objects 300000", 0.6, 3),
  firstItems("numbers", 600),
  firstItems("objects", 1300),
  {
    name: "a lock handed over 1 000 times, whole program",
    unit: "ns",
    rehearsed: true,
    contestants: [
      skein("time")("lock 1000"),
      nodeWorkers("time")("lock 1000"),
      py("time")("lock 1000"),
      multithreading("time")("lock 1000"),
    ],
  },
];
