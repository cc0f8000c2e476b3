/**
 * Makes events of what was recorded: a wait and the wake-up that ended it meet
 * here, a lock and its holders, a thread's beginning and its end.
 *
 * The worker that does it has no modules: all that it knows of the memory comes
 * with what it is started with.
 *
 * @module
 */

import { Field, Slot, SlotState } from "../_memory/heap.ts";
import { Wake } from "../_memory/wait_queue.ts";
import { TEXTS } from "../_memory/shared_class.ts";
import {
  CANCELLED,
  CELL_WORDS,
  CountedThings,
  COUNTER_WORDS,
  DeliveryEnd,
  ERROR_BYTES,
  KIND_SHIFT,
  MAX_NAMES,
  MAX_OPEN,
  OPEN_WORDS,
  Region,
  Ring,
  SpanKind,
  TraceKind,
  TraceNote,
} from "../_memory/trace.ts";
import { ThreadStage } from "../_runtime/thread_table.ts";
import type { Output, OutputRequest, Place } from "./format.ts";

/** What a trace is doing: `Region.state`. */
export const TraceState = {
  idle: 0,
  /** Somebody is starting it. */
  claimed: 1,
  /** The main thread is to start the writer. */
  wanted: 2,
  running: 3,
} as const;

/** What the worker must know of the memory. */
export const LAYOUT = {
  Region,
  Ring,
  Kind: TraceKind,
  Note: TraceNote,
  Stage: ThreadStage,
  cellWords: CELL_WORDS,
  openWords: OPEN_WORDS,
  maxOpen: MAX_OPEN,
  maxNames: MAX_NAMES,
  errorBytes: ERROR_BYTES,
  counterWords: COUNTER_WORDS,
  things: CountedThings,
  helping: SpanKind.helping,
  cats: ["span", "task", "task", "process", "signal", "process", "queue"],
  command: SpanKind.command,
  delivery: SpanKind.delivery,
  kindShift: KIND_SHIFT,
  settled: DeliveryEnd,
  cancelled: CANCELLED,
  kind: Field.kind,
  free: SlotState.free,
  left: SlotState.left,
  serial: Slot.serial,
  slotState: Slot.state,
  idle: TraceState.idle,
  retry: Wake.retry,
  waiting: Wake.waiting,
  texts: TEXTS,
  /** So many of each sort are remembered. */
  kept: 10_000,
  /**
   * Slices lie in each other by so many milliseconds at least, by more than
   * readers cut off. What was recorded does by itself, since a look at the clock
   * takes longer.
   */
  step: 3e-6,
} as const;

/** How to write a trace. */
export interface WriterRequest extends OutputRequest {
  /** Whether the lives of threads are in it. */
  hasLives: boolean;
  /** Whether the lengths of queues are. */
  hasQueues: boolean;
  /** What had not fit into the rings before. */
  lostBefore: number;
}

/** And what it works with. */
export interface WriterData extends WriterRequest {
  buffer: ArrayBufferLike;
  region: number;
  ringWords: number;
  clock: { now: number; wall: number };
  at: typeof LAYOUT;
}

/** An event as it was recorded. */
export interface Recorded {
  kind: number;
  tid: number;
  start: number;
  end: number;
  a: number;
  b: number;
  c: number;
  d: number;
  /** The ring's names, and the text that came with the event. */
  names: Map<number, string>;
  text: string;
}

/** What a thread has begun and not ended. */
export interface Opened {
  kind: number;
  tid: number;
  start: number;
  /** How many things are around it. */
  depth: number;
  a: number;
  b: number;
  names: Map<number, string>;
}

/** What is asked of the memory, and told to whoever looks at it. */
export interface Memory {
  words: Int32Array;
  textAt(start: number, length: number): string;
  /** An object is there. */
  meet(object: number, kind: number): void;
  eachOpened(see: (opened: Opened) => void): void;
}

/** Makes events of what was recorded. */
export interface Events {
  /** Takes a wake-up, which may come before or behind its time. */
  addWake(wake: Recorded): void;
  /** Takes anything else, in the order of the ends. */
  see(event: Recorded): void;
  /** What an object is called. */
  labelOf(object: number, kind: number): string;
  /** Ends whatever has not ended. */
  finish(end: number): void;
}

/**
 * Only its text gets to the worker that runs it.
 *
 * @param data What the writer was started with.
 * @param output What writes the events.
 * @param memory What is asked of the memory.
 */
export function createEvents(
  data: WriterData,
  output: Output,
  memory: Memory,
): Events {
  const { at, began } = data;
  const { Kind } = at;
  const { words, meet } = memory;
  const { slice, mark, asyncSlice, arrow } = output;
  const quote = (text: string) => JSON.stringify(text);

  // Names

  const kinds: string[] = [];

  /** The name of a class of shared objects. */
  function className(kind: number): string {
    if (kinds[kind] === undefined) {
      const { first, next, id, length, bytes: start } = at.texts;
      for (let entry = words[first]; entry !== 0; entry = words[entry + next]) {
        const text = memory.textAt((entry + start) * 4, words[entry + length]);
        kinds[words[entry + id]] = text.slice(text.lastIndexOf("#") + 1);
      }
      kinds[kind] ??= "object";
    }
    return kinds[kind];
  }

  interface Known {
    name: string;
    began: number;
    hasEnded: boolean;
    startedBy?: Place;
    terminatedBy?: Place;
  }
  const threads = new Map<number, Known>();
  /** The names of threads by the addresses of their objects. */
  const ends = new Map<number, string>();
  const labels = new Map<number, string>();
  const numbers = new Map<string, number>();

  /** Forgets the oldest, which is hardly needed any more. */
  function prune<K>(map: Map<K, unknown>, kept = at.kept): void {
    if (map.size > kept) map.delete(map.keys().next().value!);
  }

  function labelOf(object: number, kind: number): string {
    const key = kind * 2 ** 32 + object;
    const known = labels.get(key);
    if (known !== undefined) return known;
    // What waits for tasks at the core of a pool means the pool.
    const name = className(kind).replace("PoolCore", "ThreadPool");
    const number = (numbers.get(name) ?? 0) + 1;
    numbers.set(name, number);
    const label = `${name} ${number}`;
    labels.set(key, label);
    prune(labels);
    return label;
  }

  const nameOf = (tid: number) => threads.get(tid)?.name || `thread ${tid}`;

  /** What a wait is for. */
  function aimOf(object: number, kind: number, node: number): string {
    // A selection is at no object.
    if (object === node || object === -1) return "select";
    if (object === 0) return "sleep";
    const end = ends.get(object);
    return end === undefined
      ? `wait for ${labelOf(object, kind)}`
      : `join ${end}`;
  }

  // What is recorded

  /** Wake-ups by node, until the wait that ended by them is seen. */
  const wakes = new Map<number, Recorded[]>();
  /** Waits that may go on: a thread that was woken to try again. */
  const trying = new Map<number, Recorded>();
  /** Who has which lock. */
  const holds = new Map<
    number,
    { label: string; id: string; tid: number }[]
  >();

  /** Takes the wake-up that ended a wait. */
  function takeWake(node: number, until: number): Recorded | undefined {
    const list = wakes.get(node);
    if (list === undefined) return undefined;
    let found: Recorded | undefined;
    while (list.length > 0 && list[0].start <= until) found = list.shift();
    if (list.length === 0) wakes.delete(node);
    return found;
  }

  /** How far apart clocks of two threads may be. */
  const SKEW_MS = 0.5;

  function putWait(event: Recorded): void {
    const { tid, start, end, a, b, c, d } = event;
    const name = aimOf(a, b, c);
    const wake = takeWake(c, end + SKEW_MS);
    const isWoken = d !== at.waiting && wake !== undefined &&
      wake.start >= start - SKEW_MS;
    const isCancelled = d === at.cancelled;
    const args = isCancelled
      ? `"ended":"cancelled"`
      : isWoken
      ? `"by":${quote(nameOf(wake.tid))}`
      : "";
    const isTask = event.kind === Kind.task;
    (isTask ? asyncSlice : slice)(tid, "wait", name, [start, end], args);
    const cause = isCancelled
      ? takeCancel(tid)
      : isWoken
      ? [wake.tid, wake.start] as const
      : undefined;
    if (cause === undefined || cause[0] === tid) return;
    const verb = isCancelled ? "cancel" : "wake";
    // One in the promise form has no slice on the track of its thread.
    const to = isTask ? end : Math.max(start, end - at.step);
    arrow(`${verb} ${nameOf(tid)}`, cause, [tid, to], isTask);
  }

  /** Who has cancelled what runs in a thread, and when. */
  const cancels = new Map<number, Place>();

  function takeCancel(tid: number): Place | undefined {
    const cancel = cancels.get(tid);
    cancels.delete(tid);
    return cancel;
  }

  function settle(tid: number): void {
    const wait = trying.get(tid);
    if (wait === undefined) return;
    trying.delete(tid);
    putWait(wait);
  }

  function seeWait(event: Recorded): void {
    meet(event.a, event.b);
    const before = trying.get(event.tid);
    if (before !== undefined) {
      if (before.a === event.a && before.c === event.c) {
        event.start = before.start;
        trying.delete(event.tid);
      } else {
        settle(event.tid);
      }
    }
    if (event.d === at.retry) trying.set(event.tid, event);
    else putWait(event);
  }

  let lastHold = 0;

  /** The end of a hold that others may have at the same time, too, or not. */
  function release(key: number, time: number): void {
    const list = holds.get(key)!;
    const { label, id, tid } = list.pop()!;
    if (list.length === 0) holds.delete(key);
    output.end(tid, "lock", label, time, id, "");
  }

  function seeTaken({ a, b, c, d, start }: Recorded): void {
    const label = labelOf(a, b);
    const key = d || a;
    // If one thread has it alone, it is the only one.
    if (d === 0 && holds.has(key)) release(key, start);
    const id = d === 0 ? label : `${label}, ${++lastHold}`;
    const list = holds.get(key) ?? [];
    list.push({ label, id, tid: c });
    holds.set(key, list);
    const args = `"args":{"by":${quote(nameOf(c))}}`;
    output.begin(c, "lock", label, start, id, `,${args}`);
  }

  function seeReleased({ a, c, d, start }: Recorded): void {
    const key = d || a;
    if (holds.get(key)?.at(-1)?.tid === c) release(key, start);
  }

  /** What goes on by itself: processes, and items that are out. */
  const going = new Map<string, { id: string; name: string; tid: number }>();
  let lastGoing = 0;

  function seeBegun({ tid, a, b, c, d, start, names }: Recorded): void {
    const what = b & (1 << at.kindShift) - 1;
    const isDelivery = what === at.delivery;
    const name = isDelivery
      ? `item of ${labelOf(c, b >> at.kindShift)}`
      : names.get(c);
    if (name === undefined) return output.leaveOut();
    const key = `${what} ${tid} ${a}`;
    if (going.has(key)) seeDone(key, start, "");
    const id = `${at.cats[what]}, ${++lastGoing}`;
    going.set(key, { id, name, tid });
    // Of so many nobody sees the one that began first.
    if (going.size > at.kept) seeDone(going.keys().next().value!, start, "");
    const args = isDelivery ? `,"args":{"deliveries":${d}}` : "";
    output.begin(tid, at.cats[what], name, start, id, args);
  }

  function seeDone(key: string, time: number, args: string): void {
    const known = going.get(key);
    if (known === undefined) return;
    going.delete(key);
    const { id, name, tid } = known;
    const cat = id.slice(0, id.indexOf(","));
    output.end(tid, cat, name, time, id, args);
  }

  /** What became of an item. */
  const ENDS = Object.fromEntries(
    Object.entries(at.settled).map(([name, end]) => [end, name]),
  );

  function seeThread({ tid, a, start, text }: Recorded): void {
    if (a !== 0) {
      ends.set(a, text);
      prune(ends);
    }
    const known = threads.get(tid);
    if (known?.name) return;
    threads.set(tid, { name: text, began: start, hasEnded: false });
    if (threads.size > at.kept) {
      for (const [tid, { hasEnded }] of threads) {
        if (!hasEnded) continue;
        threads.delete(tid);
        break;
      }
    }
    output.nameThread(tid, text, data.hasLives);
    const by = known?.startedBy;
    if (by !== undefined) arrow(`start ${text}`, by, [tid, start + at.step]);
  }

  function seeEnded({ a, b, end }: Recorded): void {
    const known = threads.get(a);
    if (known === undefined || known.hasEnded) return;
    settle(a);
    putOpened(a, end);
    known.hasEnded = true;
    // One that never came to run has left nothing else either.
    if (known.name === "") return;
    const isDeath = b !== at.Stage.returned;
    const terminate = known.terminatedBy;
    if (isDeath && data.hasLives) {
      mark("i", a, "thread", `death of ${known.name}`, end, `,"s":"t"`);
      if (terminate !== undefined) {
        arrow(`terminate ${known.name}`, terminate, [a, end - at.step]);
      }
    }
    cancels.delete(a);
    if (data.hasLives) {
      const how = isDeath ? `"ended":"failed"` : "";
      output.life(a, known.name, [known.began, end], how);
    }
  }

  function seeNote({ tid, start, a, b, c, d }: Recorded): void {
    if (b === at.Note.started) {
      threads.set(a, {
        name: "",
        began: start,
        hasEnded: false,
        startedBy: [tid, start],
      });
      return;
    }
    const known = threads.get(a);
    if (b === at.Note.terminated) {
      if (known !== undefined) known.terminatedBy = [tid, start];
      mark("i", tid, "thread", `terminate ${nameOf(a)}`, start, `,"s":"t"`);
      return;
    }
    if (known !== undefined) cancels.set(a, [tid, start]);
    // A thread, or what runs in one.
    const aim = ends.get(c) ?? (c === 0 ? nameOf(a) : labelOf(c, d));
    mark("i", tid, "thread", `cancel ${aim}`, start, `,"s":"t"`);
  }

  function see(event: Recorded): void {
    const { kind, tid } = event;
    if (kind !== Kind.wait && kind !== Kind.made) settle(tid);
    switch (kind) {
      case Kind.thread:
        return seeThread(event);
      case Kind.ended:
        return seeEnded(event);
      case Kind.wait:
        return seeWait(event);
      case Kind.task:
        return putWait(event);
      case Kind.taken:
        return seeTaken(event);
      case Kind.released:
        return seeReleased(event);
      case Kind.note:
        return seeNote(event);
      case Kind.begun:
        return seeBegun(event);
      case Kind.done: {
        const { a, b, c, d, end } = event;
        const how = b === at.delivery ? quote(ENDS[c]) : c;
        const args = `,"args":{"${
          b === at.delivery ? "end" : "status"
        }":${how}}`;
        return seeDone(`${b} ${d} ${a}`, end, args);
      }
      case Kind.made:
        labels.delete(event.b * 2 ** 32 + event.a);
        return meet(event.a, event.b);
    }
    const name = event.names.get(event.a);
    const cat = at.cats[event.b];
    const args = event.b === at.helping
      ? `"helping":true`
      : event.b === at.command
      ? `"status":${event.c}`
      : "";
    if (name === undefined) output.leaveOut();
    else if (kind === Kind.asyncSpan) {
      asyncSlice(tid, cat, name, [event.start, event.end], args);
    } else slice(tid, cat, name, [event.start, event.end], args);
  }

  /** What a thread had begun and never ended; of all that live, if none is named. */
  function putOpened(of: number | undefined, end: number): void {
    memory.eachOpened(({ kind, tid, start, depth, a, b, names }) => {
      // The ring of a thread that was killed keeps it beyond its trace.
      const isGone = threads.get(tid)?.hasEnded ?? true;
      if (of === undefined ? isGone : of !== tid) return;
      // Within what was opened before.
      const from = Math.max(start, began + (depth + 1) * at.step);
      const until = end - (depth + 1) * at.step;
      const isWait = kind === Kind.wait;
      const name = isWait ? aimOf(a, b, -1) : names.get(a);
      if (name === undefined || from > until) return;
      const cat = isWait ? "wait" : at.cats[b];
      slice(tid, cat, name, [from, until], `"unfinished":true`);
    });
  }

  function addWake(wake: Recorded): void {
    const list = wakes.get(wake.b);
    if (list === undefined) wakes.set(wake.b, [wake]);
    else list.push(wake);
    prune(wakes);
  }

  function finish(end: number): void {
    for (const tid of [...trying.keys()]) settle(tid);
    putOpened(undefined, end);
    for (const key of [...holds.keys()]) {
      while (holds.has(key)) release(key, end);
    }
    for (const key of [...going.keys()]) seeDone(key, end, "");
    for (const [tid, { name, began, hasEnded }] of threads) {
      if (data.hasLives && name !== "" && !hasEnded) {
        output.life(tid, name, [began, end], "");
      }
    }
  }

  return { addWake, see, labelOf, finish };
}
