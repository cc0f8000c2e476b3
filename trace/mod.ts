/**
 * A command that runs a program traced and sums up what its threads did:
 *
 * ```sh
 * deno run -A jsr:@skein/std/trace program.ts arguments
 * ```
 *
 * It writes `trace.json`, or the file given with `--output`, which Perfetto
 * (`ui.perfetto.dev`), `chrome://tracing` and speedscope open, and prints where
 * the time of each thread went, the locks that were waited for most, with their
 * holders and waiters, and the longest waits. The program needs no change, but it
 * must import skein; it gets the permissions that the command has been given as a
 * whole, and its exit status is the command's. One that calls `startTrace` itself
 * is to be run without the command: that call throws a `ThreadingError` there.
 *
 * Without the command: the environment variable `SKEIN_TRACE` names the file in
 * which a program is traced, and {@linkcode summarize} sums it up.
 *
 * @module
 */

import { summaryOf } from "./_summary.ts";
import { isAbsolute } from "../_internal/built_in.ts";

/**
 * Sums up a trace: where the time of each thread went, which locks were waited
 * for most, and the longest waits. The file may be of a program that died.
 *
 * @param path The file, written by the command or by `startTrace`.
 * @returns The text, some ten to fifty lines.
 * @throws {Deno.errors.NotFound} If there is no such file; any other error of
 * reading it, too.
 *
 * @example
 * ```ts
 * import { sleepSync, span, startTrace } from "@skein/std/threading";
 * import { summarize } from "@skein/std/trace";
 * import { assertMatch } from "@std/assert";
 *
 * const trace = startTrace({ path: "/tmp/summed_up.json" });
 * span("a nap", () => sleepSync(20));
 * trace.stop();
 * assertMatch(await summarize("/tmp/summed_up.json"), /MainThread/);
 * ```
 */
export function summarize(path: string): Promise<string> {
  return summaryOf(path);
}

const USAGE =
  `Usage: deno run -A jsr:@skein/std/trace [--output=trace.json] program.ts [arguments]

Runs a program of @skein/std traced, writes the trace, and sums it up.`;

/** What the command is to do. */
interface CommandLine {
  output: string;
  program: string;
  args: string[];
}

function parse(args: readonly string[]): CommandLine | undefined {
  let output = "trace.json";
  for (const [i, arg] of args.entries()) {
    if (arg.startsWith("--output=")) {
      output = arg.slice("--output=".length);
    } else if (arg.startsWith("-")) {
      return undefined;
    } else {
      return { output, program: arg, args: args.slice(i + 1) };
    }
  }
  return undefined;
}

const KINDS = ["read", "write", "net", "env", "run", "sys", "ffi"] as const;

/** The permissions that this process has as a whole, as flags. */
function permissionFlags(output: string): string[] {
  const granted = KINDS.filter((name) =>
    Deno.permissions.querySync({ name }).state === "granted"
  );
  if (granted.length === KINDS.length) return ["--allow-all"];
  const flags = granted.map((name) => `--allow-${name}`);
  if (!granted.includes("env")) flags.push("--allow-env=SKEIN_TRACE");
  if (!granted.includes("write")) flags.push(`--allow-write=${output}`);
  return flags;
}

async function main(): Promise<number> {
  const line = parse(Deno.args);
  if (line === undefined) {
    console.error(USAGE);
    return 2;
  }
  const { program, args, output } = line;
  const path = isAbsolute(output) ? output : `${Deno.cwd()}/${output}`;
  // What an earlier run left would be taken for this one's.
  await Deno.remove(path).catch(() => {});
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", ...permissionFlags(path), program, ...args],
    env: { SKEIN_TRACE: path },
  }).spawn();
  // The terminal sends it to both: the program decides what comes of it.
  Deno.addSignalListener("SIGINT", () => {});
  Deno.addSignalListener("SIGTERM", () => child.kill("SIGTERM"));
  const { code } = await child.status;
  try {
    console.error(`\n${await summaryOf(path)}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.error(
      `\nNothing was traced: ${program} ${
        code === 0 ? "does not" : "failed, perhaps before it could"
      } import @skein/std/threading`,
    );
  }
  return code;
}

if (import.meta.main) Deno.exit(await main());
