// The rows of the signal suite: who takes part, and what is to be reached.
import { contestant, type Row } from "./_harness.ts";
import { deno, python } from "./_programs.ts";

const here = (path: string) => new URL(path, import.meta.url);
const skein = contestant("skein", deno(here("./skein/signal.ts")));
const denoProgram = deno(here("./peers/deno/signal.ts"));
const listener = contestant("Deno.addSignalListener", denoProgram);
const timer = contestant("Deno setTimeout", denoProgram);
const py = contestant("Python", python(here("./peers/signal.py")));

/** The rows, in the order of the table. */
export const rows: readonly Row[] = [
  {
    name: "raise a signal until its handler runs",
    unit: "ns",
    contestants: [skein("raise"), listener("raise", 1.2), py("raise")],
  },
  {
    name: "alarm of one second, how far off on an idle loop",
    unit: "ns",
    rounds: 3,
    contestants: [skein("alarm", 5e6), timer("alarm"), py("alarm")],
  },
];
