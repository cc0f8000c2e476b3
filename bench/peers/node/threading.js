// The rows of the threading suite on Node: a trivial task on a warm pool.
// Run: node threading.js piscina|tinypool, with the packages of package.json
// installed beside it; prints {"name", "ns"}.
import process from "node:process";

const row = process.argv[2];
if (row !== "piscina" && row !== "tinypool") {
  throw new Error(
    `Cannot measure the row: it is unknown, received ${row}`,
  );
}
const { default: Pool } = await import(row);
const pool = new Pool({
  filename: new URL("./task.js", import.meta.url).href,
  minThreads: 1,
  maxThreads: 1,
});
for (let i = 0; i < 1000; i++) await pool.run(i);
const n = 5000;
const start = performance.now();
for (let i = 0; i < n; i++) await pool.run(i);
const ns = (performance.now() - start) * 1e6 / n;
console.log(JSON.stringify({ name: row, ns }));
await pool.destroy();
process.exit(0);
