// Leaves a pool open at its end. Run: deno run -A open_pool_program.ts KIND.
import { ThreadPool, toThread } from "../../pool/mod.ts";
import { sendable } from "../../threading/mod.ts";

export const same = sendable(import.meta, (n: number) => n);

export const speak = sendable(import.meta, async function speak() {
  await new Promise((resolve) => setTimeout(resolve, 300));
  console.error("the task ran");
});

/** Leaves a timer that nobody waits for. */
export const leaveTimer = sendable(import.meta, function leaveTimer() {
  setTimeout(() => console.error("the timer fired"), 3_600_000);
});

if (import.meta.main) {
  // Workers that never end by themselves.
  const pool = new ThreadPool({ size: 4, idleTimeout: Infinity });
  const kind = Deno.args[0];
  if (kind === "idle" || kind === "tasks") {
    await Promise.all([1, 2, 3, 4].map((n) => pool.run(same, [n])));
  }
  if (kind === "blocked") pool.runSync(same, [1]);
  if (kind === "common") await toThread(same, [1]);
  if (kind === "tasks") pool.submitNowait(speak);
  if (kind === "timer") await pool.run(leaveTimer);
  console.log("end of main");
}
