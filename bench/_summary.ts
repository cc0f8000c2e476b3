// The table of the project's README: the rows that help to decide, in short.
import type { Outcome, Row } from "./_harness.ts";
import { quantity } from "./_table.ts";

interface Line {
  /** What the row says there. */
  readonly what: string;
  /** Its name in the suite. */
  readonly row: string;
  /** The contestants beside skein. */
  readonly peers: readonly string[];
}

const LINES: readonly Line[] = [
  {
    what: "take and release a free lock",
    row: "Lock acquire + release, uncontended",
    peers: ["C pthread", "Python"],
  },
  {
    what: "two threads incrementing under a lock",
    row: "two threads incrementing under a Lock",
    peers: ["C pthread", "Python"],
  },
  {
    what: "start and join a thread, warm",
    row: "start + join of a trivial thread, warm",
    peers: ["Python", "piscina"],
  },
  {
    what: "first thread with its import, CPU of the program",
    row: "first thread with its import, CPU of the program",
    peers: ["Deno node:worker_threads", "Node worker_threads"],
  },
  {
    what: "wake a thread by an event, and back",
    row: "Event, there and back",
    peers: ["Deno Atomics", "Deno postMessage"],
  },
  {
    what: "get from a shared map",
    row: "SharedMap get",
    peers: ["Python dict, Lock"],
  },
  {
    what: "a number through a queue",
    row: "numbers, one producer, one consumer",
    peers: ["Python Queue", "Node MessagePort"],
  },
  {
    what: "a small object through a queue",
    row: "small objects, one producer, one consumer",
    peers: ["Node MessagePort", "Python multiprocessing.Queue"],
  },
  {
    what: "a task in a pool, awaited",
    row: "a trivial task in a pool, awaited, one at a time",
    peers: ["piscina", "Python ThreadPoolExecutor"],
  },
  {
    what: "one of 10 000 tasks in a pool",
    row: "10 000 trivial tasks in a pool, submitted, then awaited",
    peers: ["piscina", "Python ThreadPoolExecutor"],
  },
  {
    what: "a program that gets 30 000 objects from a thread",
    row: "30 000 small objects from a thread, whole program",
    peers: ["Node worker_threads", "Python"],
  },
  {
    what: "1 GB through a pipeline",
    row: "1 GB through head | wc",
    peers: ["sh", "execa"],
  },
  {
    what: "run a command",
    row: "run /bin/true",
    peers: ["Deno.Command", "Python subprocess", "execa"],
  },
  {
    what: "raise a signal until its handler runs",
    row: "raise a signal until its handler runs",
    peers: ["Deno.addSignalListener", "Python"],
  },
  {
    what: "an alarm of one second is late by",
    row: "alarm of one second, how far off on an idle loop",
    peers: ["Deno setTimeout", "Python"],
  },
];

/**
 * Writes the short table.
 *
 * @param results The rows, each with what came out for its contestants.
 * @returns A Markdown table.
 */
export function summary(results: ReadonlyArray<[Row, Outcome[]]>): string {
  const lines = LINES.map(({ what, row, peers }) => {
    const result = results.find(([{ name }]) => name === row);
    if (result === undefined) throw unknown(row);
    const [{ contestants, unit }, outcomes] = result;
    const of = (name: string) => {
      const i = contestants.findIndex((each) => each.name === name);
      if (i < 0) throw unknown(`${name}" in "${row}`);
      const outcome = outcomes[i];
      return "median" in outcome ? quantity(outcome.median, unit) : "—";
    };
    const beside = peers.map((name) => `${name} ${of(name)}`).join(", ");
    return `| ${what} | ${of("skein")} | ${beside} |`;
  });
  return ["| median | skein | beside it |", "| - | - | - |", ...lines]
    .join("\n");
}

function unknown(name: string): RangeError {
  return new RangeError(
    `Cannot sum up the results: there is no such row, received "${name}"`,
  );
}
