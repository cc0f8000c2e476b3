import { type Event, getIdent, sendable } from "../../threading/mod.ts";
import type { SharedNumber } from "../../threading/shared/numbers.ts";
import {
  exit,
  interruptMain,
  startNewThread,
} from "../../threading/low_level.ts";
import { sleepSync } from "../../threading/current_thread.ts";

export const tellIdent = sendable(
  import.meta,
  function tellIdent(ident: SharedNumber, done: Event) {
    ident.value = getIdent();
    done.set();
  },
);

export const ring = sendable(import.meta, function ring(bell: Event) {
  bell.set();
});

export const ringFromAThread = sendable(
  import.meta,
  function ringFromAThread(bell: Event) {
    startNewThread(ring, [bell]);
    bell.waitSync({ timeout: 5000 });
  },
);

export const sleepForEver = sendable(import.meta, function sleepForEver() {
  for (;;) sleepSync(1000);
});

export const fail = sendable(import.meta, function fail() {
  throw new RangeError("out of luck");
});

export const leave = sendable(import.meta, function leave(cleanedUp: Event) {
  try {
    exit();
  } finally {
    cleanedUp.set();
  }
});

export const leaveAsync = sendable(
  import.meta,
  async function leaveAsync(): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return exit();
  },
);

export const leaveFromATimer = sendable(
  import.meta,
  function leaveFromATimer(): Promise<never> {
    setTimeout(exit, 5);
    return new Promise(() => {});
  },
);

export const interrupt = sendable(import.meta, function interrupt() {
  interruptMain();
});
