/**
 * A lock that is held too long: two pools work with one index. The readers look
 * something up in it, which takes no time; the writers compute for a while before
 * they store what they have computed, and hold the lock all the while. A trace
 * shows who made whom wait.
 *
 * The chapter has no such program. This prints, with other numbers:
 *
 *     The most contended locks:
 *     Lock 1: waited for 1.14 s in 26 waits
 *         held by writer-1 (320.3 ms), writer-2 (317.1 ms), reader-2 (0.12 ms) and 1 more
 *         waited for by reader-1 (435.8 ms), reader-2 (402.0 ms), writer-2 (302.2 ms) and 1 more
 *
 * @module
 */

import { ThreadPool } from "@skein/std/pool";
import {
  Lock,
  sendable,
  sleepSync,
  span,
  startTrace,
} from "@skein/std/threading";
import { summarize } from "@skein/std/trace";

/** Computes and stores, with the lock held for both. */
export const write = sendable(import.meta, function write(index: Lock) {
  using _ = index.acquireSync();
  span("compute", () => sleepSync(30)); // this should come before acquireSync
  span("store", () => {});
});

/** Looks something up. */
export const read = sendable(import.meta, function read(index: Lock) {
  sleepSync(5);
  using _ = index.acquireSync();
  span("look up", () => {});
});

if (import.meta.main) {
  const path = await Deno.makeTempFile({ dir: "/tmp", suffix: ".json" });
  {
    using _ = startTrace({ path });
    await using writers = new ThreadPool({ name: "writer", size: 2 });
    await using readers = new ThreadPool({ name: "reader", size: 2 });
    const index = new Lock();
    for (let i = 0; i < 20; i++) {
      await writers.submit(write, [index]);
      await readers.submit(read, [index]);
    }
  }
  const summary = await summarize(path);
  await Deno.remove(path);
  const [locks] = /^The most contended locks:\n(.+\n)+/m.exec(summary)!;
  console.log(locks.trimEnd());
}
