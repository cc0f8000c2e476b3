/**
 * Who in this thread wants which signal, and the delivery to them.
 *
 * A thread has at most one Deno listener per signal, and has it exactly as long
 * as somebody wants the signal: a listener in any thread takes the kernel's
 * action away from the whole process.
 *
 * @module
 */

import { Local } from "../threading/mod.ts";
import { SIG_DFL, type SignalAction } from "./action.ts";
import { tellHandled } from "./_handled.ts";
import { nameOf } from "../_internal/signum.ts";

/** Is told of a signal. */
export type Taker = (signum: number, name: Deno.Signal) => void;

/** What this thread does about one signal. */
export interface Entry {
  readonly number: number;
  readonly name: Deno.Signal;
  /** What `signal` has set. */
  action: SignalAction;
  /** Those that take the signal away from the handler, and leave: `sigwait`. */
  readonly waiters: Set<Taker>;
  /** Those that are told besides the handler. */
  readonly watchers: Set<Taker>;
  readonly deliver: () => void;
  listening: boolean;
  /** Called when the thread no longer listens. */
  onUnlistened?: () => void;
}

// A worker runs many threads, one after the other. When one ends, threading
// removes its listeners, and a Local forgets its value.
const states = new Local<Map<number, Entry>>(() => new Map());

/** What this thread does about signals, by number. */
export function entries(): Map<number, Entry> {
  return states.value;
}

/** What this thread does about a signal; for a change, see `settle`. */
export function entryOf(number: number): Entry {
  const all = entries();
  let entry = all.get(number);
  if (entry === undefined) {
    const fresh: Entry = entry = {
      number,
      name: nameOf(number),
      action: SIG_DFL,
      waiters: new Set(),
      watchers: new Set(),
      deliver: () => deliver(fresh),
      listening: false,
    };
    all.set(number, entry);
  }
  return entry;
}

/** Listens to the signal, or no longer, after a change of who wants it. */
export function settle(entry: Entry): void {
  const wanted = entry.action !== SIG_DFL || entry.waiters.size > 0 ||
    entry.watchers.size > 0;
  if (wanted === entry.listening) return;
  if (wanted) Deno.addSignalListener(entry.name, entry.deliver);
  else Deno.removeSignalListener(entry.name, entry.deliver);
  entry.listening = wanted;
  if (!wanted) entry.onUnlistened?.();
}

/**
 * Adds one who is told of a signal.
 *
 * @param role Whether the handler is told as well (`watchers`) or not.
 * @returns What takes it back.
 */
export function subscribe(
  number: number,
  role: "waiters" | "watchers",
  taker: Taker,
): () => void {
  const entry = entryOf(number);
  entry[role].add(taker);
  try {
    settle(entry);
  } catch (error) {
    entry[role].delete(taker);
    throw error;
  }
  return () => {
    entry[role].delete(taker);
    settle(entry);
  };
}

function deliver(entry: Entry): void {
  const { number, name, action, waiters, watchers } = entry;
  if (waiters.size > 0) {
    for (const take of [...waiters]) take(number, name);
    for (const tell of [...watchers]) tell(number, name);
    return;
  }
  let failure: { error: unknown } | undefined;
  if (typeof action === "function") {
    try {
      action(number, name);
    } catch (error) {
      failure = { error };
    }
  }
  const handled = typeof action === "function" || watchers.size > 0;
  for (const tell of [...watchers]) tell(number, name);
  if (handled) tellHandled();
  // Thrown from here it would end Deno's delivery of the signal for good.
  if (failure !== undefined) reportError(failure.error);
}
