/**
 * Run as a program of its own, with small limits: tasks that run out of memory,
 * and results for which the shared heap has no room.
 */
import { assert, assertRejects, assertThrows } from "@std/assert";
import { ThreadPool } from "../../pool/mod.ts";
import { HeapExhaustedError, ThreadingError } from "../../threading/mod.ts";
import { add, exhaust, large } from "./pool_fixture.ts";

if (import.meta.main) {
  using pool = new ThreadPool({ size: 1 });
  for (let i = 0; i < 2; i++) {
    const first = pool.submitNowait(exhaust);
    const second = pool.submitNowait(add, [1, 2]);
    const check = [ThreadingError, "worker died"] as const;
    if (i === 0) await assertRejects(() => first.result(), ...check);
    else assertThrows(() => first.resultSync(), ...check);
    assert(second.resultSync() === 3);
    console.log("out of memory", i);
  }
  await assertRejects(() => pool.run(large, [20e6]), HeapExhaustedError);
  const one = await pool.run(large, [5e6]);
  assert(one.length === 5e6);
  assert(await pool.run(add, [1, 2]) === 3);
  console.log("done");
}
