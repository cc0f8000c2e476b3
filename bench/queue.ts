// The rows of the queue suite: who takes part, and what is to be reached.
import { contestant, type Row } from "./_harness.ts";
import { deno, denoWithPackages, go, java, node, python } from "./_programs.ts";

const here = (path: string) => new URL(path, import.meta.url);

const pythonProgram = python(here("./peers/queue.py"));
const denoThreading = deno(here("./peers/deno/threading.ts"));

const skein = contestant("skein", deno(here("./skein/queue.ts")));
const py = contestant("Python Queue", pythonProgram);
const simple = contestant("Python SimpleQueue", pythonProgram);
const processes = contestant("Python multiprocessing.Queue", pythonProgram);
const jvm = contestant(
  "Java ArrayBlockingQueue",
  java(here("./peers/Queues.java")),
);
const port = contestant(
  "Node MessagePort",
  node(here("./peers/node/queue.js")),
);
const messages = contestant(
  "Deno postMessage",
  deno(here("./peers/node/queue.js")),
);
const atomics = contestant("Deno Atomics", denoThreading);
const channel = contestant(
  "multithreading channel",
  denoWithPackages(here("./peers/node/multithreading.js")),
);
const channels = contestant("Go", go(here("./peers/queue.go")));
const trips = contestant("Deno postMessage", denoThreading);

/** The rows, in the order of the table. */
export const rows: readonly Row[] = [
  {
    name: "numbers, one producer, one consumer",
    unit: "ns",
    contestants: [
      skein("numbers", 250),
      py("numbers", 0.2),
      simple("numbers-simple"),
      processes("numbers-process"),
      jvm("numbers"),
      port("numbers"),
      messages("numbers"),
    ],
  },
  {
    name: "numbers, 64 at a time",
    unit: "ns",
    contestants: [skein("many", 100)],
  },
  {
    name: "small objects, one producer, one consumer",
    unit: "ns",
    contestants: [
      skein("objects", 800),
      py("objects"),
      processes("objects-process", 0.2),
      port("objects", 0.5),
      messages("objects"),
      channel("objects-warm"),
    ],
  },
  {
    // 1.4 GB/s
    name: "64 KiB byte arrays, one producer, one consumer",
    unit: "ns",
    contestants: [
      skein("bytes", 65_536 / 1.4),
      processes("bytes-process"),
      port("bytes", 1.3),
      messages("bytes"),
    ],
  },
  {
    name: "numbers, four producers, four consumers",
    unit: "ns",
    contestants: [
      skein("four"),
      contestant("skein, one to one", deno(here("./skein/queue.ts")))(
        "numbers",
        2,
      ),
      py("four"),
    ],
  },
  {
    name: "PriorityQueue, 100 000 tuples put, then got",
    unit: "ns",
    contestants: [skein("priority"), py("priority", 0.5)],
  },
  {
    name: "receive and ack, with the put",
    unit: "ns",
    contestants: [
      skein("receive"),
      contestant("skein, get and taskDone", deno(here("./skein/queue.ts")))(
        "get-done",
        2,
      ),
    ],
  },
  {
    name: "receive and ack of a small object, with the put",
    unit: "ns",
    contestants: [
      skein("receive-object"),
      contestant("skein, get and taskDone", deno(here("./skein/queue.ts")))(
        "get-done-object",
        2,
      ),
    ],
  },
  {
    name: "select over 4 queues, one busy, with the put",
    unit: "ns",
    contestants: [
      skein("select"),
      contestant("skein, get", deno(here("./skein/queue.ts")))("get", 2),
      channels("select"),
    ],
  },
  {
    name: "queue, there and back, both blocked",
    unit: "ns",
    contestants: [
      skein("hand-over"),
      atomics("round-trip", 1.3),
      py("hand-over"),
      jvm("hand-over"),
      channels("hand-over"),
    ],
  },
  {
    name: "SynchronousQueue, there and back, both blocked",
    unit: "ns",
    contestants: [
      skein("synchronous"),
      contestant("skein Queue", deno(here("./skein/queue.ts")))(
        "hand-over",
        1.3,
      ),
      channels("synchronous"),
    ],
  },
  {
    name: "queue, there and back, in the promise form",
    unit: "ns",
    contestants: [skein("promise"), trips("message", 1.2)],
  },
  {
    name: "10 million items, growth of the process after the first million",
    unit: "bytes",
    rounds: 1,
    contestants: [skein("memory", 20e6)],
  },
];
