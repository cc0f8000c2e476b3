// The short way for the commonest case: one command without a source, whose
// output is captured whole. Deno has a call for it, and a blocking one too.
import { explain } from "./_spawn.ts";
import { argvOf, mergedArgvOf } from "./_argv.ts";
import { commandError, type Outcome } from "./_outcome.ts";
import type { Plan } from "./_plan.ts";
import { statusOf } from "./_status.ts";
import type { StderrSink } from "./options.ts";

const NOTHING = new Uint8Array(0);
const STDERR: readonly (StderrSink | undefined)[] = [
  undefined,
  "capture",
  "inherit",
  "null",
  "merge",
];

/** Whether a plan is of this kind. */
export function isQuick({ stages, source, sink, options }: Plan): boolean {
  return stages.length === 1 && source === undefined &&
    (sink === "capture" || sink === "inherit" || sink === "null") &&
    STDERR.includes(stages[0].stderr) &&
    (stages[0].stderr !== "merge" ||
      sink === "capture" && typeof stages[0].cmd === "string") &&
    options.timeout === undefined && options.signal === undefined &&
    options.maxBuffer === undefined && options.tee === undefined &&
    options.onProgress === undefined && options.killSignal === undefined &&
    options.killGrace === undefined && !options.killTree;
}

function commandOf({ stages: [stage], sink, options }: Plan): Deno.Command {
  const { cmd } = stage;
  const [file, ...args] = stage.stderr === "merge" && typeof cmd === "string"
    ? mergedArgvOf(cmd)
    : argvOf(cmd);
  const stdout = sink === "capture" ? "piped" : sink as "inherit" | "null";
  const stderr = stage.stderr ?? "capture";
  return new Deno.Command(file, {
    args,
    cwd: stage.cwd,
    env: stage.env,
    clearEnv: stage.clearEnv,
    stdin: options.stdin ?? "null",
    stdout,
    stderr: stderr === "inherit"
      ? "inherit"
      : stderr === "capture"
      ? "piped"
      : "null",
  });
}

function outcomeOf(plan: Plan, output: Deno.CommandOutput): Outcome {
  const { stages, sink, options } = plan;
  const captured = (stages[0].stderr ?? "capture") === "capture";
  const ends = [{
    status: statusOf(output),
    stderr: captured ? output.stderr : NOTHING,
  }];
  if (ends[0].status !== 0 && options.check !== false) {
    throw commandError(stages, ends, 0);
  }
  return { stages: ends, stdout: sink === "capture" ? output.stdout : NOTHING };
}

/** Runs a plan for which `isQuick` holds. */
export async function quick(plan: Plan): Promise<Outcome> {
  const command = commandOf(plan);
  let output: Promise<Deno.CommandOutput>;
  try {
    output = command.output();
  } catch (error) {
    throw explainFor(plan, error);
  }
  return outcomeOf(plan, await output);
}

/** The same, blocking the thread. */
export function quickSync(plan: Plan): Outcome {
  const command = commandOf(plan);
  let output: Deno.CommandOutput;
  try {
    output = command.outputSync();
  } catch (error) {
    throw explainFor(plan, error);
  }
  return outcomeOf(plan, output);
}

function explainFor({ stages: [{ cmd, cwd }] }: Plan, error: unknown): unknown {
  return explain(error, argvOf(cmd)[0], cwd);
}
