/** Programs of their own, one for each way in which a process can end. */
import {
  Event,
  Lock,
  sendable,
  Thread,
  ThreadingError,
} from "../../threading/mod.ts";
import { sleepFor } from "../../threading/_memory/wait.ts";

export const say = sendable(
  import.meta,
  function say(what: string, after: number) {
    sleepFor(after);
    console.log(what);
  },
);

export const sayAsync = sendable(
  import.meta,
  async function sayAsync(what: string, after: number) {
    await new Promise((resolve) => setTimeout(resolve, after));
    console.log(what);
  },
);

export const releaseLater = sendable(
  import.meta,
  function releaseLater(lock: Lock, after: number) {
    sleepFor(after);
    lock.release();
  },
);

export const startOther = sendable(import.meta, function startOther() {
  new Thread({ target: say, args: ["grandchild", 300] }).start();
});

export const sayAndStay = sendable(
  import.meta,
  function sayAndStay(what: string, said: Event) {
    console.log(what);
    said.set();
    sleepFor(60_000);
  },
);

export const startOtherAndStay = sendable(
  import.meta,
  function startOtherAndStay(said: Event) {
    new Thread({ target: sayAndStay, args: ["inherited", said] }).start();
    sleepFor(60_000);
  },
);

export const fail = sendable(import.meta, function fail() {
  throw new RangeError("it failed");
});

export const failInTimer = sendable(import.meta, function failInTimer() {
  setTimeout(() => {
    throw new RangeError("it failed in a timer");
  }, 1);
  return new Promise(() => {});
});

const programs: Record<string, () => unknown> = {
  "a thread holds the process open"() {
    new Thread({ target: say, args: ["thread", 300] }).start();
    console.log("main");
  },
  "a thread in its event loop holds the process open"() {
    new Thread({ target: sayAsync, args: ["thread", 300] }).start();
    console.log("main");
  },
  "a thread of a thread holds the process open"() {
    new Thread({ target: startOther }).start();
    console.log("main");
  },
  "daemons are killed"() {
    for (const target of [say, sayAsync]) {
      new Thread({ target, args: ["daemon", 60_000], daemon: true }).start();
    }
    sleepFor(100);
    console.log("main");
  },
  "the threads of daemons are daemons"() {
    const said = new Event();
    const args = [said] as const;
    new Thread({ target: startOtherAndStay, args, daemon: true }).start();
    said.waitSync();
    console.log("main");
  },
  "idle workers are ended"() {
    const threads = [1, 2, 3].map(() =>
      new Thread({ target: say, args: ["thread", 0] })
    );
    for (const thread of threads) thread.start();
    for (const thread of threads) thread.joinSync();
    console.log("main");
  },
  "an unused module does nothing"() {
    console.log("main");
  },
  async "a wait that a daemon can end keeps the process alive"() {
    const lock = new Lock().acquireSync();
    const args = [lock, 300] as const;
    new Thread({ target: releaseLater, args, daemon: true }).start();
    await lock.acquire();
    console.log("main");
  },
  async "a wait that nobody can end ends the process"() {
    const lock = new Lock().acquireSync();
    await lock.acquire();
    console.log("never");
  },
  async "a wait that nobody can end any more ends the process"() {
    const lock = new Lock().acquireSync();
    new Thread({ target: say, args: ["thread", 100], daemon: true }).start();
    await lock.acquire();
    console.log("never");
  },
  "a blocking wait that nobody can end throws"() {
    const lock = new Lock().acquireSync();
    try {
      lock.acquireSync();
    } catch (error) {
      console.log(error instanceof ThreadingError, "main");
    }
  },
  "a blocking wait that nobody can end any more throws"() {
    const lock = new Lock().acquireSync();
    new Thread({ target: say, args: ["thread", 100] }).start();
    try {
      lock.acquireSync();
    } catch (error) {
      console.log(error instanceof ThreadingError, "main");
    }
  },
  "Deno.exit ends the process with its threads"() {
    new Thread({ target: say, args: ["thread", 60_000] }).start();
    sleepFor(50);
    console.log("main");
    Deno.exit(7);
  },
  "an uncaught error ends the process with its threads"() {
    new Thread({ target: say, args: ["thread", 60_000] }).start();
    console.log("main");
    throw new Error("uncaught");
  },
  "a blocked main thread has a sentinel, which holds nothing up"() {
    const thread = new Thread({ target: say, args: ["thread", 500] });
    thread.start();
    thread.joinSync();
    console.log("main");
  },
  async "errors are printed"() {
    const thread = new Thread({ target: fail, name: "Bob" });
    thread.start();
    await thread.join().catch(() => {});
    const other = new Thread({ target: failInTimer, name: "Eve" });
    other.start();
    await other.join().catch(() => {});
    console.log("main");
  },
  "an error of a thread does not end the process"() {
    new Thread({ target: fail, name: "Bob" }).start();
    console.log("main");
  },
};

if (import.meta.main) await programs[Deno.args[0]]();
