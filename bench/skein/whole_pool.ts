// A whole program with a pool, as users write it.
// Run: deno run -A whole_pool.ts "tasks COUNT": so many tasks of a millisecond.
import { ThreadPool } from "../../pool/mod.ts";
import { compute } from "./pool_workers.ts";

if (import.meta.main) {
  const [row, count] = Deno.args[0].split(" ");
  if (row !== "tasks") {
    throw new RangeError(`Cannot run the row: it is unknown, received ${row}`);
  }
  await using pool = new ThreadPool();
  const items = new Array<number>(Number(count)).fill(1);
  for await (const _ of pool.map(compute, items));
}
