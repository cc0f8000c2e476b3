// Whole programs with Deno's global Worker. Run: deno run -A whole.ts ROW.
/// <reference lib="deno.worker" />

// Words of what the main thread and its workers share.
const ARRIVED = 0;
const END = 1;

function worker(cells: Int32Array): Worker {
  const worker = new Worker(import.meta.url, { type: "module" });
  worker.postMessage(cells);
  return worker;
}

/** A worker that says that it is there, and ends. */
async function one(): Promise<void> {
  const cells = new Int32Array(new SharedArrayBuffer(8));
  cells[END] = 1;
  const only = worker(cells);
  await new Promise((resolve) => only.onmessage = resolve);
  only.terminate();
}

/** So many workers that wait, until the program ends. */
function waiting(count: number): void {
  const cells = new Int32Array(new SharedArrayBuffer(8));
  for (let i = 0; i < count; i++) worker(cells);
  for (let there = 0; there < count;) {
    Atomics.wait(cells, ARRIVED, there);
    there = Atomics.load(cells, ARRIVED);
  }
  Deno.exit(0);
}

if (typeof WorkerGlobalScope !== "undefined") {
  self.onmessage = ({ data: cells }: MessageEvent<Int32Array>) => {
    Atomics.add(cells, ARRIVED, 1);
    Atomics.notify(cells, ARRIVED);
    Atomics.wait(cells, END, 0);
    self.postMessage("done");
  };
} else {
  const [row, count] = Deno.args[0].split(" ");
  if (row === "thread") await one();
  else if (row === "waiting") waiting(Number(count));
  else throw new RangeError(`Cannot run the row: unknown, received ${row}`);
}
