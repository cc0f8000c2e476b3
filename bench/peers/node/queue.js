// The rows of the queue suite with MessagePort of node:worker_threads, on Node
// and, since it has the same module, on Deno.
// Run: node queue.js ROW; prints {"name", "ns"}.
import process from "node:process";
import { parentPort, Worker, workerData } from "node:worker_threads";

/** What is sent, and how often; the first half is not timed. */
const ITEMS = {
  numbers: [7, 600_000],
  objects: [
    { id: 7, name: "spam", priority: 3, tags: ["a", "b"] },
    600_000,
  ],
  bytes: [new Uint8Array(65_536), 10_000],
};

function produce(row) {
  const [item, count] = ITEMS[row];
  for (let i = 0; i < count; i++) parentPort.postMessage(item);
}

function consume(row) {
  if (!Object.hasOwn(ITEMS, row)) {
    throw new Error(`Cannot measure the row: it is unknown, received ${row}`);
  }
  const count = ITEMS[row][1];
  const warm = count / 2;
  let got = 0;
  let start = 0;
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { row },
  });
  worker.on("message", () => {
    got++;
    if (got === warm) start = performance.now();
    if (got < count) return;
    const ns = (performance.now() - start) * 1e6 / (count - warm);
    console.log(JSON.stringify({ name: row, ns }));
    process.exit(0);
  });
}

if (workerData?.row) produce(workerData.row);
else consume(process.argv[2]);
