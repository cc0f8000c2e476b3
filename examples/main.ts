/**
 * Runs the examples, each as a program of its own with only the permissions it
 * needs: all of them in order, or the ones named on the command line.
 *
 * @module
 */

import { resolve } from "node:path";

/** An example: its name on the command line, and what it may do. */
export interface Example {
  /** The name; the program is the file of that name, with underscores. */
  name: string;
  /** The permission flags `deno run` gets. */
  permissions: string[];
}

/** What a thread's worker imports, Deno wants allowed: skein, the example. */
const THREADS = `--allow-read=${resolve(import.meta.dirname!, "..")}`;

const NATS = resolve(import.meta.dirname!, "../.cache/nats-server");

/** A server of its own, and further processes that talk to it. */
const SERVERS = [
  `--allow-run=deno,${NATS}`,
  "--allow-net=127.0.0.1",
  "--allow-read=/tmp",
  "--allow-write=/tmp",
];

/** Every example, in the order in which they run. */
export const EXAMPLES: Example[] = [
  { name: "threading-example-1", permissions: [THREADS] },
  { name: "queue-example-1", permissions: [THREADS] },
  { name: "queue-example-2", permissions: [THREADS] },
  { name: "queue-example-3", permissions: [] },
  { name: "queue-example-4", permissions: [] },
  { name: "queue-requests", permissions: [THREADS] },
  { name: "thread-example-1", permissions: [THREADS] },
  { name: "commands-example-1", permissions: ["--allow-run=/bin/sh"] },
  { name: "pipes-example-1", permissions: ["--allow-run=/bin/sh"] },
  { name: "popen2-example-1", permissions: ["--allow-run=/bin/sh"] },
  {
    name: "popen2-example-2",
    permissions: ["--allow-run=/usr/games/gnuchess"],
  },
  { name: "signal-example-1", permissions: [] },
  { name: "cache", permissions: [THREADS] },
  {
    name: "async-zip",
    permissions: [THREADS, "--allow-read=/tmp", "--allow-write=/tmp"],
  },
  { name: "supervisor", permissions: [THREADS] },
  { name: "select", permissions: [THREADS] },
  { name: "deadlock", permissions: [THREADS] },
  {
    name: "trace",
    permissions: [THREADS, "--allow-read=/tmp", "--allow-write=/tmp"],
  },
  { name: "pool-hash", permissions: [THREADS] },
  { name: "pool-requests", permissions: [THREADS, "--allow-net=127.0.0.1"] },
  { name: "pool-sort", permissions: [THREADS] },
  {
    name: "process-dollar",
    permissions: [
      "--allow-run=/bin/sh",
      "--allow-read=/tmp",
      "--allow-write=/tmp",
    ],
  },
  {
    name: "process-stream",
    permissions: [
      "--allow-run=/bin/sh,gzip,yes,sort,uniq",
      "--allow-net=127.0.0.1",
    ],
  },
  { name: "cluster-queue", permissions: SERVERS },
  { name: "cluster-lock", permissions: SERVERS },
];

/**
 * The program of an example.
 *
 * @param example The example.
 * @returns The path of its file, relative to this folder.
 */
export function fileOf(example: Example): string {
  return `${example.name.replaceAll("-", "_")}.ts`;
}

/**
 * Runs one example to its end, under a heading.
 *
 * @param example The example.
 * @returns Whether it ended well.
 */
async function run(example: Example): Promise<boolean> {
  console.log(`--- ${example.name}`);
  const { success, code } = await new Deno.Command("deno", {
    args: [
      "run",
      "--no-prompt",
      ...example.permissions,
      new URL(fileOf(example), import.meta.url).href,
    ],
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  if (!success) {
    console.error(`Example ${example.name} failed: exit status ${code}`);
  }
  console.log();
  return success;
}

/**
 * Runs the examples.
 *
 * @param names The names of those to run; none means all.
 * @returns The exit status of the program.
 */
async function main(names: string[]): Promise<number> {
  const unknown = names.find((name) => !EXAMPLES.some((e) => e.name === name));
  if (unknown !== undefined) {
    console.error(
      `Cannot run example: there is none of that name, received "${unknown}"`,
    );
    console.error("The examples are:");
    for (const { name } of EXAMPLES) console.error(`  ${name}`);
    return 1;
  }
  const chosen = names.length === 0
    ? EXAMPLES
    : names.map((name) => EXAMPLES.find((e) => e.name === name)!);
  let failures = 0;
  for (const example of chosen) {
    if (!await run(example)) failures++;
  }
  return failures === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
