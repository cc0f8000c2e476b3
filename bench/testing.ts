// The rows of the testing suite: who takes part, and what is to be reached.
import { contestant, type Row } from "./_harness.ts";
import { deno, pointless } from "./_programs.ts";

const here = (path: string) => new URL(path, import.meta.url);
const skein = contestant("skein", deno(here("./skein/testing.ts")));
const threading = contestant("skein", deno(here("./skein/threading.ts")));
const without = contestant(
  "skein, the place of the points cut out",
  pointless("bench/skein/threading.ts"),
);

/** The rows, in the order of the table. */
export const rows: readonly Row[] = [
  {
    name: "explore, a schedule of two threads, a Lock pair each",
    unit: "ns",
    contestants: [skein("schedule", 1e6)],
  },
  {
    name: "explore, a hand-over by Condition, all with 2 preemptions",
    unit: "ns",
    rounds: 3,
    contestants: [skein("hand-over", 60e9)],
  },
  {
    name: "Lock acquire + release, uncontended, which explore could stop",
    unit: "ns",
    contestants: [threading("lock-pair"), without("lock-pair", 1.1)],
  },
];
