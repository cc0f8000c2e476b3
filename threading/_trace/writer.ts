/**
 * The writer of a trace: a worker without modules that is never blocked by the
 * program. It empties the rings of all threads (`_memory/trace.ts`) every few
 * milliseconds, and has `events.ts` make events of what they say, which `format.ts`
 * writes.
 *
 * The order of the events: all that is recorded is given out in the order of
 * time, but only up to a moment shortly before the writer began to look. If one
 * thing caused another, in whichever thread, it was in its ring first; so when the
 * later one is given out, the earlier has been.
 *
 * @module
 */

import { startHelper } from "../../_internal/worker_module.ts";
import { words } from "../_memory/heap.ts";
import { Region, ringWords } from "../_memory/trace.ts";
import {
  createEvents,
  LAYOUT,
  type Opened,
  type Recorded,
  type WriterData,
  type WriterRequest,
} from "./events.ts";
import { openOutput, openToWrite } from "./format.ts";

/** What the writer runs; only its text gets there. */
function write(
  data: WriterData,
  open: typeof openOutput,
  create: typeof createEvents,
): void {
  const LOOK_MS = 20;
  const MARGIN_MS = 1;
  const FALLOW_MS = 1000;
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
  const textAt = (start: number, length: number) =>
    decoder.decode(bytes.slice(start, start + length));
  const memory = { words, textAt, meet, eachOpened };
  const story = create(data, output, memory);

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
      const name = story.labelOf(object, known.kind);
      const args = `,"args":{"${what}":${number}}`;
      output.mark("C", mainTid, "queue", name, now(), args);
    }
  }

  // The rings

  const names = Array.from({ length: rings }, () => new Map<number, string>());
  /** Since when the worker of a ring is gone. */
  const goneSince = new Map<number, number>();
  let lost = -data.lostBefore;
  let held: Recorded[] = [];

  function eachOpened(see: (opened: Opened) => void): void {
    for (let i = 0; i < rings; i++) {
      const ring = ringAt(i);
      if (words[ring + Ring.owner] === 0) continue;
      const count = Math.min(words[ring + Ring.depth], at.maxOpen);
      for (let depth = 0; depth < count; depth++) {
        const open = ring + Ring.open + depth * at.openWords;
        see({
          kind: words[open],
          tid: words[open + 1],
          start: doubles[open + 2 >> 1],
          depth,
          a: words[open + 4],
          b: words[open + 5],
          names: names[i],
        });
      }
    }
  }

  function nameAt(ring: number, from: number, length: number): string {
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
    return Math.min(end, began + (MAX_STEPS + 1 - steps) * at.step);
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
        event.text = nameAt(ring, tail, event.b);
        tail = tail + Math.ceil(event.b / (at.cellWords * 4)) | 0;
      }
      if (kind === Kind.text) {
        names[i].set(event.a, event.text);
        if (names[i].size > 2 * at.maxNames) {
          names[i].delete(names[i].keys().next().value!);
        }
      } else if (kind === Kind.wake) {
        story.addWake(event);
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
    while (n < held.length && held[n].end <= until) story.see(held[n++]);
    held = held.slice(n);
    count();
    output.flush();
  }

  /** Writes what has not ended, and the end of the file. */
  function finish(): void {
    look(Infinity);
    story.finish(now());
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
 * @param request How to write the trace.
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
  const source =
    `${openToWrite} const main = (data) => (${write})(data, ${openOutput}, ${createEvents});`;
  startHelper("trace of @skein/std", source, data);
}
