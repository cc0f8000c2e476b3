import { type Lock, sendable, Thread } from "../../threading/mod.ts";

export const add = sendable(import.meta, function add(a: number, b: number) {
  return a + b;
});

/** Starts a thread that starts a thread … and adds up their depths. */
export const descend = sendable(
  import.meta,
  function descend(depth: number): number {
    if (depth === 0) return 0;
    const thread = new Thread({ target: descend, args: [depth - 1] });
    thread.start();
    return depth + thread.joinSync();
  },
);

/** The same in the promise form. */
export const descendAsync = sendable(
  import.meta,
  async function descendAsync(depth: number): Promise<number> {
    if (depth === 0) return 0;
    const thread = new Thread({ target: descendAsync, args: [depth - 1] });
    thread.start();
    return depth + await thread.join();
  },
);

export const waitFor = sendable(import.meta, function waitFor(lock: Lock) {
  lock.acquireSync().release();
  return "outlived";
});

/** Ends at once and leaves its thread to whoever gets it. */
export const startAndLeave = sendable(
  import.meta,
  function startAndLeave(lock: Lock): Thread<string> {
    const thread = new Thread({ target: waitFor, args: [lock] });
    thread.start();
    return thread as unknown as Thread<string>;
  },
);

export const startAndSpin = sendable(
  import.meta,
  function startAndSpin(lock: Lock, ready: Lock) {
    new Thread({ target: waitFor, args: [lock], name: "orphan" }).start();
    ready.release();
    for (;;);
  },
);

export const importAndLog = sendable(
  import.meta,
  async function importAndLog() {
    console.log("logged");
    const { basename } = await import("node:path");
    const { answer } = await import("./nesting_import_fixture.ts");
    console.log("imported", basename("/a/b"), answer);
    throw new RangeError("thrown");
  },
);

if (import.meta.main) {
  // The main thread never returns to its event loop.
  const thread = new Thread({ target: importAndLog });
  thread.start();
  try {
    thread.joinSync();
  } catch (error) {
    console.log(error instanceof RangeError, thread.isAlive());
  }
  const word = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(word, 0, 0, 300);
  Deno.exit();
}
