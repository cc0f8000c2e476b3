/**
 * The rules of the Trace Event Format, as far as traces of skein go, in the sense
 * of its strictest reader, the importer of Perfetto: it sorts the events by time,
 * those of one time in the order of the file, cuts times to nanoseconds, and drops
 * a slice that is not within the one around it, or an arrow that begins or ends
 * where no slice is.
 */

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
  s?: string;
  args?: Record<string, unknown>;
}

/** The events of a file; of a torn one, those that are whole. */
export function readTrace(path: string, isWhole = true): TraceEvent[] {
  const text = Deno.readTextFileSync(path);
  if (isWhole) return JSON.parse(text);
  return JSON.parse(text.endsWith("\n]\n") ? text : `${text}\n]`);
}

/** What each phase has beside phase, name, pid and tid. */
const FIELDS: Record<string, string[]> = {
  M: ["args"],
  X: ["cat", "ts", "dur", "args?"],
  b: ["cat", "ts", "id", "args?"],
  e: ["cat", "ts", "id", "args?"],
  s: ["cat", "ts", "id"],
  f: ["cat", "ts", "id", "bp"],
  i: ["cat", "ts", "s"],
  C: ["cat", "ts", "args"],
};

/** Nothing is missing, nothing else is there, and all is of the right type. */
function checkFields(event: TraceEvent): void {
  const text = JSON.stringify(event);
  const fields = FIELDS[event.ph];
  assert(fields !== undefined, text);
  const found = new Set(Object.keys(event));
  for (const field of ["ph", "name", "pid", "tid", ...fields]) {
    const wasThere = found.delete(field.replace("?", ""));
    assert(wasThere || field.endsWith("?"), text);
  }
  assertEquals(found.size, 0, text);
  const { name, pid, tid, ph, cat, ts, dur, id, args } = event;
  assert(typeof name === "string", text);
  // One of the user's may be empty.
  assert(name !== "" || cat === "span", text);
  assert(Number.isInteger(pid) && pid > 0, text);
  assert(Number.isInteger(tid) && tid > 0, text);
  if (ph === "M") return;
  assert(typeof cat === "string" && cat !== "", text);
  assert(Number.isFinite(ts) && ts >= 0, text);
  assert(ph !== "X" || (Number.isFinite(dur) && dur >= 0), text);
  if (ph === "s" || ph === "f") assert(Number.isInteger(id), text);
  else if (id !== undefined) assert(typeof id === "string", text);
  assert(ph !== "f" || event.bp === "e", text);
  assert(ph !== "i" || event.s === "t", text);
  if (args === undefined) return;
  const values = Object.values(args);
  assert(values.length > 0, text);
  assert(ph !== "C" || values.every((n) => Number.isInteger(n)), text);
}

function checkNames(events: TraceEvent[]): void {
  const names = new Map<number, string>();
  for (const { ph, name, tid, args } of events) {
    if (ph !== "M" || name !== "thread_name") continue;
    assert(!names.has(tid), `two names of ${tid}`);
    assert(typeof args!.name === "string" && args!.name !== "");
    names.set(tid, args!.name);
  }
  for (const { tid } of events) assert(names.has(tid), `no name of ${tid}`);
  const { name, args } = events[0];
  assertEquals([name, typeof args?.name], ["process_name", "string"]);
  assertEquals(new Set(events.map(({ pid }) => pid)).size, 1);
}

/** In the order in which Perfetto reads them. */
function sortedByTime(events: TraceEvent[]): TraceEvent[] {
  return events.filter(({ ph }) => ph !== "M").sort((a, b) =>
    nanoseconds(a.ts) - nanoseconds(b.ts)
  );
}

const nanoseconds = (us: number) => Math.trunc(us * 1000);

/** Slices lie in each other or behind each other, and arrows between them. */
function checkSlices(sorted: TraceEvent[], isWhole: boolean): void {
  const stacks = new Map<number, { end: number; text: string }[]>();
  const begun = new Map<string | number, TraceEvent>();
  for (const event of sorted) {
    const { ph, tid, id } = event;
    const text = JSON.stringify(event);
    if (!stacks.has(tid)) stacks.set(tid, []);
    const stack = stacks.get(tid)!;
    const start = nanoseconds(event.ts);
    while (stack.length > 0 && stack.at(-1)!.end <= start) stack.pop();
    if (ph === "X") {
      const end = start + nanoseconds(event.dur);
      const outer = stack.at(-1);
      assert(
        outer === undefined || end <= outer.end,
        `${text} ends behind ${outer?.text}`,
      );
      stack.push({ end, text });
    } else if (ph === "s") {
      assert(!begun.has(id!), text);
      begun.set(id!, event);
      assert(stack.length > 0, `${text} begins in no slice`);
    } else if (ph === "f") {
      const from = begun.get(id!);
      assert(from !== undefined, `${text} has no beginning`);
      assertEquals([from.cat, from.name], [event.cat, event.name]);
      begun.delete(id!);
      assert(!isWhole || stack.length > 0, `${text} ends in no slice`);
    }
  }
  if (isWhole) assertEquals([...begun.keys()], []);
}

/** What began on a track of its own ends there, once. */
function checkTracks(sorted: TraceEvent[], isWhole: boolean): void {
  const open = new Map<string, TraceEvent>();
  for (const event of sorted) {
    const text = JSON.stringify(event);
    const key = JSON.stringify([event.cat, event.id, event.name]);
    if (event.ph === "b") {
      assert(!open.has(key), text);
      open.set(key, event);
    } else if (event.ph === "e") {
      assert(open.has(key), text);
      open.delete(key);
    }
  }
  if (isWhole) assertEquals([...open.keys()], []);
}

/** The file is in the order of time: what a thread recorded first ended first. */
function checkOrder(events: TraceEvent[]): void {
  const last = new Map<number, TraceEvent>();
  for (const event of events) {
    const { ph, cat, tid, args } = event;
    // Lives and what is not finished come at the end, arrows with their points.
    if (ph !== "X" || cat === "thread" || cat === "wake") continue;
    if (args?.unfinished) continue;
    const before = last.get(tid);
    const endOf = ({ ts, dur }: TraceEvent) => nanoseconds(ts + dur);
    assert(
      before === undefined || endOf(before) <= endOf(event) + 1,
      `${JSON.stringify(event)} stands behind ${JSON.stringify(before)}`,
    );
    last.set(tid, event);
  }
}

/** Checks that a trace keeps the rules; returns its events by phase. */
export function checkTrace(
  events: TraceEvent[],
  isWhole = true,
): Record<string, TraceEvent[]> {
  events.forEach(checkFields);
  checkNames(events);
  const sorted = sortedByTime(events);
  checkSlices(sorted, isWhole);
  checkTracks(sorted, isWhole);
  checkOrder(events);
  const by: Record<string, TraceEvent[]> = {};
  for (const ph of Object.keys(FIELDS)) by[ph] = [];
  for (const event of events) by[event.ph].push(event);
  return by;
}
