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
 * A file with a limit is a trace as well, which lacks what came last. What belongs
 * together is written as a whole or not at all; and what has begun has its end,
 * when that comes, since room for it is kept.
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
  /** Puts an instant or a counter; `more` are further members, after a comma. */
  mark(
    ph: string,
    tid: number,
    cat: string,
    name: string,
    time: number,
    more: string,
  ): void;
  /**
   * Puts the beginning of a slice on a track of its own; `id` is one of no other
   * slice of its sort. `more` as for {@linkcode mark}.
   */
  begin(
    tid: number,
    cat: string,
    name: string,
    time: number,
    id: string,
    more: string,
  ): void;
  /** Puts its end, if the beginning is in the file. */
  end(
    tid: number,
    cat: string,
    name: string,
    time: number,
    id: string,
    more: string,
  ): void;
  /** Puts both. */
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
  /** Puts the name of a thread, whose life follows or does not. */
  nameThread(tid: number, name: string, hasLife: boolean): void;
  /** Puts the life of a thread, if its name is in the file. */
  life(
    tid: number,
    name: string,
    span: readonly [start: number, end: number],
    args: string,
  ): void;
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
  /** So much longer an end may be than its beginning. */
  const END_BYTES = 128;
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
  /** Room for the ends of what has begun, in bytes, and of all together. */
  const owed = new Map<string, number>();
  let owing = 0;

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
  function exceeds(line: string, end: number): boolean {
    const room = limit - RESERVE - owing - end;
    // No character has more than three bytes in UTF-8.
    if (size + 3 * (out.length + line.length + 2) <= room) return false;
    flush();
    return size + encoder.encode(line).length + 2 > room;
  }

  /**
   * Writes a line, or several, as far as there is room.
   *
   * @param count How many lines there are.
   * @param end Bytes for which there must be room, too.
   * @returns Whether there was.
   */
  function put(line: string, count = 1, end = 0): boolean {
    isFull ||= exceeds(line, end);
    if (isFull) left += count;
    else write(line, count);
    return !isFull;
  }

  function write(line: string, count = 1): void {
    if (file === undefined) {
      left += count;
      return;
    }
    out += events === 0 ? `[\n${line}` : `,\n${line}`;
    events += count;
    if (out.length > CHUNK) flush();
  }

  /** Writes a line, and keeps room for its end. */
  function putFirst(key: string, line: string): void {
    const end = limit === Infinity
      ? 0
      : encoder.encode(line).length + END_BYTES;
    if (!put(line, 1, end)) return;
    owed.set(key, end);
    owing += end;
  }

  /** Writes the end of one that was written. */
  function putLast(key: string, line: string): void {
    const end = owed.get(key);
    if (end === undefined) {
      left++;
      return;
    }
    owed.delete(key);
    owing -= end;
    write(line);
  }

  const us = (time: number) =>
    Math.max(0, Math.round((time - began) * 1e6) / 1e3);

  const headOf = (ph: string, tid: number, cat: string, name: string) =>
    `{"ph":"${ph}","cat":"${cat}","name":${
      quote(name)
    },"pid":${pid},"tid":${tid}`;

  const argsOf = (args: string) => args === "" ? "" : `,"args":{${args}}`;

  function sliceLine(
    tid: number,
    cat: string,
    name: string,
    [start, end]: readonly [number, number],
    args = "",
  ): string {
    const from = us(start);
    const dur = Math.max(0, Math.round((us(end) - from) * 1e3) / 1e3);
    const head = headOf("X", tid, cat, name);
    return `${head},"ts":${from},"dur":${dur}${argsOf(args)}}`;
  }

  const markLine = (
    ph: string,
    tid: number,
    cat: string,
    name: string,
    time: number,
    more: string,
  ) => `${headOf(ph, tid, cat, name)},"ts":${us(time)}${more}}`;

  const idOf = (id: string) => `,"id":${quote(id)}`;

  function asyncSlice(
    tid: number,
    cat: string,
    name: string,
    [start, end]: readonly [number, number],
    args = "",
  ): void {
    const id = idOf(`${cat}${++lastId}`);
    const begin = markLine("b", tid, cat, name, start, id + argsOf(args));
    put(`${begin},\n${markLine("e", tid, cat, name, end, id)}`, 2);
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
    const lines = [
      sliceLine(from, "wake", name, [time, time + INSTANT_MS]),
      markLine("s", from, "wake", name, time, id),
    ];
    if (isAnchored) {
      lines.push(sliceLine(to, "wake", name, [end, end + INSTANT_MS]));
    }
    lines.push(markLine("f", to, "wake", name, end, `${id},"bp":"e"`));
    put(lines.join(",\n"), lines.length);
  }

  const nameLine = (what: string, tid: number, args: unknown) =>
    `{"ph":"M","name":"${what}","pid":${pid},"tid":${tid},"args":${
      JSON.stringify(args)
    }}`;

  try {
    file = openToWrite(path, true);
  } catch (error) {
    fail(error);
  }
  put(nameLine("process_name", mainTid, { name: program }));
  flush();
  return {
    slice: (...of) => void put(sliceLine(...of)),
    mark: (...of) => void put(markLine(...of)),
    begin(tid, cat, name, time, id, more) {
      const line = markLine("b", tid, cat, name, time, idOf(id) + more);
      putFirst(`${cat} ${id}`, line);
    },
    end(tid, cat, name, time, id, more) {
      const line = markLine("e", tid, cat, name, time, idOf(id) + more);
      putLast(`${cat} ${id}`, line);
    },
    asyncSlice,
    arrow,
    nameThread(tid, name, hasLife) {
      const line = nameLine("thread_name", tid, { name });
      if (hasLife) putFirst(`thread ${tid}`, line);
      else put(line);
    },
    life(tid, ...of) {
      putLast(`thread ${tid}`, sliceLine(tid, "thread", ...of));
    },
    leaveOut: () => void left++,
    flush,
    finish(lost) {
      // However full it is: what is missing has to be told.
      const ended = new Date().toISOString();
      write(nameLine("trace", mainTid, { lost: lost + left, ended }));
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
