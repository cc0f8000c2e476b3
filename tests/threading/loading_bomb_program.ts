/**
 * A program that starts a thread at its top level, as `Deno.args` says, without
 * asking `import.meta.main`.
 *
 * @module
 */

import {
  sendable,
  sleepSync,
  startNewThread,
  Thread,
  Timer,
} from "../../threading/mod.ts";

const work = sendable(import.meta, async function work() {
  await new Promise((resolve) => setTimeout(resolve, 200));
  return "worked";
});

class Worker extends Thread<string> {
  static {
    sendable(import.meta, this);
  }
  override run() {
    return "worked";
  }
}

const makers: Record<string, () => Thread<string>> = {
  Thread: () => new Thread({ target: work }),
  daemon: () => new Thread({ target: work, daemon: true }),
  Timer: () => new Timer(0, work) as Thread<string>,
  subclass: () => new Worker(),
};

async function main(how: string) {
  console.log("main");
  if (how === "startNewThread") {
    startNewThread(work);
    sleepSync(1000);
    return;
  }
  const thread = makers[how]();
  thread.start();
  console.log("joined", await thread.join().catch((e) => e.message));
}

const [how, when] = Deno.args;
if (when === "at once") await main(how);
if (when === "in a microtask") Promise.resolve().then(() => main(how));
if (when === "in a timer") setTimeout(() => main(how), 50);
if (when === "on an event") {
  addEventListener("bomb", () => void main(how));
  setTimeout(() => dispatchEvent(new Event("bomb")), 50);
}
