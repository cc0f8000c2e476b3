// The rows of the process suite: who takes part, and what is to be reached.
import { contestant, type Row } from "./_harness.ts";
import {
  bunWithPackages,
  deno,
  nodeWithPackages,
  python,
} from "./_programs.ts";

const here = (path: string) => new URL(path, import.meta.url);
const denoProgram = deno(here("./peers/deno/process.ts"));
const nodeProgram = nodeWithPackages(here("./peers/node/process.js"));

const skein = contestant("skein", deno(here("./skein/process.ts")));
const runOfSkein = contestant(
  "run() of skein",
  deno(here("./skein/process.ts")),
);
const command = contestant("Deno.Command", denoProgram);
const sh = contestant("sh", denoProgram);
const execa = contestant("execa", nodeProgram);
const zx = contestant("zx", nodeProgram);
const dax = contestant("dax", nodeProgram);
/** The promise form of what is measured in the blocking one. */
const promises = contestant(
  "skein, promises",
  deno(here("./skein/process.ts")),
);
const bun = contestant(
  "Bun",
  bunWithPackages(here("./peers/bun/process.js")),
);
const py = contestant("Python subprocess", python(here("./peers/process.py")));

/** The rows, in the order of the table. */
export const rows: readonly Row[] = [
  {
    name: "1 GB through head | wc",
    unit: "ns",
    rounds: 3,
    contestants: [
      skein("pipe"),
      sh("pipe", 1 / 0.9),
      execa("pipe (execa)", 1 / 1.6),
      bun("pipe"),
    ],
  },
  {
    name: "200 MB from a file, sort | uniq, to a file",
    unit: "ns",
    rounds: 3,
    contestants: [skein("sort"), sh("sort", 1 / 0.95)],
  },
  {
    name: "run /bin/true",
    unit: "ns",
    contestants: [
      skein("true"),
      command("true", 1.15),
      execa("true (execa)", 1 / 2.5),
      zx("true (zx)"),
      dax("true (dax)"),
      bun("true"),
      py("true"),
    ],
  },
  {
    name: "$ of true, in a shell",
    unit: "ns",
    contestants: [
      skein("$ true"),
      runOfSkein("sh true", 1.1),
      execa("$ true (execa)"),
      zx("$ true (zx)"),
      dax("$ true (dax)"),
      bun("$ true"),
      py("$ true"),
    ],
  },
  {
    name: "pipeline of three tiny commands",
    unit: "ns",
    contestants: [skein("three"), sh("three", 1.3)],
  },
  {
    name: "popen2 of cat, a line there and back, blocking",
    unit: "ns",
    contestants: [skein("popen2 blocking"), py("popen2 blocking", 1.3)],
  },
  {
    name: "popen2 of cat, a line there and back, promises",
    unit: "ns",
    contestants: [skein("popen2 promise"), command("popen2 promise", 1.2)],
  },
  {
    name: "lines of 200 MB through cat",
    unit: "ns",
    rounds: 3,
    contestants: [skein("lines"), execa("lines (execa)", 0.5)],
  },
  {
    name: "1 GB through readable() to nowhere",
    unit: "ns",
    rounds: 3,
    contestants: [
      skein("readable"),
      command("readable", 1 / 0.95),
      execa("readable (execa)", 1 / 2),
      dax("readable (dax)"),
      bun("readable"),
      py("readable"),
    ],
  },
  {
    name: "gzip of 200 MB by transform(), streams of files at the ends",
    unit: "ns",
    rounds: 3,
    contestants: [skein("gzip files"), sh("gzip", 1.05)],
  },
  {
    name: "gzip of 200 MB by transform(), streams of this program at the ends",
    unit: "ns",
    rounds: 3,
    contestants: [skein("gzip streams"), sh("gzip", 1.2)],
  },
  {
    name: "64 MB into cat and out of it, blocking",
    unit: "ns",
    rounds: 3,
    contestants: [
      skein("bytes blocking"),
      promises("bytes promise", 2),
      execa("bytes (execa)"),
      bun("bytes"),
      py("bytes"),
    ],
  },
];
