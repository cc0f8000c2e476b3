/**
 * The short way for the commonest case: one command without a source, whose output
 * is captured whole. Deno has a call for it, and a blocking one too.
 *
 * @module
 */

import { cancelling } from "../../_internal/hooks.ts";
import { explain } from "./program.ts";
import { argvOf, mergedArgvOf } from "./command_line.ts";
import {
  announce,
  commandError,
  endOf,
  type Outcome,
  statusOf,
  statusOfError,
} from "./result.ts";
import type { Plan } from "./plan.ts";
import type { StderrSink } from "./options.ts";

/** When a command began, and what to call at its end. */
interface Begun {
  at: number;
  said?: (outcome: Outcome) => void;
}

function begin({ stages, options }: Plan): Begun {
  return { said: announce(stages, options), at: performance.now() };
}

const NOTHING = new Uint8Array(0);
const STDERR: readonly (StderrSink | undefined)[] = [
  undefined,
  "capture",
  "inherit",
  "null",
  "merge",
];

/** Whether a plan is of this kind. */
export function isQuick(
  { stages, source, sink, options, branches }: Plan,
): boolean {
  return !cancelling.isPossible() &&
    stages.length === 1 && source === undefined &&
    branches === undefined &&
    (sink === "capture" || sink === "inherit" || sink === "null") &&
    STDERR.includes(stages[0].stderr) && stages[0].umask === undefined &&
    (stages[0].stderr !== "merge" ||
      sink === "capture" && typeof stages[0].cmd === "string") &&
    options.timeout === undefined && options.signal === undefined &&
    options.maxBuffer === undefined && options.tee === undefined &&
    options.onProgress === undefined && options.killSignal === undefined &&
    options.killGrace === undefined && !options.killTree;
}

function commandOf(plan: Plan): Deno.Command {
  const { stages: [stage], sink, options } = plan;
  const { cmd } = stage;
  const [file, ...args] = stage.stderr === "merge" && typeof cmd === "string"
    ? mergedArgvOf(cmd)
    : argvOf(cmd);
  const stdout = sink === "capture" ? "piped" : sink as "inherit" | "null";
  return new Deno.Command(file, {
    args,
    cwd: stage.cwd,
    env: stage.env,
    clearEnv: stage.clearEnv,
    uid: stage.uid,
    gid: stage.gid,
    stdin: options.stdin ?? "null",
    stdout,
    stderr: stage.stderr === "inherit"
      ? "inherit"
      : capturesError(plan)
      ? "piped"
      : "null",
  });
}

function capturesOutput({ sink }: Plan): boolean {
  return sink === "capture";
}

function capturesError({ stages: [{ stderr }] }: Plan): boolean {
  return stderr === undefined || stderr === "capture";
}

function outcomeOf(
  { stages, options }: Plan,
  status: number,
  stdout: Uint8Array,
  stderr: Uint8Array,
  { at, said }: Begun,
): Outcome {
  const durationMs = performance.now() - at;
  const ends = [{ status, stderr }];
  const outcome = { stages: ends, stdout, durationMs, all: options.all };
  said?.(outcome);
  if (status !== 0 && options.check !== false) {
    throw commandError(stages, outcome, 0);
  }
  return outcome;
}

/** Runs a plan for which `isQuick` holds. */
export async function quick(plan: Plan): Promise<Outcome> {
  const begun = begin(plan);
  const command = commandOf(plan);
  let child: Deno.ChildProcess;
  try {
    child = command.spawn();
  } catch (error) {
    throw explainFor(plan, error);
  }
  // As Command.output() does it, which gives no output if it does not know the
  // signal that ended the process.
  const [status, stdout, stderr] = await Promise.all([
    endOf(child),
    capturesOutput(plan) ? child.stdout.bytes() : NOTHING,
    capturesError(plan) ? child.stderr.bytes() : NOTHING,
  ]);
  return outcomeOf(plan, status, stdout, stderr, begun);
}

/**
 * The same, blocking the thread. What a process wrote that a real-time signal
 * ended is lost: all that Deno says about it is the number.
 */
export function quickSync(plan: Plan): Outcome {
  const begun = begin(plan);
  const command = commandOf(plan);
  let output: Deno.CommandOutput;
  try {
    output = command.outputSync();
  } catch (error) {
    if (!(error instanceof TypeError)) throw explainFor(plan, error);
    return outcomeOf(plan, statusOfError(error), NOTHING, NOTHING, begun);
  }
  return outcomeOf(
    plan,
    statusOf(output),
    capturesOutput(plan) ? output.stdout : NOTHING,
    capturesError(plan) ? output.stderr : NOTHING,
    begun,
  );
}

function explainFor({ stages: [stage] }: Plan, error: unknown): unknown {
  return explain(error, argvOf(stage.cmd)[0], stage);
}
