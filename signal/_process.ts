/**
 * What belongs to the process, and so to all of its threads: some words of
 * threading's heap, and a channel to tell the other threads something.
 *
 * @module
 */

import { builtIn } from "../_internal/built_in.ts";
import { asOwn } from "../_internal/worker_module.ts";
import {
  birth,
  clockOffset,
  Header,
  heapName,
  load,
  or,
  self,
  Slot,
  slotAt,
  tid,
  words,
} from "../threading/_ground.ts";
import { Signals } from "./signals.ts";

export {
  add,
  compareExchange,
  Header,
  load,
  store,
  TABLES,
  words,
} from "../threading/_ground.ts";
export { lock, unlock } from "../threading/_ground.ts";
export { clockPair } from "../threading/_ground.ts";
export {
  MAIN_SLOT,
  self,
  Slot,
  SLOT_WORDS,
  tid,
  wakeSlot,
} from "../threading/_ground.ts";
export {
  closeSpan,
  isTracing,
  openSpan,
  SpanKind,
  TraceBit,
} from "../threading/_ground.ts";
export { addOnWake, onThreadEnd } from "../threading/_ground.ts";
export { linger } from "../threading/_ground.ts";

/**
 * Whether this is the thread that the process began with, and ends with. The
 * heap's `isMain` is also true in a worker that skein has not started.
 */
export const isMain: boolean = !Object.prototype.toString.call(globalThis)
  .includes("WorkerGlobalScope");

/** Whether the main thread sees the same heap, and so can be asked for help. */
export const hasMain: boolean = isMain || birth !== undefined;

const offset = birth === undefined ? 0 : clockOffset(birth.clock);

/** Milliseconds by the clock of the main thread, in whichever thread. */
export function processNow(): number {
  return performance.now() + offset;
}

/** What a thread, or the keeper, tells the others. */
export type Message =
  /** A signal has been handled; `count` is how many have been, with it. */
  | { is: "handled"; number: number; count: number }
  /** The alarm was set. */
  | { is: "alarm set" }
  /** To the keeper: a thread asks to be told of signals, see `_keeper.ts`. */
  | {
    is: "ask";
    id: string;
    slot: number;
    tid: number;
    numbers: [number, Deno.Signal][];
    deadline?: number;
    serial: number;
  }
  /**
   * To the keeper: no longer; `taken` if the thread has been told. The serial is 0
   * if no answer is awaited.
   */
  | { is: "drop"; id: string; slot: number; taken: boolean; serial: number }
  /** To the keeper: ignore signals for the process, or no longer. */
  | {
    is: "ignore";
    numbers: [number, Deno.Signal][];
    slot: number;
    on: boolean;
    serial: number;
  }
  /** From the keeper: a signal that some have asked for has come. */
  | {
    is: "came";
    number: number;
    name: Deno.Signal;
    ids: string[];
    /** When, by the main thread's clock. */
    at: number;
    /** Whether a shutdown was under way already. */
    again: boolean;
  };

/** The name of the channel, which all threads of a heap share. */
export const CHANNEL = `${heapName} signal`;

// One for good: a channel that is closed and opened again may stay deaf.
const channel = asOwn(openChannel);
channel.onmessage = (event) => {
  const { data } = event as MessageEvent<Message>;
  for (const listener of listeners) listener(data);
};

const listeners: ((message: Message) => void)[] = [];

/**
 * A channel that does not hold the process open. That of node:worker_threads has
 * a method for it, which calls one of Deno's own under a symbol; used here, it
 * saves the 10 ms that loading the module takes.
 */
function openChannel(): BroadcastChannel {
  const symbol = Object.getOwnPropertySymbols(BroadcastChannel.prototype)
    .find(({ description }) => description === "refBroadcastChannel");
  if (symbol === undefined) {
    const { BroadcastChannel } = builtIn("node:worker_threads");
    return new BroadcastChannel(CHANNEL)
      .unref() as unknown as globalThis.BroadcastChannel;
  }
  const channel = new BroadcastChannel(CHANNEL);
  Reflect.get(channel, symbol).call(channel, false);
  return channel;
}

/** Tells all other threads. Arrives also while this thread is blocked. */
export function tell(message: Message): void {
  channel.postMessage(message);
}

/** Listens to the other threads, for as long as the worker lives. */
export function onTold(listener: (message: Message) => void): void {
  listeners.push(listener);
}

/**
 * Whether this thread has been killed. Its event loop may still turn once, after
 * the call in which it was blocked; what it takes then nobody ever hears of.
 */
export function isKilled(): boolean {
  return load(self + Slot.dying) !== 0 || load(self + Slot.tid) !== tid;
}

/** Whether a signal's bit is set in two words of bits. */
export function hasBit(bits: number, number: number): boolean {
  return (load(bits + (number - 1 >> 5)) >>> (number - 1 & 31) & 1) === 1;
}

/** Sets a signal's bit in two words of bits. */
function setBit(bits: number, number: number): void {
  or(bits + (number - 1 >> 5), 1 << (number - 1 & 31));
}

/** Notes for the others whether this thread handles a signal. */
export function noteHandling(number: number, handles: boolean): void {
  const note = self + Slot.signals;
  if (words[note] !== tid) {
    // The bits are those of a thread that ran here before.
    words[note + 1] = 0;
    words[note + 2] = 0;
    Atomics.store(words, note, tid);
  }
  const word = note + 1 + (number - 1 >> 5);
  const bit = 1 << (number - 1 & 31);
  if (handles) Atomics.or(words, word, bit);
  else Atomics.and(words, word, ~bit);
}

/** Whether another thread, or the keeper, is told of a signal. */
export function isHandledElsewhere(number: number): boolean {
  if (hasBit(Header.keptSignals, number)) return true;
  const used = words[Header.usedSlots];
  for (let i = 0; i < used; i++) {
    const slot = slotAt(i);
    const note = slot + Slot.signals;
    if (
      slot !== self && load(note) !== 0 &&
      load(note) === load(slot + Slot.tid) && hasBit(note + 1, number)
    ) return true;
  }
  return false;
}

const UNKNOWN = 0;
const LOOKING = 1;
const KNOWN = 2;

/**
 * Whether the process was started with a signal ignored. Deno itself ignores
 * SIGPIPE. What else is ignored only Linux tells, and Deno lets only a program
 * with all permissions read that: for others it is not known.
 */
export function wasIgnored(number: number): boolean {
  if (load(Header.ignoredSignals) !== KNOWN) findIgnored();
  return hasBit(Header.ignoredSignals + 1, number);
}

/** Whether the kernel ignores a signal, as it did when the process began. */
export function kernelIgnores(number: number): boolean {
  return wasIgnored(number) && !hasBit(Header.caughtSignals, number);
}

/**
 * Must be called before Deno listens to signals. From then on it plays the
 * default action of them, and when it listens for the first time of three others.
 *
 * @returns Those that the kernel has ignored until now.
 */
export function takeFromKernel(numbers: Iterable<number>): number[] {
  const all = [...numbers, Signals.SIGHUP, Signals.SIGINT, Signals.SIGTERM];
  const lost = all.filter(kernelIgnores);
  for (const number of lost) setBit(Header.caughtSignals, number);
  return lost;
}

/** Must run before Deno listens for the first time, which changes the kernel's. */
function findIgnored(): void {
  const state = Header.ignoredSignals;
  if (Atomics.compareExchange(words, state, UNKNOWN, LOOKING) !== UNKNOWN) {
    // Another thread is at it; it may be killed, so not for ever.
    Atomics.wait(words, state, LOOKING, 100);
    Atomics.compareExchange(words, state, LOOKING, KNOWN);
    return;
  }
  let mask = Deno.build.os === "windows" ? 0n : 1n << 12n;
  const path = "/proc/self/status";
  if (
    Deno.build.os === "linux" &&
    Deno.permissions.querySync({ name: "read", path }).state === "granted"
  ) {
    try {
      const text = Deno.readTextFileSync(path);
      mask = BigInt(`0x${text.match(/^SigIgn:\s*([\da-f]+)/m)![1]}`);
    } catch {
      // Reading it takes all permissions.
    }
  }
  words[state + 1] = Number(BigInt.asIntN(32, mask));
  words[state + 2] = Number(BigInt.asIntN(32, mask >> 32n));
  Atomics.store(words, state, KNOWN);
  Atomics.notify(words, state);
}
