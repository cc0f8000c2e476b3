/** The rules of the Trace Event Format, as far as traces of skein go. */

import { assert, assertEquals } from "@std/assert";

export interface TraceEvent {
  ph: string;
  cat: string;
  name: string;
  pid: number;
  tid: number;
  ts: number;
  dur: number;
  id?: string | number;
  bp?: string;
  args?: Record<string, unknown>;
}

/** The events of a file; of a torn one, those that are whole. */
export function readTrace(path: string, isWhole = true): TraceEvent[] {
  const text = Deno.readTextFileSync(path);
  if (isWhole) return JSON.parse(text);
  return JSON.parse(text.endsWith("\n]\n") ? text : `${text}\n]`);
}

/** Times are rounded to nanoseconds. */
const ROUNDING = 0.01;

/** Slices of one thread lie in each other or behind each other. */
function checkNesting(slices: TraceEvent[]): void {
  slices.sort((a, b) => a.ts - b.ts || b.dur - a.dur);
  const open: TraceEvent[] = [];
  for (const slice of slices) {
    while (open.length > 0 && endOf(open.at(-1)!) <= slice.ts + ROUNDING) {
      open.pop();
    }
    const outer = open.at(-1);
    assert(
      outer === undefined || endOf(slice) <= endOf(outer) + ROUNDING,
      `${JSON.stringify(slice)} ends behind ${JSON.stringify(outer)}`,
    );
    open.push(slice);
  }
}

const endOf = ({ ts, dur }: TraceEvent) => ts + dur;

function isIn(slices: TraceEvent[], ts: number): boolean {
  return slices.some((slice) =>
    slice.ts <= ts + ROUNDING && ts <= endOf(slice) + ROUNDING
  );
}

/** Checks that a trace keeps the rules; returns its events by phase. */
export function checkTrace(
  events: TraceEvent[],
  isWhole = true,
): Record<string, TraceEvent[]> {
  const by = {
    M: [],
    X: [],
    b: [],
    e: [],
    s: [],
    f: [],
    i: [],
    C: [],
  } as Record<
    string,
    TraceEvent[]
  >;
  for (const event of events) {
    const text = JSON.stringify(event);
    assert(by[event.ph] !== undefined, text);
    by[event.ph].push(event);
    assert(typeof event.name === "string" && event.name !== "", text);
    assert(Number.isInteger(event.pid) && Number.isInteger(event.tid), text);
    if (event.ph !== "M") assert(event.ts >= 0 && event.cat !== "", text);
    if (event.ph === "X") assert(event.dur >= 0, text);
  }
  const slices = Map.groupBy(by.X, ({ tid }) => tid);
  for (const each of slices.values()) checkNesting(each);

  const named = by.M.filter(({ name }) => name === "thread_name");
  const names = new Set(named.map(({ tid }) => tid));
  assertEquals(names.size, named.length);
  for (const { ph, tid } of events) {
    assert(ph === "M" || ph === "C" || names.has(tid));
  }

  const open = new Map<string, TraceEvent>();
  for (const event of events) {
    const key = `${event.cat} ${event.id}`;
    if (event.ph === "b") {
      assert(!open.has(key), JSON.stringify(event));
      open.set(key, event);
    } else if (event.ph === "e") {
      const begin = open.get(key);
      assert(begin !== undefined, JSON.stringify(event));
      assert(begin.ts <= event.ts && begin.name === event.name);
      open.delete(key);
    }
  }
  for (const { args } of by.C) {
    const values = Object.values(args!);
    assert(values.length > 0 && values.every((n) => Number.isInteger(n)));
  }
  if (isWhole) assertEquals([...open.keys()], []);

  const starts = new Map(by.s.map((event) => [event.id, event]));
  assertEquals(starts.size, by.s.length);
  assertEquals(new Set(by.f.map(({ id }) => id)).size, by.f.length);
  for (const end of by.f) {
    const start = starts.get(end.id);
    assert(start !== undefined && start.ts <= end.ts, JSON.stringify(end));
    assertEquals(end.bp, "e");
    if (!isWhole || events.length > 10_000) continue;
    assert(isIn(slices.get(start.tid) ?? [], start.ts), JSON.stringify(start));
    assert(isIn(slices.get(end.tid) ?? [], end.ts), JSON.stringify(end));
  }
  return by;
}
