/**
 * An alarm that cuts a sleep short.
 *
 * The chapter's program sleeps for 200 seconds, has an alarm after two, and
 * prints:
 *
 *     got signal 14
 *     slept for 1.99262607098 seconds
 *
 * @module
 */

import { alarm, signal, sleep } from "@skein/std/signal";

/** Tells of a signal. */
function handler(signum: number): void {
  console.log("got signal", signum);
}

if (import.meta.main) {
  signal("SIGALRM", handler);
  alarm(2);

  const start = performance.now();
  await sleep(200_000);
  const seconds = (performance.now() - start) / 1000;
  console.log("slept for", seconds, "seconds");
}
