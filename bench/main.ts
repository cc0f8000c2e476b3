// Measures skein and its peers side by side: deno task bench [filter]
// [--rounds=N] [--write]. A filter picks the rows whose names contain it.
// --draw measures nothing and draws the picture from the tables as they are.
import { fileURLToPath } from "node:url";
import { chart } from "./_chart.ts";
import { measure, type Outcome, type Row } from "./_harness.ts";
import { machine } from "./_machine.ts";
import { cleanUp } from "./_programs.ts";
import { table, verdicts } from "./_table.ts";
import { rows as cluster } from "./cluster.ts";
import { rows as pool } from "./pool.ts";
import { rows as queue } from "./queue.ts";
import { rows as process } from "./process.ts";
import { rows as signal } from "./signal.ts";
import { rows as testing } from "./testing.ts";
import { rows as threading } from "./threading.ts";
import { rows as whole } from "./whole.ts";

/** The suites of rows in the sections of the table. */
const SECTIONS: Record<string, Record<string, readonly Row[]>> = {
  "Warm": { threading, queue, pool, signal, process, testing },
  "As users meet it": { "as users meet it": whole },
  "Across machines": { cluster },
};
const TABLE: Marks = {
  file: new URL("./README.md", import.meta.url),
  begin: "<!-- results: begin -->",
  end: "<!-- results: end -->",
};
/** The picture in the README of the project. */
const CHART = new URL("../docs/bench.svg", import.meta.url);

/** A place in a file that is written anew. */
interface Marks {
  readonly file: URL;
  readonly begin: string;
  readonly end: string;
}

interface Options {
  filter: string;
  rounds: number;
  write: boolean;
  draw: boolean;
}

function parse(args: readonly string[]): Options {
  const options = { filter: "", rounds: 5, write: false, draw: false };
  for (const arg of args) {
    const rounds = /^--rounds=([1-9]\d*)$/.exec(arg);
    if (rounds) options.rounds = Number(rounds[1]);
    else if (arg === "--write") options.write = true;
    else if (arg === "--draw") options.draw = true;
    else if (!arg.startsWith("-")) options.filter = arg.toLowerCase();
    else {
      throw new TypeError(
        `Cannot run the bench: there are --rounds=N, --write and --draw, received ${arg}`,
      );
    }
  }
  if (options.write && options.filter !== "") {
    throw new TypeError(
      `Cannot write the table: a filter leaves rows out, received ${options.filter}`,
    );
  }
  return options;
}

type Results = Array<[Row, Outcome[]]>;

/** The results by section; sections without a row of the filter are left out. */
async function run(options: Options): Promise<Map<string, Results>> {
  const sections = new Map<string, Results>();
  for (const [title, suites] of Object.entries(SECTIONS)) {
    const results: Results = [];
    for (const [suite, rows] of Object.entries(suites)) {
      for (const row of rows) {
        const name = `${suite}: ${row.name}`;
        if (!name.toLowerCase().includes(options.filter)) continue;
        console.error(name);
        results.push([row, await measure(row, options.rounds)]);
      }
    }
    if (results.length > 0) sections.set(title, results);
  }
  if (sections.size === 0) {
    const names = Object.values(SECTIONS).flatMap((suites) =>
      Object.values(suites).flat().map((row) => `"${row.name}"`)
    );
    throw new RangeError(
      `Cannot run the bench: the filter leaves none of ${
        names.join(", ")
      }, received ${options.filter}`,
    );
  }
  return sections;
}

/** Whether a program broke; one that was skipped did not. */
function failed(results: Results): boolean {
  return results.some(([, outcomes]) =>
    outcomes.some((outcome) => "failed" in outcome)
  );
}

/** Puts a text between the marks, formatted. */
async function write(marks: Marks, text: string): Promise<void> {
  const { file } = marks;
  const before = await Deno.readTextFile(file);
  const begin = before.indexOf(marks.begin);
  const end = before.indexOf(marks.end);
  if (begin < 0 || end < begin) {
    throw new Error(
      `Cannot write the table: the marks are not there, received ${file}`,
    );
  }
  const head = before.slice(0, begin + marks.begin.length);
  const tail = before.slice(end);
  await Deno.writeTextFile(file, `${head}\n\n${text}\n\n${tail}`);
  await format(file);
}

async function format(file: URL): Promise<void> {
  await new Deno.Command(Deno.execPath(), {
    args: ["fmt", "-q", fileURLToPath(file)],
  }).output();
}

/** Draws what the tables say. */
async function draw(): Promise<void> {
  await Deno.writeTextFile(CHART, chart(await Deno.readTextFile(TABLE.file)));
  await format(CHART);
}

/** Measures, and prints or writes what came out. */
async function bench(options: Options): Promise<void> {
  const sections = await run(options);
  const results = [...sections.values()].flat();
  const text = [
    ...[...sections].map(([title, rows]) => `### ${title}\n\n${table(rows)}`),
    verdicts(results),
    `Medians of ${options.rounds} rounds (at most 3 where threads or items are many). ` +
    "The range is from the best round to the worst.",
    await machine(),
  ].join("\n\n");
  console.log(text);
  if (failed(results)) {
    console.error("Some programs failed; the tables are not to be kept.");
    Deno.exitCode = 1;
  } else if (options.write) {
    await write(TABLE, text);
    await draw();
  }
}

if (import.meta.main) {
  const options = parse(Deno.args);
  try {
    await (options.draw ? draw() : bench(options));
  } finally {
    await cleanUp();
  }
}
