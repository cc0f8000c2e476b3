import { type Program, Skipped } from "./_programs.ts";

/** One who takes part in a row. */
export interface Contestant {
  /** Its name in the table. */
  name: string;
  /** The program that measures it. */
  program: Program;
  /** What the program calls the row. */
  row: string;
  /**
   * The most that skein's median may be: times that of this contestant, or, in
   * skein itself, in the row's unit.
   */
  atMost?: number;
  /**
   * What it is measured beyond: a program that runs beside it in every round
   * and is subtracted.
   */
  beyond?: {
    program: Program;
    row: string;
    /** What the difference is divided by; 1 if it is not given. */
    parts?: number;
  };
}

/** What is measured, and for whom; skein comes first. */
export interface Row {
  /** Its name in the table. */
  name: string;
  /** The unit of what the programs print. */
  unit: "ns" | "bytes";
  /** Who takes part. */
  contestants: readonly [Contestant, ...Contestant[]];
  /** The most rounds there are, where the usual number would take long. */
  rounds?: number;
  /**
   * Whether a first round does not count: it fills the caches of Deno and of
   * the disk, which a program finds full whenever it is started again.
   */
  rehearsed?: boolean;
}

/** What came out for one contestant: numbers, or why there are none. */
export type Outcome =
  | { median: number; least: number; most: number }
  | { skipped: string }
  | { failed: string };

const TIMEOUT = 60_000;

/**
 * Measures one row. The rounds of the contestants are interleaved (A B C A B
 * C …), each in a fresh process, so that the machine's drift meets all alike.
 *
 * @param row The row.
 * @param rounds How often each contestant runs.
 * @returns What came out, in the order of the contestants.
 */
export async function measure(row: Row, rounds: number): Promise<Outcome[]> {
  const samples = row.contestants.map((): number[] => []);
  const lost = new Map<number, Outcome>();
  const count = Math.min(rounds, row.rounds ?? rounds);
  for (let round = row.rehearsed ? -1 : 0; round < count; round++) {
    for (const [i, contestant] of row.contestants.entries()) {
      if (lost.has(i)) continue;
      try {
        const value = await sample(contestant, row.unit);
        if (round >= 0) samples[i].push(value);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        lost.set(
          i,
          error instanceof Skipped
            ? { skipped: error.message }
            : { failed: error.message },
        );
      }
    }
  }
  return samples.map((values, i) => lost.get(i) ?? summary(values));
}

async function sample(
  { beyond, program, row }: Contestant,
  unit: Row["unit"],
): Promise<number> {
  const value = await resultOf(program, row, unit);
  if (beyond === undefined) return value;
  const base = await resultOf(beyond.program, beyond.row, unit);
  return (value - base) / (beyond.parts ?? 1);
}

async function resultOf(
  program: Program,
  row: string,
  unit: Row["unit"],
): Promise<number> {
  const [file, ...args] = await program();
  const child = new Deno.Command(file, {
    args: [...args, row],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGTERM"); // which the meter passes on to what it runs
  }, TIMEOUT);
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  if (late) throw new Error(`no result in ${TIMEOUT / 1000} s`);
  const decoder = new TextDecoder();
  if (!success) throw new Error(reason(decoder.decode(stderr)));
  const line = decoder.decode(stdout).trim().split("\n").at(-1)!;
  const value: unknown = JSON.parse(line)[unit];
  if (typeof value === "number" && value > 0) return value;
  throw new Error(`no ${unit} in the result, received ${line}`);
}

/** The line of an uncaught error's report that says what was wrong. */
function reason(report: string): string {
  // deno-lint-ignore no-control-regex
  const lines = report.replace(/\x1b\[\d*m/g, "").trim().split("\n");
  return lines.find((line) => /\berror\b/i.test(line)) ?? lines.at(-1)!;
}

function summary(values: number[]): Outcome {
  values.sort((a, b) => a - b);
  const middle = values.length >> 1;
  return {
    median: values.length % 2 === 1
      ? values[middle]
      : (values[middle - 1] + values[middle]) / 2,
    least: values[0],
    most: values.at(-1)!,
  };
}

/**
 * A program that takes part in rows under a name.
 *
 * @param name The name, as the table shows it.
 * @param program The program.
 * @returns Makes the contestant of one row, with the target beside it, if any.
 */
export function contestant(
  name: string,
  program: Program,
): (row: string, atMost?: number) => Contestant {
  return (row, atMost) => ({ name, program, row, atMost });
}
