/**
 * Telling those who sleep, in all threads, that a signal has been handled.
 *
 * A message may still be on its way when a sleep begins that its signal must not
 * end. So the threads count the handled signals in common: a message that finds
 * the count as it was when the sleep began is an old one.
 *
 * @module
 */

import { activeCount, Local } from "../threading/mod.ts";
import { add, Header, load, onTold, tell } from "./_shared.ts";

interface Sleeper {
  /** The count when the sleep began. */
  readonly since: number;
  readonly wake: () => void;
}

const sleepers = new Local<Set<Sleeper>>(() => new Set());

onTold((message) => {
  if (message !== "handled") return;
  const count = load(Header.handledSignals);
  for (const { since, wake } of [...sleepers.value]) {
    if (since !== count) wake();
  }
});

/** Ends all sleeps, in this thread and the others. */
export function tellHandled(): void {
  add(Header.handledSignals, 1);
  for (const { wake } of [...sleepers.value]) wake();
  if (activeCount() > 1) tell("handled");
}

/**
 * Calls back once when a signal has been handled, in whichever thread.
 *
 * @returns What takes it back.
 */
export function onHandled(callback: () => void): () => void {
  const all = sleepers.value;
  const sleeper: Sleeper = {
    since: load(Header.handledSignals),
    wake: () => {
      all.delete(sleeper);
      callback();
    },
  };
  all.add(sleeper);
  return () => all.delete(sleeper);
}
