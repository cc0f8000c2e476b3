import { type Event, sendable } from "../../threading/mod.ts";
import { Local } from "../../threading/current_thread.ts";
import type { SharedNumber } from "../../threading/shared/numbers.ts";

export const topLevel = new Local(() => ["fresh"]);
export const made = { count: 0 };

export const makeList = sendable(import.meta, function makeList(): string[] {
  made.count++;
  return ["fresh"];
});

export const addToTopLevel = sendable(
  import.meta,
  function addToTopLevel(item: string) {
    topLevel.value.push(item);
    return topLevel.value;
  },
);

export const addTo = sendable(
  import.meta,
  function addTo(local: Local<string[]>, item: string) {
    local.value.push(item);
    return local.value;
  },
);

export const readTwice = sendable(
  import.meta,
  function readTwice(local: Local<string[]>) {
    const before = made.count;
    return [local.value === local.value, made.count - before];
  },
);

export const setAndRead = sendable(
  import.meta,
  function setAndRead(local: Local<unknown>, value: unknown) {
    local.value = value;
    return local.value;
  },
);

/** Reads a value, and stays alive with it until told to go. */
export const readAndWait = sendable(
  import.meta,
  function readAndWait(
    local: Local<string[]>,
    ready: SharedNumber,
    go: Event,
  ) {
    local.value.push(String(ready.add(1)));
    go.waitSync();
    return local.value.length;
  },
);

/** Makes many Locals, each with a value, and frees them. */
export const churn = sendable(import.meta, function churn(count: number) {
  const kept = new Local(() => 0);
  kept.value = 42;
  for (let i = 0; i < count; i++) {
    const local = new Local(() => 0);
    local.value = i;
    local.free();
  }
  return kept.value;
});
