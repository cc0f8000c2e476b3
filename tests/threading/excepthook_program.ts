/**
 * A program whose excepthook fails in the way that `Deno.args` says.
 *
 * @module
 */

import {
  Event,
  exit,
  sendable,
  setExcepthook,
  sleepSync,
  Thread,
} from "../../threading/mod.ts";

const fail = sendable(import.meta, function fail() {
  throw new RangeError("run failed");
});

const setLater = sendable(import.meta, function setLater(event: Event) {
  sleepSync(100);
  event.set();
});

const forget = sendable(import.meta, function forget() {
  Promise.reject(new RangeError("run failed"));
});

const forgetExit = sendable(import.meta, function forgetExit() {
  queueMicrotask(() => exit());
});

const failInTimer = sendable(import.meta, async function failInTimer() {
  setTimeout(() => {
    throw new RangeError("run failed");
  }, 1);
  await new Promise((resolve) => setTimeout(resolve, 60_000));
});

const markedHook = sendable(import.meta, function markedHook() {
  throw new SyntaxError("hook failed");
});

const markedAsyncHook = sendable(import.meta, async function markedAsyncHook() {
  await 0;
  throw new SyntaxError("hook failed");
});

const hooks: Record<string, () => void> = {
  unmarked() {
    throw new SyntaxError("hook failed");
  },
  async "unmarked async"() {
    await 0;
    throw new SyntaxError("hook failed");
  },
  marked: markedHook,
  "marked async": markedAsyncHook,
};

async function goOn() {
  // The event loop listens, and other threads can be joined.
  const event = new Event();
  const thread = new Thread({ target: setLater, args: [event] });
  thread.start();
  await event.wait({ timeout: 20_000 });
  console.log("woken");
  thread.joinSync({ timeout: 20_000 });
  console.log("joined");
}

if (import.meta.main) {
  const [how] = Deno.args;
  const targets: Record<string, () => unknown> = {
    "forgotten at the end": forget,
    "exit forgotten": forgetExit,
    "in a timer": failInTimer,
  };
  setExcepthook(hooks[how]);
  new Thread({ target: targets[how] ?? fail }).start();
  if (how in hooks) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await goOn();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
