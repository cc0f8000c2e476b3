// The rows of the pool suite on Node, and the whole program.
// Run: node pool.js "PACKAGE ROW", with the packages of package.json installed
// beside it; prints {"name", "ns"}.
import process from "node:process";

const TASKS = 10_000;
const BUFFERS = 400;
const PRIMES = 2000;
const here = (file) => new URL(file, import.meta.url);

/** Makes a pool of each package: its way to run a task, and to end. */
const packages = {
  async piscina(size) {
    const { default: Pool } = await import("piscina");
    return like(Pool, size);
  },
  async tinypool(size) {
    const { default: Pool } = await import("tinypool");
    return like(Pool, size);
  },
  async workerpool(size) {
    const { default: workerpool } = await import("workerpool");
    const pool = workerpool.pool(here("./pool_workerpool.js").pathname, {
      minWorkers: size,
      maxWorkers: size,
      workerType: "thread",
    });
    return {
      run: (work, n) => pool.exec("task", [{ work, n }]),
      end: () => pool.terminate(),
    };
  },
  async poolifier(size) {
    const { FixedThreadPool } = await import("poolifier");
    const pool = new FixedThreadPool(
      size,
      here("./pool_poolifier.js").pathname,
      { errorHandler: (error) => console.error(error) },
    );
    return {
      run: (work, n) => pool.execute({ work, n }),
      end: () => pool.destroy(),
    };
  },
};

function like(Pool, size) {
  const pool = new Pool({
    filename: here("./pool_task.js").href,
    minThreads: size,
    maxThreads: size,
  });
  return {
    run: (work, n) => pool.run({ work, n }),
    end: () => pool.destroy(),
  };
}

/** So many milliseconds each program warms up, in at least two rounds. */
const WARM_UP = 1000;

/** The median time of several rounds, in nanoseconds, after a warm-up. */
async function rounds(count, round) {
  const until = performance.now() + WARM_UP;
  for (let i = 0; i < 2 || performance.now() < until; i++) await round();
  const took = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await round();
    took.push(performance.now() - start);
  }
  return took.sort((a, b) => a - b)[took.length >> 1] * 1e6;
}

const numbers = (n) => Array.from({ length: n }, (_, i) => i);
const primes = numbers(PRIMES).map((i) => 2_140_000_001 + 2 * i);

async function all(pool, work, items) {
  const ns = await rounds(
    5,
    () => Promise.all(items.map((n) => pool.run(work, n))),
  );
  return ns / items.length;
}

/** The rows: how many workers, and what is measured. */
const rows = {
  one: [1, async (pool) => {
    const ns = await rounds(9, async () => {
      for (let i = 0; i < 500; i++) await pool.run("same", i);
    });
    return ns / 500;
  }],
  many: [2, (pool) => all(pool, "same", numbers(TASKS))],
  hash: [2, (pool) => all(pool, "hash", numbers(BUFFERS))],
  primes: [2, (pool) => all(pool, "prime", primes)],
  // The whole program.
  tasks: [2, async (pool, count) => {
    const items = new Array(count).fill(1);
    await Promise.all(items.map((ms) => pool.run("compute", ms)));
  }],
};

const [name, row, count] = process.argv[2].split(" ");
if (!Object.hasOwn(packages, name) || !Object.hasOwn(rows, row)) {
  throw new Error(
    `Cannot measure the row: it is unknown, received ${process.argv[2]}`,
  );
}
const [size, measure] = rows[row];
const pool = await packages[name](size);
const ns = await measure(pool, Number(count));
if (ns !== undefined) console.log(JSON.stringify({ name: row, ns }));
await pool.end();
process.exit(0);
