/**
 * What a trace says, in a few lines for a terminal. The file is read twice, line
 * by line, so it may be larger than memory: once for when it begins and ends and
 * which threads there are, once for what they did.
 *
 * @module
 */

import { TextLineStream } from "@std/streams/text-line-stream";

/** An event of the file, as far as it matters here. */
interface TraceEvent {
  ph: string;
  cat?: string;
  name: string;
  tid: number;
  ts: number;
  dur?: number;
  id?: string | number;
  args?: Record<string, unknown>;
}

/** Columns of a bar. */
const COLUMNS = 48;
const MAX_THREADS = 40;
/** So many locks and waits are listed. */
const LISTED = 5;
/** So many threads are named for each. */
const NAMED = 3;

/** What a thread can be doing; what it is not, it runs. */
const DOING = { locks: 0, blocked: 1, awaiting: 2 } as const;
const MARKS = ["!", ".", "~"];

interface ThreadTime {
  name: string;
  from: number;
  to: number;
  /** Microseconds of each kind of `DOING`, for each column. */
  columns: Float64Array[];
}

interface LockTime {
  label: string;
  waited: number;
  waits: number;
  waiters: Map<string, number>;
  holders: Map<string, number>;
}

interface LongWait {
  dur: number;
  ts: number;
  thread: string;
  what: string;
  by: string | undefined;
}

/** The events of a file; the last line may be torn. */
async function* eventsOf(path: string): AsyncGenerator<TraceEvent> {
  const file = await Deno.open(path);
  const lines = file.readable
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  for await (const line of lines) {
    const text = line.endsWith(",") ? line.slice(0, -1) : line;
    if (!text.startsWith("{")) continue;
    try {
      yield JSON.parse(text);
    } catch {
      // The program died in the middle of it.
      return;
    }
  }
}

/** `1.28 s`, `12.3 ms`, of microseconds. */
function time(us: number): string {
  if (us >= 1e6) return `${(us / 1e6).toFixed(2)} s`;
  return `${(us / 1e3).toFixed(us < 1e4 ? 2 : 1)} ms`;
}

const percent = (part: number, whole: number) =>
  `${whole > 0 ? Math.round(100 * part / whole) : 0} %`;

const sum = (numbers: Iterable<number>) => {
  let all = 0;
  for (const number of numbers) all += number;
  return all;
};

function add(map: Map<string, number>, key: string, value: number): void {
  map.set(key, (map.get(key) ?? 0) + value);
}

/** `Thread-1 (12.3 ms), Thread-2 (4.00 ms)`, those with the most. */
function most(map: Map<string, number>): string {
  const sorted = [...map].sort(([, a], [, b]) => b - a);
  const shown = sorted.slice(0, NAMED).map(([name, us]) =>
    `${name} (${time(us)})`
  );
  const more = sorted.length - shown.length;
  return shown.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** Lines with their cells below each other; the first to the left. */
function table(rows: string[][]): string[] {
  const widths = rows[0].map((_, i) =>
    Math.max(...rows.map((row) => row[i].length))
  );
  return rows.map((row) =>
    row.map((cell, i) =>
      i === 0 || i === row.length - 1
        ? cell.padEnd(widths[i])
        : cell.padStart(widths[i])
    ).join("  ").trimEnd()
  );
}

class Summary {
  #from = Infinity;
  #to = -Infinity;
  #events = 0;
  #lost: number | undefined;
  readonly #threads = new Map<number, ThreadTime>();
  readonly #locks = new Map<string, LockTime>();
  #longest: LongWait[] = [];
  /** What is open, by its id. */
  readonly #open = new Map<string, TraceEvent>();

  /** The first reading. */
  measure(event: TraceEvent): void {
    const { ph, name, tid, ts, dur = 0, args } = event;
    this.#events++;
    if (ph === "M") {
      if (name === "thread_name") this.#threadOf(tid).name = String(args?.name);
      if (name === "trace") this.#lost = Number(args?.lost);
      return;
    }
    // The lengths of queues belong to no thread.
    if (ph === "C") return;
    this.#from = Math.min(this.#from, ts);
    this.#to = Math.max(this.#to, ts + dur);
    const thread = this.#threadOf(tid);
    thread.from = Math.min(thread.from, ts);
    thread.to = Math.max(thread.to, ts + dur);
    if (ph === "b" && event.cat === "lock") this.#lockOf(name);
  }

  /** The second reading. */
  see(event: TraceEvent): void {
    const { ph, cat, ts, id } = event;
    if (ph === "X" && cat === "wait") return this.#seeWait(event, false);
    if (ph === "X" && cat === "thread") {
      const thread = this.#threadOf(event.tid);
      [thread.from, thread.to] = [ts, ts + event.dur!];
      return;
    }
    if (ph === "b") {
      this.#open.set(`${cat} ${id}`, event);
      return;
    }
    if (ph !== "e") return;
    const begin = this.#open.get(`${cat} ${id}`);
    if (begin === undefined) return;
    this.#open.delete(`${cat} ${id}`);
    const whole = { ...begin, dur: ts - begin.ts };
    if (cat === "lock") this.#seeHold(whole);
    if (cat === "wait") this.#seeWait(whole, true);
  }

  #seeWait(event: TraceEvent, isAsync: boolean): void {
    const { name, ts, tid, dur = 0, args } = event;
    const lock = this.#locks.get(name.replace(/^wait for /, ""));
    const thread = this.#threadOf(tid);
    const kind = isAsync
      ? DOING.awaiting
      : lock === undefined
      ? DOING.blocked
      : DOING.locks;
    this.#fill(thread.columns[kind], ts, ts + dur);
    if (lock !== undefined) {
      lock.waited += dur;
      lock.waits++;
      add(lock.waiters, thread.name, dur);
    }
    if (name === "sleep") return;
    const by = args?.by === undefined ? undefined : String(args.by);
    this.#longest.push({ dur, ts, thread: thread.name, what: name, by });
    if (this.#longest.length >= 1000) this.#longest = this.#longestWaits();
  }

  #seeHold({ name, args, dur = 0 }: TraceEvent): void {
    add(this.#lockOf(name).holders, String(args?.by), dur);
  }

  #longestWaits(): LongWait[] {
    return this.#longest.sort((a, b) => b.dur - a.dur).slice(0, LISTED);
  }

  #threadOf(tid: number): ThreadTime {
    let thread = this.#threads.get(tid);
    if (thread === undefined) {
      thread = {
        name: `thread ${tid}`,
        from: Infinity,
        to: -Infinity,
        columns: MARKS.map(() => new Float64Array(COLUMNS)),
      };
      this.#threads.set(tid, thread);
    }
    return thread;
  }

  #lockOf(label: string): LockTime {
    let lock = this.#locks.get(label);
    if (lock === undefined) {
      const waiters = new Map<string, number>();
      const holders = new Map<string, number>();
      lock = { label, waited: 0, waits: 0, waiters, holders };
      this.#locks.set(label, lock);
    }
    return lock;
  }

  #fill(columns: Float64Array, from: number, to: number): void {
    const width = (this.#to - this.#from) / COLUMNS;
    if (!(width > 0)) return;
    const first = Math.max(0, Math.floor((from - this.#from) / width));
    for (let i = first; i < COLUMNS; i++) {
      const start = this.#from + i * width;
      if (start >= to) break;
      columns[i] += Math.min(to, start + width) - Math.max(from, start);
    }
  }

  text(path: string): string {
    const whole = this.#to - this.#from;
    const lost = this.#lost === undefined
      ? "; the program died before its end was written"
      : this.#lost > 0
      ? `; ${this.#lost} more did not fit`
      : "";
    const length = whole > 0 ? whole : 0;
    const head = `${path}: ${this.#events} events in ${time(length)}${lost}`;
    return [head, ...this.#bars(), ...this.#contended(), ...this.#waits()]
      .join("\n") + "\n";
  }

  #bars(): string[] {
    const all = [...this.#threads.values()].filter(({ from }) =>
      from < Infinity
    ).sort((a, b) => a.from - b.from);
    if (all.length === 0) return [];
    const rows = all.slice(0, MAX_THREADS).map((thread) => {
      const alive = thread.to - thread.from;
      const [locks, blocked, awaiting] = this.#times(thread);
      const running = Math.max(0, alive - locks - blocked - awaiting);
      const parts = [running, locks, blocked, awaiting];
      return [
        thread.name,
        time(alive),
        ...parts.map((part) => percent(part, alive)),
        `|${this.#bar(thread)}|`,
      ];
    });
    const title = ["", "alive", "running", "locks", "blocked", "awaiting", ""];
    const more = all.length - MAX_THREADS;
    return [
      "",
      "Where the time of each thread went (# runs, or is in its event loop, ! waits for a lock, . blocked, ~ awaits):",
      ...table([title, ...rows]),
      ...more > 0 ? [`and ${more} more threads`] : [],
    ];
  }

  /** Time of each kind; tasks wait for several things at the same time. */
  #times({ columns }: ThreadTime): number[] {
    const width = (this.#to - this.#from) / COLUMNS;
    const [locks, blocked, awaiting] = columns;
    const awaited = awaiting.map((us, i) =>
      Math.min(us, Math.max(0, width - locks[i] - blocked[i]))
    );
    return [sum(locks), sum(blocked), sum(awaited)];
  }

  #bar({ from, to, columns }: ThreadTime): string {
    const width = (this.#to - this.#from) / COLUMNS;
    let bar = "";
    for (let i = 0; i < COLUMNS; i++) {
      const start = this.#from + i * width;
      const alive = Math.min(to, start + width) - Math.max(from, start);
      if (!(alive > 0)) {
        bar += " ";
        continue;
      }
      const waits = columns.map((column) => column[i]);
      const longest = Math.max(...waits);
      const runs = alive - sum(waits.slice(0, 2));
      const isAwaiting = longest === waits[DOING.awaiting];
      const isWaiting = longest > (isAwaiting ? alive / 2 : runs);
      bar += isWaiting ? MARKS[waits.indexOf(longest)] : "#";
    }
    return bar;
  }

  #contended(): string[] {
    const locks = [...this.#locks.values()].filter(({ waits }) => waits > 0)
      .sort((a, b) => b.waited - a.waited).slice(0, LISTED);
    if (locks.length === 0) return [];
    return [
      "",
      "The most contended locks:",
      ...locks.flatMap(({ label, waited, waits, waiters, holders }) => [
        `${label}: waited for ${time(waited)} in ${waits} wait${
          waits === 1 ? "" : "s"
        }`,
        `    held by ${most(holders)}`,
        `    waited for by ${most(waiters)}`,
      ]),
    ];
  }

  #waits(): string[] {
    const waits = this.#longestWaits();
    if (waits.length === 0) return [];
    const rows = waits.map(({ dur, ts, thread, what, by }) => [
      thread,
      time(dur),
      `at ${time(ts - this.#from)}`,
      what + (by === undefined ? "" : `, ended by ${by}`),
    ]);
    return ["", "The longest waits:", ...table(rows)];
  }
}

/**
 * Sums up a trace.
 *
 * @param path The file.
 * @returns The text.
 */
export async function summaryOf(path: string): Promise<string> {
  const summary = new Summary();
  for await (const event of eventsOf(path)) summary.measure(event);
  for await (const event of eventsOf(path)) summary.see(event);
  return summary.text(path);
}
