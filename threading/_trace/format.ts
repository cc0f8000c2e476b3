/**
 * The file of a trace, in the Trace Event Format: slices (`X`) on the tracks of
 * threads, tracks of their own for what overlaps (`b` and `e`), arrows (`s` and
 * `f`), counters (`C`), instants (`i`), names (`M`).
 *
 * Readers differ in what they forgive. Perfetto sorts the events by time, those
 * of one time in the order of the file, and drops a slice that is not within the
 * one around it, or an arrow without a slice at its ends; it cuts times to
 * nanoseconds. speedscope has arguments in the names of slices, so there are none
 * where they say nothing.
 *
 * A line ends with its event, and the comma comes with the next line: whatever
 * becomes of the program, what was written lacks no more than the last bracket,
 * which the format lets be missing.
 *
 * @module
 */

/** How to write the file. */
export interface OutputRequest {
  path: string;
  /** How many bytes the file may have, or `Infinity`. */
  limit: number;
  /** When the trace began, in milliseconds. */
  began: number;
  pid: number;
  program: string;
  /** The number of the main thread: what is of no thread is put there. */
  mainTid: number;
}

/** A thread and a time. */
export type Place = readonly [tid: number, time: number];

/** What writes the events. */
export interface Output {
  /** Puts a slice on the track of a thread; `args` are members of an object. */
  slice(
    tid: number,
    cat: string,
    name: string,
    span: readonly [start: number, end: number],
    args?: string,
  ): void;
  /** Puts any other event; `more` are further members of it, after a comma. */
  mark(
    ph: string,
    tid: number,
    cat: string,
    name: string,
    time: number,
    more: string,
  ): void;
  /** Puts a slice on a track of its own. */
  asyncSlice(
    tid: number,
    cat: string,
    name: string,
    span: readonly [start: number, end: number],
    args?: string,
  ): void;
  /**
   * Puts an arrow from what one thread did to what another one was doing, which
   * has begun before that time, and goes on; or, if it is anchored, to an
   * instant on the track of the other thread.
   */
  arrow(name: string, from: Place, to: Place, isAnchored?: boolean): void;
  /** Puts the name of a thread. */
  nameThread(tid: number, name: string): void;
  /** Counts what is left out for another reason. */
  leaveOut(): void;
  /** Writes what was put. */
  flush(): void;
  /** Writes what is missing, and the end. Returns what the file has. */
  finish(lost: number): { events: number; lost: number; bytes: number };
}

/** As much of a file as is needed. */
interface WrittenFile {
  writeSync(bytes: Uint8Array): number;
  close(): void;
}

/** Opens a file to write it. Its text gets to the worker, too. */
export function openToWrite(path: string, truncate: boolean): WrittenFile {
  const deno: typeof Deno | undefined = Reflect.get(globalThis, "Deno");
  if (deno !== undefined) {
    return deno.openSync(path, { write: true, create: true, truncate });
  }
  const fs: typeof import("node:fs") = Reflect.get(globalThis, "process")
    .getBuiltinModule("node:fs");
  const file = fs.openSync(path, truncate ? "w" : "a");
  return {
    writeSync: (bytes) => fs.writeSync(file, bytes),
    close: () => fs.closeSync(file),
  };
}

/**
 * Opens the file. Only its text gets to the worker that runs it.
 *
 * @param request How to write the file.
 * @param onError Is called once if it can no longer be written, with the reason.
 * @returns What writes it.
 */
export function openOutput(
  { path, limit, began, pid, program, mainTid }: OutputRequest,
  onError: (reason: string) => void,
): Output {
  const CHUNK = 1 << 16;
  /** For the last line. */
  const RESERVE = 200;
  /** Shorter than anything that is recorded, but not than what readers cut off. */
  const INSTANT_MS = 2e-6;
  const encoder = new TextEncoder();
  const quote = (text: string) => JSON.stringify(text);

  let file: WrittenFile | undefined;
  let out = "";
  let size = 0;
  let events = 0;
  let left = 0;
  let isFull = false;
  let lastId = 0;
  let lastFlow = 0;

  function fail(error: unknown): void {
    file = undefined;
    onError(error instanceof Error ? error.message : String(error));
  }

  function flush(): void {
    if (out === "") return;
    const all = encoder.encode(out);
    out = "";
    try {
      for (let done = 0; file !== undefined && done < all.length;) {
        const written = file.writeSync(all.subarray(done));
        done += written;
        size += written;
      }
    } catch (error) {
      fail(error);
    }
  }

  /** Whether a line is too much; exact where that matters. */
  function exceeds(line: string): boolean {
    const room = limit - RESERVE;
    // No character has more than three bytes in UTF-8.
    if (size + 3 * (out.length + line.length + 2) <= room) return false;
    flush();
    return size + encoder.encode(line).length + 2 > room;
  }

  function put(line: string, isLast = false): void {
    if (!isLast && !isFull) isFull = exceeds(line);
    if (file === undefined || (isFull && !isLast)) {
      left++;
      return;
    }
    out += events === 0 ? `[\n${line}` : `,\n${line}`;
    events++;
    if (out.length > CHUNK) flush();
  }

  const us = (time: number) =>
    Math.max(0, Math.round((time - began) * 1e6) / 1e3);

  const headOf = (ph: string, tid: number, cat: string, name: string) =>
    `{"ph":"${ph}","cat":"${cat}","name":${
      quote(name)
    },"pid":${pid},"tid":${tid}`;

  const argsOf = (args: string) => args === "" ? "" : `,"args":{${args}}`;

  function slice(
    tid: number,
    cat: string,
    name: string,
    [start, end]: readonly [number, number],
    args = "",
  ): void {
    const from = us(start);
    const dur = Math.max(0, Math.round((us(end) - from) * 1e3) / 1e3);
    const head = headOf("X", tid, cat, name);
    put(`${head},"ts":${from},"dur":${dur}${argsOf(args)}}`);
  }

  function mark(
    ph: string,
    tid: number,
    cat: string,
    name: string,
    time: number,
    more: string,
  ): void {
    put(`${headOf(ph, tid, cat, name)},"ts":${us(time)}${more}}`);
  }

  function asyncSlice(
    tid: number,
    cat: string,
    name: string,
    [start, end]: readonly [number, number],
    args = "",
  ): void {
    const id = `,"id":"${cat}${++lastId}"`;
    mark("b", tid, cat, name, start, id + argsOf(args));
    mark("e", tid, cat, name, end, id);
  }

  function arrow(
    name: string,
    [from, start]: Place,
    [to, end]: Place,
    isAnchored = false,
  ): void {
    const id = `,"id":${++lastFlow}`;
    const time = Math.min(start, end);
    // Arrows begin in slices; a longer one might reach into the next.
    slice(from, "wake", name, [time, time + INSTANT_MS]);
    mark("s", from, "wake", name, time, id);
    if (isAnchored) slice(to, "wake", name, [end, end + INSTANT_MS]);
    mark("f", to, "wake", name, end, `${id},"bp":"e"`);
  }

  function putName(what: string, tid: number, args: unknown, isLast = false) {
    put(
      `{"ph":"M","name":"${what}","pid":${pid},"tid":${tid},"args":${
        JSON.stringify(args)
      }}`,
      isLast,
    );
  }

  try {
    file = openToWrite(path, true);
  } catch (error) {
    fail(error);
  }
  putName("process_name", mainTid, { name: program });
  flush();
  return {
    slice,
    mark,
    asyncSlice,
    arrow,
    nameThread: (tid, name) => putName("thread_name", tid, { name }),
    leaveOut: () => void left++,
    flush,
    finish(lost) {
      // However full it is: what is missing has to be told.
      const ended = new Date().toISOString();
      putName("trace", mainTid, { lost: lost + left, ended }, true);
      out += "\n]\n";
      flush();
      try {
        file?.close();
      } catch (error) {
        fail(error);
      }
      return { events, lost: lost + left, bytes: size };
    },
  };
}
