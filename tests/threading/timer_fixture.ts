import { currentThread, sendable } from "../../threading/mod.ts";
import type { SharedNumber } from "../../threading/shared/numbers.ts";
import { sleepSync } from "../../threading/current_thread.ts";
import { Timer } from "../../threading/timer.ts";

export const count = sendable(import.meta, function count(n: SharedNumber) {
  return n.add(1);
});

export const greet = sendable(import.meta, function greet(...names: string[]) {
  return `Hello ${names.join(" and ")}`;
});

export const greetLater = sendable(
  import.meta,
  async function greetLater(name: string) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return `Hello ${name}`;
  },
);

export const explode = sendable(import.meta, function explode(): never {
  throw new RangeError("boom");
});

export const slow = sendable(import.meta, function slow(n: SharedNumber) {
  n.add(1);
  sleepSync(200);
  return "ran to its end";
});

export const cancel = sendable(import.meta, function cancel(timer: Timer) {
  timer.cancel();
  return timer.finished.isSet();
});

export const waitFinished = sendable(
  import.meta,
  function waitFinished(timer: Timer) {
    timer.finished.waitSync();
    return timer.finished.isSet();
  },
);

export const cancelOneself = sendable(
  import.meta,
  function cancelOneself() {
    (currentThread() as Timer).cancel();
    return "still here";
  },
);

export class Stopwatch extends Timer<string> {
  static {
    sendable(import.meta, this);
  }
  began = 0;
  override async run() {
    this.began = 1;
    return await super.run();
  }
}
