import {
  currentThread,
  Event,
  mainThread,
  sendable,
  type SharedList,
} from "../../threading/mod.ts";

/** What tells the test that a thread is loading this module. */
export const LOADING = "SKEIN_TEST_LOADING";

if (currentThread() !== mainThread()) {
  Deno.env.set(LOADING, currentThread().name);
  if (currentThread().name === "waits") await new Event().wait();
  // In a thread that computes, the reason is found behind this.
  else await new Promise((resolve) => setTimeout(resolve, 300));
}

export const run = sendable(import.meta, function run(log: SharedList<string>) {
  log.push("ran");
});
