/**
 * What belongs to the process, and so to all of its threads: some words of the
 * header of threading's heap, and a channel to tell that they changed.
 *
 * @module
 */

import { BroadcastChannel } from "node:worker_threads";
import { birth } from "../threading/_memory/heap.ts";
import { clockOffset } from "../threading/_memory/clock.ts";

export { add, Header, load, words } from "../threading/_memory/heap.ts";
export { lock, unlock } from "../threading/_memory/mutex.ts";
export { type ClockPair, clockPair } from "../threading/_memory/clock.ts";

const offset = birth === undefined ? 0 : clockOffset(birth.clock);

/** Milliseconds by the clock of the main thread, in whichever thread. */
export function processNow(): number {
  return performance.now() + offset;
}

/** What a thread tells the others. */
export type Message =
  /** A signal has been handled, and counted. */
  | "handled"
  /** The alarm was set; the thread that did handles what it raises. */
  | "alarm set"
  /** The alarm was set, and its thread does not handle it. */
  | "alarm set, not handled";

const NAME = "@skein/std/signal";
// One for good: a channel that is closed and opened again may stay deaf.
const channel = new BroadcastChannel(NAME);
channel.unref();
channel.onmessage = (event) => {
  const { data } = event as MessageEvent<Message>;
  for (const listener of listeners) listener(data);
};

const listeners: ((message: Message) => void)[] = [];

/** Tells all other threads. */
export function tell(message: Message): void {
  channel.postMessage(message);
}

/** Listens to the other threads, for as long as the worker lives. */
export function onTold(listener: (message: Message) => void): void {
  listeners.push(listener);
}
