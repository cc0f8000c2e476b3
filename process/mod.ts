/**
 * Commands, pipelines and processes.
 *
 * A command is a string, which goes to `/bin/sh -c`, or an array of a program
 * and its arguments, which never meets a shell. The shell parses a string: quote
 * with {@linkcode quote} whatever is put into it, or use an array. The status of
 * a process is its exit status, or minus the number of the signal that ended it.
 *
 * Which to choose:
 *
 * | you want                                              | use                                      |
 * | ----------------------------------------------------- | ---------------------------------------- |
 * | to run a command and have what it wrote               | {@linkcode run}, or {@linkcode $}        |
 * | to write a command as in a shell, with values in it   | {@linkcode $}                            |
 * | commands joined by pipes, files or streams at the ends | {@linkcode pipeline}                    |
 * | the output while it comes, for a response or a stream | {@linkcode Pipeline.prototype.readable Pipeline.readable} |
 * | the lines while they come                             | {@linkcode Pipeline.prototype.lines Pipeline.lines} |
 * | a stream sent through commands                        | {@linkcode Pipeline.prototype.transform Pipeline.transform} |
 * | the output in several places                          | {@linkcode Pipeline.prototype.tee Pipeline.tee} |
 * | a server, or something to talk to, beside the program | {@linkcode Pipeline.prototype.start Pipeline.start} |
 * | to talk to one program in texts, as in Python         | {@linkcode popen2}                       |
 * | a command with the terminal to itself, and its status | {@linkcode system}                       |
 * | a program that may outlive this one                   | {@linkcode spawn} with `P_DETACH`        |
 * | a program in the place of this one                    | {@linkcode exec}                         |
 *
 * All that waits has a blocking form, whose name ends with `Sync`. Besides there
 * are, from the chapter:
 *
 * - {@linkcode getStatusOutput} and its relatives, after `commands`;
 * - {@linkcode Template}, after `pipes`;
 * - {@linkcode popen2} and its relatives, after `popen2`;
 * - {@linkcode system}, {@linkcode spawn}, {@linkcode exec} and others, after
 *   `os`.
 *
 * @example
 * ```ts
 * import { pipeline } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const words = await pipeline(["sort"], ["uniq", "-c"])
 *   .from("spam\neggs\nspam\n")
 *   .text();
 * assertEquals(words.trim().split(/\s+/), ["1", "eggs", "2", "spam"]);
 * ```
 *
 * @module
 */

// Commands and pipelines, `system`, and the chapter's `commands` module
export * from "./run.ts";
export { Pipeline, pipeline } from "./pipeline.ts";
export type { ReadableOptions } from "./_running/running_pipeline.ts";
export { RunningPipeline } from "./_running/running_pipeline.ts";
export { RunningPipelineSync } from "./_running/running_pipeline_sync.ts";
export { $, type Dollar, ShellCommand, type ShellValue } from "./dollar.ts";
export {
  CommandError,
  type CommandErrorInit,
  CommandResult,
  type CommandTimeout,
  type StageResult,
} from "./_command/result.ts";
export { type ItemProgress, progressBar } from "./progress.ts";
export { mkarg, quote } from "./_command/command_line.ts";

// The chapter's `pipes` module
export {
  type StepKind,
  Template,
  type TemplateReader,
  type TemplateReaderSync,
  type TemplateWriter,
  type TemplateWriterSync,
} from "./template.ts";

// The chapter's `popen2` module: a child and its streams
export * from "./popen2.ts";
export {
  TextReader,
  TextReaderSync,
  TextWriter,
  TextWriterSync,
} from "./text_stream.ts";
export { Child, ChildSync } from "./child.ts";

// What `os` has for processes
export * from "./os.ts";
export { which, type WhichOptions, whichSync } from "./_command/program.ts";
// The one function of the chapter that `signal` has too.
export { kill } from "../signal/signals.ts";

// What they have in common
export type {
  ByteSource,
  Chunk,
  Command,
  CommandOptions,
  CommandSyncOptions,
  FilePath,
  OutputSource,
  OutputSourceSync,
  PopenOptions,
  Progress,
  Sink,
  Source,
  Stage,
  StageOptions,
  StderrSink,
  SyncSink,
  SyncSource,
  TextOptions,
} from "./_command/options.ts";
export type { WaitOptions, WaitSyncOptions } from "../_internal/check.ts";
export type { Signum } from "../_internal/platform.ts";

// For nothing but to have it in the program: a helper that had to download it
// would wait for the thread it helps, and `deno compile` would leave it out.
import "./_blocking/helper_worker.ts";
