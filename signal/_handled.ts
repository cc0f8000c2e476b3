/**
 * Telling those who sleep, in all threads, that a signal has been handled.
 *
 * A message may still be on its way when a sleep begins that its signal must not
 * end. So the threads count the handled signals in common: a message that finds
 * the count as it was when the sleep began is an old one.
 *
 * @module
 */

import {
  BroadcastChannel,
  getEnvironmentData,
  setEnvironmentData,
} from "node:worker_threads";
import { activeCount, Local } from "../threading/mod.ts";
import { isMain } from "./_main.ts";

const KEY = "@skein/std/signal";

/**
 * The count, in a word that the workers of the main thread inherit. A worker
 * that was started before the main thread came here has none.
 */
function inherit(): Int32Array<SharedArrayBuffer> | undefined {
  if (isMain) setEnvironmentData(KEY, new SharedArrayBuffer(4));
  const buffer = getEnvironmentData(KEY);
  return buffer instanceof SharedArrayBuffer
    ? new Int32Array(buffer)
    : undefined;
}

const count = inherit();

/** What a thread tells the others. */
interface Message {
  /** Whether its signal is in the count. */
  counted: boolean;
}

interface Sleeper {
  /** The count when the sleep began. */
  readonly since: number;
  readonly wake: () => void;
}

const sleepers = new Local<Set<Sleeper>>(() => new Set());

// One for good: a channel that is closed and opened again may stay deaf.
const channel = new BroadcastChannel(KEY);
channel.unref();
channel.onmessage = (event) => {
  const { counted } = (event as MessageEvent<Message>).data;
  for (const sleeper of [...sleepers.value]) {
    if (counted && sleeper.since === handledSoFar()) continue;
    sleeper.wake();
  }
};

function handledSoFar(): number {
  return count === undefined ? NaN : Atomics.load(count, 0);
}

/** Ends all sleeps, in this thread and the others. */
export function tellHandled(): void {
  if (count !== undefined) Atomics.add(count, 0, 1);
  for (const { wake } of [...sleepers.value]) wake();
  if (activeCount() === 1) return;
  const message: Message = { counted: count !== undefined };
  channel.postMessage(message);
}

/**
 * Calls back once when a signal has been handled, in whichever thread.
 *
 * @returns What takes it back.
 */
export function onHandled(callback: () => void): () => void {
  const all = sleepers.value;
  const sleeper: Sleeper = {
    since: handledSoFar(),
    wake: () => {
      all.delete(sleeper);
      callback();
    },
  };
  all.add(sleeper);
  return () => all.delete(sleeper);
}
