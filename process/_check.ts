// What the functions of this module are given, checked before anything starts.
import {
  checkFunction,
  checkOptions,
  checkSignal,
  shown,
} from "../_internal/check.ts";
import { durationOf } from "../_internal/options.ts";
import { numberOf } from "../_internal/signum.ts";
import { argvOf } from "./_argv.ts";
import { pathOf } from "./_source.ts";
import type { CommandOptions, Stage } from "./options.ts";
import type { PopenOptions } from "./popen2.ts";

const WHAT = "run a command";

function wrong(rule: string, value: unknown): TypeError {
  return new TypeError(`Cannot ${WHAT}: ${rule}, received ${shown(value)}`);
}

function checkOneOf(
  value: unknown,
  name: string,
  words: readonly string[],
): void {
  if (value === undefined || words.includes(value as string)) return;
  if (pathOf(value) !== undefined && words.length > 2) return;
  throw wrong(`${name} must be one of ${words.join(", ")}`, value);
}

function checkBoolean(value: unknown, name: string): void {
  if (value === undefined || typeof value === "boolean") return;
  throw wrong(`${name} must be true or false`, value);
}

/**
 * Checks where a program is to run.
 *
 * @throws {TypeError} If an option is of the wrong kind.
 */
export function checkPlace(options: PopenOptions): void {
  checkOptions(options, WHAT);
  const { cwd, env, clearEnv } = options;
  if (cwd !== undefined && typeof cwd !== "string" && !(cwd instanceof URL)) {
    throw wrong("cwd must be a path or a file: URL", cwd);
  }
  if (env !== undefined) {
    if (typeof env !== "object" || env === null) {
      throw wrong("env must be an object", env);
    }
    for (const [name, value] of Object.entries(env)) {
      if (typeof value === "string") continue;
      throw wrong(`env.${name} must be a string`, value);
    }
  }
  checkBoolean(clearEnv, "clearEnv");
}

/**
 * Checks the options of commands and pipelines.
 *
 * @throws {TypeError} If one is of the wrong kind.
 * @throws {RangeError} If a number is negative, NaN or too large, or there is no
 * such signal.
 */
export function checkCommandOptions(options: CommandOptions): void {
  checkPlace(options);
  durationOf(options.timeout, WHAT, "timeout");
  durationOf(options.killGrace, WHAT, "killGrace");
  if (options.killSignal !== undefined) numberOf(options.killSignal, WHAT);
  checkSignal(options.signal, WHAT);
  checkMaxBuffer(options.maxBuffer);
  checkBoolean(options.check, "check");
  checkBoolean(options.killTree, "killTree");
  checkOneOf(options.stdin, "stdin", ["inherit", "null"]);
  checkOneOf(options.stderr, "stderr", [
    "capture",
    "merge",
    "inherit",
    "null",
  ]);
  if (options.tee !== undefined && !(options.tee instanceof WritableStream)) {
    throw wrong("tee must be a WritableStream", options.tee);
  }
  if (options.onProgress !== undefined) {
    checkFunction(options.onProgress, WHAT, "onProgress");
  }
}

/**
 * Checks the stages of a pipeline.
 *
 * @throws {TypeError} If there is none, or one is none.
 */
export function checkStages(stages: readonly Stage[]): void {
  const what = "make a pipeline";
  if (!Array.isArray(stages)) {
    throw new TypeError(
      `Cannot ${what}: stages must be an array, received ${shown(stages)}`,
    );
  }
  if (stages.length === 0) {
    throw new TypeError(
      `Cannot ${what}: it needs a command, received none`,
    );
  }
  for (const stage of stages) {
    checkCommandOptions(stage);
    argvOf(stage.cmd);
  }
}

function checkMaxBuffer(bytes: unknown): void {
  if (bytes === undefined) return;
  if (typeof bytes !== "number") {
    throw wrong("maxBuffer must be a number of bytes", bytes);
  }
  if (bytes >= 0) return;
  throw new RangeError(
    `Cannot ${WHAT}: maxBuffer must be from 0, received ${bytes}`,
  );
}

/**
 * Checks what a command is to read.
 *
 * @throws {TypeError} If it is nothing that can be read.
 */
export function checkSource(source: unknown): void {
  if (typeof source === "string" || pathOf(source) !== undefined) return;
  if (source instanceof Uint8Array || source instanceof Deno.FsFile) return;
  if (
    typeof source === "object" && source !== null &&
    (Symbol.iterator in source || Symbol.asyncIterator in source)
  ) return;
  throw wrong(
    "a source must be text, bytes, a file, a stream or iterable",
    source,
  );
}

/**
 * Checks where output is to go.
 *
 * @throws {TypeError} If it can go there not.
 */
export function checkSink(sink: unknown): void {
  if (sink === "inherit" || sink === "null") return;
  if (pathOf(sink) !== undefined || sink instanceof WritableStream) return;
  if (sink instanceof Deno.FsFile) return;
  throw wrong(
    'a sink must be "inherit", "null", a file or a WritableStream',
    sink,
  );
}

/**
 * Checks what is to be written to a child.
 *
 * @param closed Whether the stream has been closed.
 * @throws {TypeError} If it is neither text nor bytes, or the stream is closed.
 */
export function checkWrite(data: unknown, closed: boolean): void {
  const what = "write to a child";
  if (typeof data !== "string" && !(data instanceof Uint8Array)) {
    throw new TypeError(
      `Cannot ${what}: data must be text or bytes, received ${shown(data)}`,
    );
  }
  if (closed) {
    throw new TypeError(
      `Cannot ${what}: the stream was closed, received ${data.length} more`,
    );
  }
}
