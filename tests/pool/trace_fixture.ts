import { type Event, sendable, sleepSync } from "../../threading/mod.ts";
import type { ThreadPool } from "../../pool/mod.ts";

export const inner = sendable(import.meta, function inner(n: number) {
  sleepSync(1);
  return n;
});

/** Helps with the task it waits for. */
export const outer = sendable(import.meta, function outer(pool: ThreadPool) {
  return pool.submitNowait(inner, [5]).resultSync();
});

export const later = sendable(import.meta, async function later() {
  await new Promise((resolve) => setTimeout(resolve, 5));
});

/** Keeps the worker until it may go on. */
export const hold = sendable(import.meta, function hold(gate: Event) {
  gate.waitSync();
});

export const fails = sendable(import.meta, function fails() {
  throw new RangeError("as it should");
});
