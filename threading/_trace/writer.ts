/**
 * The writer of a trace: a worker without modules that is never blocked by the
 * program. It empties the rings of all threads (`_memory/trace.ts`) every few
 * milliseconds, and makes events of what they say, which `format.ts` writes.
 *
 * The order of the events: all that is recorded is given out in the order of
 * time, but only up to a moment shortly before the writer began to look. If one
 * thing caused another, in whichever thread, it was in its ring first; so when the
 * later one is given out, the earlier has been.
 *
 * @module
 */

import { startHelper } from "../../_internal/worker_module.ts";
import { Field, Slot, SlotState, words } from "../_memory/heap.ts";
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
  ringWords,
  SpanKind,
  TraceKind,
  TraceNote,
} from "../_memory/trace.ts";
import { ThreadStage } from "../_runtime/thread_table.ts";
import { openOutput, type OutputRequest, type Place } from "./format.ts";

/** What a trace is doing: `Region.state`. */
export const TraceState = {
  idle: 0,
  /** Somebody is starting it. */
  claimed: 1,
  /** The main thread is to start the writer. */
  wanted: 2,
  running: 3,
} as const;

/** What the writer must know of the memory. */
const LAYOUT = {
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
} as const;

/** What a trace is to be. */
export interface WriterRequest extends OutputRequest {
  /** Whether the lives of threads are in it. */
  hasLives: boolean;
  /** Whether the lengths of queues are. */
  hasQueues: boolean;
  /** What had not fit into the rings before. */
  lostBefore: number;
}

interface WriterData extends WriterRequest {
  buffer: ArrayBufferLike;
  region: number;
  ringWords: number;
  clock: { now: number; wall: number };
  at: typeof LAYOUT;
}

/** An event as it was recorded. */
interface Recorded {
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

/** What the writer runs; only its text gets there, so it is one function. */
function write(data: WriterData, open: typeof openOutput): void {
  const LOOK_MS = 20;
  const MARGIN_MS = 1;
  const FALLOW_MS = 1000;
  const KEPT = 10_000;
  /**
   * Slices lie in each other by so much at least, and by more than readers cut
   * off. What was recorded does by itself, since a look at the clock takes longer.
   */
  const STEP_MS = 3e-6;
  const MAX_STEPS = 40;
  const { at, region, path, began, mainTid } = data;
  const { Region, Ring, Kind } = at;
  const words = new Int32Array(data.buffer);
  const doubles = new Float64Array(data.buffer);
  const bytes = new Uint8Array(data.buffer);
  const offset = data.clock.now + performance.timeOrigin - data.clock.wall;
  const now = () => performance.now() + offset;
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const rings = words[region + Region.rings];
  const cells = words[region + Region.cells];
  const ringAt = (i: number) => region + Region.first + i * data.ringWords;
  const quote = (text: string) => JSON.stringify(text);

  function fail(reason: string): void {
    console.error(
      `The trace can no longer be written to ${path}: ${reason}; the program goes on`,
    );
    const start = (region + Region.error) * 4;
    const room = bytes.subarray(start, start + at.errorBytes);
    words[region + Region.errorLength] =
      encoder.encodeInto(reason, room).written;
  }

  const output = open(data, fail);
  const { slice, mark, asyncSlice, arrow } = output;

  // Names

  const kinds: string[] = [];

  /** The name of a class of shared objects. */
  function className(kind: number): string {
    if (kinds[kind] === undefined) {
      const { first, next, id, length, bytes: start } = at.texts;
      for (let entry = words[first]; entry !== 0; entry = words[entry + next]) {
        const from = (entry + start) * 4;
        const text = decoder.decode(
          bytes.slice(from, from + words[entry + length]),
        );
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
  function prune<K>(map: Map<K, unknown>, kept = KEPT): void {
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
    if (object === 0) return node === 0 ? "select" : "sleep";
    if (object === node) return "select";
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
    const to = isTask ? end : Math.max(start, end - STEP_MS);
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
    mark("e", tid, "lock", label, time, `,"id":${quote(id)}`);
  }

  function seeTaken({ a, b, c, d, start }: Recorded): void {
    const label = labelOf(a, b);
    const key = d || a;
    // Of those that one thread has alone, it is the only one.
    if (d === 0 && holds.has(key)) release(key, start);
    const id = d === 0 ? label : `${label}, ${++lastHold}`;
    const list = holds.get(key) ?? [];
    list.push({ label, id, tid: c });
    holds.set(key, list);
    const args = `"args":{"by":${quote(nameOf(c))}}`;
    mark("b", c, "lock", label, start, `,"id":${quote(id)},${args}`);
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
    if (going.size > KEPT) seeDone(going.keys().next().value!, start, "");
    const args = isDelivery ? `,"args":{"deliveries":${d}}` : "";
    mark("b", tid, at.cats[what], name, start, `,"id":${quote(id)}${args}`);
  }

  function seeDone(key: string, time: number, args: string): void {
    const known = going.get(key);
    if (known === undefined) return;
    going.delete(key);
    const { id, name, tid } = known;
    const cat = id.slice(0, id.indexOf(","));
    mark("e", tid, cat, name, time, `,"id":${quote(id)}${args}`);
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
    if (threads.size > KEPT) {
      for (const [tid, { hasEnded }] of threads) {
        if (!hasEnded) continue;
        threads.delete(tid);
        break;
      }
    }
    output.nameThread(tid, text);
    const by = known?.startedBy;
    if (by !== undefined) arrow(`start ${text}`, by, [tid, start + STEP_MS]);
  }

  function seeEnded({ a, b, end }: Recorded): void {
    const known = threads.get(a);
    if (known === undefined || known.hasEnded) return;
    settle(a);
    putOpen(a, end);
    known.hasEnded = true;
    // One that never came to run has left nothing else either.
    if (known.name === "") return;
    const isDeath = b !== at.Stage.returned;
    const terminate = known.terminatedBy;
    if (isDeath && data.hasLives) {
      mark("i", a, "thread", `death of ${known.name}`, end, `,"s":"t"`);
      if (terminate !== undefined) {
        arrow(`terminate ${known.name}`, terminate, [a, end - STEP_MS]);
      }
    }
    cancels.delete(a);
    if (data.hasLives) {
      const how = isDeath ? `"ended":"failed"` : "";
      slice(a, "thread", known.name, [known.began, end], how);
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

  // How much there is in queues

  interface Counter {
    what: string;
    opening: number;
    head: number;
    tail: number;
    length: number;
  }
  const counters = new Map<number, Counter>();
  /** Objects that have a counter, and what was written last. */
  const counted = new Map<number, { kind: number; last: number }>();

  function learnCounters(): void {
    const { items } = at.things;
    const end = region + Region.first - at.counterWords;
    for (let i = region + Region.counters; i <= end; i += at.counterWords) {
      const length = Atomics.load(words, i + 5);
      if (length === 0) return;
      const [kind, thing, opening, head, tail] = words.subarray(i, i + 5);
      const what = thing === items ? "items" : "pending";
      counters.set(kind, { what, opening, head, tail, length });
    }
  }

  /** An object is there. */
  function meet(object: number, kind: number): void {
    if (data.hasQueues && counters.has(kind) && !counted.has(object)) {
      counted.set(object, { kind, last: -1 });
    }
  }

  /** Writes how much there is now, where that has changed. */
  function count(): void {
    for (const [object, known] of counted) {
      const counter = counters.get(known.kind)!;
      // It has been destroyed.
      if (words[object + at.kind] !== known.kind) {
        counted.delete(object);
        continue;
      }
      const { what, opening, head, tail, length } = counter;
      const before = opening === 0 ? 0 : Atomics.load(words, object + opening);
      const number = before & 1
        ? words[object + tail] - words[object + head]
        : words[object + length];
      const isSame = opening === 0 ||
        Atomics.load(words, object + opening) === before;
      if (!isSame || number < 0 || number === known.last) continue;
      known.last = number;
      const name = labelOf(object, known.kind);
      const args = `,"args":{"${what}":${number}}`;
      mark("C", mainTid, "queue", name, now(), args);
    }
  }

  /** What a thread had begun and never ended. */
  function putOpen(tid: number | undefined, end: number): void {
    for (let i = 0; i < rings; i++) {
      const ring = ringAt(i);
      if (words[ring + Ring.owner] === 0) continue;
      const depth = Math.min(words[ring + Ring.depth], at.maxOpen);
      for (let j = 0; j < depth; j++) {
        const open = ring + Ring.open + j * at.openWords;
        const of = words[open + 1];
        // Within what was opened before.
        const start = Math.max(
          doubles[open + 2 >> 1],
          began + (j + 1) * STEP_MS,
        );
        const until = end - (j + 1) * STEP_MS;
        // The ring of a thread that was killed keeps it beyond its trace.
        const isGone = threads.get(of)?.hasEnded ?? true;
        if (tid === undefined ? isGone : of !== tid) continue;
        if (start > until) continue;
        const [a, b] = [words[open + 4], words[open + 5]];
        const isWait = words[open] === Kind.wait;
        const name = isWait ? aimOf(a, b, -1) : names[i].get(a);
        const cat = isWait ? "wait" : at.cats[b];
        if (name !== undefined) {
          slice(of, cat, name, [start, until], `"unfinished":true`);
        }
      }
    }
  }

  // The rings

  const names = Array.from({ length: rings }, () => new Map<number, string>());
  /** Since when the worker of a ring is gone. */
  const goneSince = new Map<number, number>();
  let lost = -data.lostBefore;
  let held: Recorded[] = [];

  function textAt(ring: number, from: number, length: number): string {
    const cellBytes = at.cellWords * 4;
    const text = new Uint8Array(length);
    for (let i = 0; i < length; i += cellBytes) {
      const index = from + i / cellBytes & cells - 1;
      const start = (ring + Ring.cells + index * at.cellWords) * 4;
      const part = Math.min(cellBytes, length - i);
      text.set(bytes.subarray(start, start + part), i);
    }
    return decoder.decode(text);
  }

  const clipped = new Map<number, number>();

  /** Where something starts that had begun before the trace. */
  function clip({ tid, end }: Recorded): number {
    // What was around it ends later.
    const steps = Math.min((clipped.get(tid) ?? 0) + 1, MAX_STEPS);
    clipped.set(tid, steps);
    return Math.min(end, began + (MAX_STEPS + 1 - steps) * STEP_MS);
  }

  function empty(i: number): void {
    const ring = ringAt(i);
    if (Atomics.load(words, ring + Ring.owner) === 0) return;
    const head = Atomics.load(words, ring + Ring.head);
    let tail = words[ring + Ring.tail];
    while (tail !== head) {
      const cell = ring + Ring.cells + (tail & cells - 1) * at.cellWords;
      const kind = words[cell];
      const event: Recorded = {
        kind,
        tid: words[cell + 1],
        start: doubles[cell + 2 >> 1],
        end: doubles[cell + 4 >> 1],
        a: words[cell + 6],
        b: words[cell + 7],
        c: words[cell + 8],
        d: words[cell + 9],
        names: names[i],
        text: "",
      };
      tail = tail + 1 | 0;
      if (kind === Kind.text || kind === Kind.thread) {
        event.text = textAt(ring, tail, event.b);
        tail = tail + Math.ceil(event.b / (at.cellWords * 4)) | 0;
      }
      if (kind === Kind.text) {
        names[i].set(event.a, event.text);
        prune(names[i], 2 * at.maxNames);
      } else if (kind === Kind.wake) {
        const list = wakes.get(event.b);
        if (list === undefined) wakes.set(event.b, [event]);
        else list.push(event);
        prune(wakes);
      } else if (event.end >= began) {
        // Of the trace before, if it came late.
        if (event.start < began) event.start = clip(event);
        held.push(event);
      }
    }
    Atomics.store(words, ring + Ring.tail, tail);
    recycle(i, ring);
  }

  /** Gives the ring of a worker that is gone to others, a little later. */
  function recycle(i: number, ring: number): void {
    const slot = words[ring + Ring.slot];
    if (slot === 0) return;
    const state = words[slot + at.slotState];
    const isThere = words[slot + at.serial] + 1 === words[ring + Ring.owner] &&
      state !== at.free && state < at.left;
    const since = goneSince.get(i);
    if (isThere) {
      goneSince.delete(i);
    } else if (since === undefined) {
      goneSince.set(i, now());
    } else if (now() - since > FALLOW_MS) {
      goneSince.delete(i);
      names[i].clear();
      lost += words[ring + Ring.lost];
      words[ring + Ring.lost] = 0;
      words[ring + Ring.depth] = 0;
      words[ring + Ring.slot] = 0;
      Atomics.store(words, ring + Ring.owner, 0);
    }
  }

  function countLost(): number {
    let all = lost + words[region + Region.homeless];
    for (let i = 0; i < rings; i++) all += words[ringAt(i) + Ring.lost];
    return all;
  }

  /** Writes what was recorded up to a moment. */
  function look(until: number): void {
    learnCounters();
    for (let i = 0; i < rings; i++) empty(i);
    held.sort((a, b) => a.end - b.end);
    let n = 0;
    while (n < held.length && held[n].end <= until) see(held[n++]);
    held = held.slice(n);
    count();
    output.flush();
  }

  /** Writes what has not ended, and the end of the file. */
  function finish(): void {
    look(Infinity);
    const end = now();
    for (const tid of [...trying.keys()]) settle(tid);
    putOpen(undefined, end);
    for (const key of [...holds.keys()]) {
      while (holds.has(key)) release(key, end);
    }
    for (const key of [...going.keys()]) seeDone(key, end, "");
    for (const [tid, { name, began, hasEnded }] of threads) {
      if (data.hasLives && name !== "" && !hasEnded) {
        slice(tid, "thread", name, [began, end]);
      }
    }
    const told = output.finish(countLost());
    doubles[region + Region.events >> 1] = told.events;
    doubles[region + Region.lost >> 1] = told.lost;
    doubles[region + Region.bytes >> 1] = told.bytes;
    Atomics.store(words, region + Region.state, at.idle);
    Atomics.notify(words, region + Region.state);
    globalThis.close();
  }

  async function run(): Promise<void> {
    for (;;) {
      const signal = Atomics.load(words, region + Region.signal);
      const flushes = Atomics.load(words, region + Region.flush);
      if (Atomics.load(words, region + Region.stop) !== 0) {
        // Those who saw the trace just before its end are done by then.
        await new Promise((resolve) => setTimeout(resolve, 2));
        return finish();
      }
      if (flushes === words[region + Region.flushed]) {
        look(now() - MARGIN_MS);
      } else {
        look(Infinity);
        Atomics.store(words, region + Region.flushed, flushes);
        Atomics.notify(words, region + Region.flushed);
      }
      const wait = Atomics.waitAsync(
        words,
        region + Region.signal,
        signal,
        LOOK_MS,
      );
      if (wait.async) await wait.value;
    }
  }

  run();
}

/**
 * Starts the writer, from the main thread, and does not wait for it.
 *
 * @param region The region of the rings.
 * @param request What the trace is to be.
 * @param clock What the clocks of this thread say.
 */
export function startWriter(
  region: number,
  request: WriterRequest,
  clock: { now: number; wall: number },
): void {
  const data: WriterData = {
    ...request,
    buffer: words.buffer,
    region,
    ringWords: ringWords(words[region + Region.cells]),
    clock,
    at: LAYOUT,
  };
  const source = `const main = (data) => (${write})(data, ${openOutput});`;
  startHelper("trace of @skein/std", source, data);
}
