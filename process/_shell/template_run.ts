// What a template becomes: a script, and a shell with this program at one end.
import { cancelling } from "../../_internal/cancelling.ts";
import { checkString } from "../../_internal/check.ts";
import { argvOf, quote } from "../_command/command_line.ts";
import { unlessUnread } from "../_command/streams.ts";
import {
  inheriting,
  spawn,
  type SpawnOptions,
} from "../_command/child_process.ts";
import { startPiped } from "../_blocking/helped_process.ts";
import {
  type Child,
  type ChildSync,
  createChild,
  createChildSync,
} from "../child.ts";
import {
  createTextReader,
  createTextReaderSync,
  createTextWriter,
  createTextWriterSync,
  type TextReader,
  type TextReaderSync,
  type TextWriter,
  type TextWriterSync,
} from "../text_stream.ts";

/**
 * What a step reads and writes: `-` its standard stream, `f` a file that it
 * names `$IN` or `$OUT`, `.` nothing.
 */
export type StepKind = "--" | "-f" | "f-" | "ff" | ".-" | "-.";

/** A step of a template. */
export interface Step {
  readonly cmd: string;
  readonly kind: StepKind;
}

const KINDS: readonly string[] = ["--", "-f", "f-", "ff", ".-", "-."];

/**
 * A step, checked.
 *
 * @throws {RangeError} If the kind is unknown, or the command does not name the
 * file it should.
 * @throws {TypeError} If the command is no string.
 */
export function stepOf(cmd: string, kind: StepKind): Step {
  if (typeof cmd !== "string" || cmd.includes("\0")) {
    throw new TypeError(
      `Cannot add a step: the command must be a string without NUL, received ${
        JSON.stringify(cmd)
      }`,
    );
  }
  checkString(kind, "add a step", "the kind");
  if (!KINDS.includes(kind)) {
    throw new RangeError(
      `Cannot add a step: the kind must be one of ${
        KINDS.join(" ")
      }, received ${JSON.stringify(kind)}`,
    );
  }
  for (const [i, name] of ["$IN", "$OUT"].entries()) {
    if (kind[i] === "f" && !new RegExp(`\\${name}\\b`).test(cmd)) {
      throw new RangeError(
        `Cannot add a step: a command of kind ${kind} must name ${name}, received ${
          JSON.stringify(cmd)
        }`,
      );
    }
  }
  return { cmd, kind };
}

/** What the step does where nothing else fits. */
const CAT: Step = { cmd: "cat", kind: "--" };

/**
 * Writes the steps as one script.
 *
 * @param steps The steps.
 * @param infile The file to read, `""` for standard input.
 * @param outfile The file to write, `""` for standard output.
 * @param temporary Gives the path of a file for two neighbours.
 * @param debug Whether the shell shows what it does.
 * @returns The script.
 */
export function scriptOf(
  steps: readonly Step[],
  infile: string,
  outfile: string,
  temporary: () => string,
  debug: boolean,
): string {
  const all = steps.length === 0 ? [CAT] : [...steps];
  // A step that wants a file gets the standard stream by way of one.
  if (all[0].kind[0] === "f" && infile === "") all.unshift(CAT);
  if (all.at(-1)!.kind[1] === "f" && outfile === "") all.push(CAT);
  let script = debug ? "set -x\n" : "";
  let input = infile;
  all.forEach((step, i) => {
    const last = i === all.length - 1;
    const byFile = !last &&
      (step.kind[1] === "f" || all[i + 1].kind[0] === "f");
    const output = last ? outfile : byFile ? temporary() : "";
    script += lineOf(step, input, output);
    // A newline ends the pipeline so far: the file must be whole.
    if (!last) script += byFile ? "\n" : " |\n";
    input = output;
  });
  return script;
}

function lineOf({ cmd, kind }: Step, input: string, output: string): string {
  // Braces, so that all of a longer command gets what is set around it; the
  // newline ends a comment.
  let line = `{ ${cmd}\n}`;
  if (kind[0] === "f") line = `{ IN=${quote(input)}; ${cmd}\n}`;
  if (kind[1] === "f") line = `{ OUT=${quote(output)}; ${line}\n}`;
  if (kind[0] === "-" && input !== "") line += ` <${quote(input)}`;
  if (kind[1] === "-" && output !== "") line += ` >${quote(output)}`;
  return line;
}

/** The output of a template's pipeline. */
export interface TemplateReader extends AsyncDisposable {
  /** What the pipeline writes. */
  stdout: TextReader;
  /** Its shell. */
  process: Child;
  /** Stops reading, and gives the status of the last step. */
  close(): Promise<number>;
}

/** The input of a template's pipeline. */
export interface TemplateWriter extends AsyncDisposable {
  /** What the pipeline reads. */
  stdin: TextWriter;
  /** Its shell. */
  process: Child;
  /** Ends the input, waits for the end, and gives the last step's status. */
  close(): Promise<number>;
}

/** Like {@linkcode TemplateReader}, blocking the thread. */
export interface TemplateReaderSync extends Disposable {
  /** What the pipeline writes. */
  stdout: TextReaderSync;
  /** Its shell. */
  process: ChildSync;
  /** Stops reading, and gives the status of the last step. */
  close(): number;
}

/** Like {@linkcode TemplateWriter}, blocking the thread. */
export interface TemplateWriterSync extends Disposable {
  /** What the pipeline reads. */
  stdin: TextWriterSync;
  /** Its shell. */
  process: ChildSync;
  /** Ends the input, waits for the end, and gives the last step's status. */
  close(): number;
}

/** Removes the folder of the steps' files, if there is one. */
function remove(folder: string | undefined): void {
  if (folder !== undefined) Deno.removeSync(folder, { recursive: true });
}

function start(
  script: string,
  folder: string | undefined,
  piped: Partial<SpawnOptions>,
) {
  try {
    const child = spawn(argvOf(script), { ...inheriting({}), ...piped });
    const process = createChild(child, script);
    // The files go when the shell does, whether anybody waits for that or not.
    const ended = process.wait().finally(() => remove(folder));
    ended.catch(() => {});
    return { child, process, ended };
  } catch (error) {
    remove(folder);
    throw error;
  }
}

/** Reads what the script writes; the folder goes when it has ended. */
export function openReader(script: string, folder?: string): TemplateReader {
  const { child, process, ended } = start(script, folder, { stdout: "piped" });
  const stdout = createTextReader(child.stdout);
  const close = async () => {
    await stdout.close();
    return await ended;
  };
  return {
    stdout,
    process,
    close,
    [Symbol.asyncDispose]: async () =>
      void await cancelling.shield(() => close()),
  };
}

/** Writes what the script reads; the folder goes when it has ended. */
export function openWriter(script: string, folder?: string): TemplateWriter {
  const { child, process, ended } = start(script, folder, { stdin: "piped" });
  const stdin = createTextWriter(child.stdin);
  const close = async () => {
    // The status says why, if it did not read all.
    await unlessUnread(stdin.close());
    return await ended;
  };
  return {
    stdin,
    process,
    close,
    [Symbol.asyncDispose]: async () =>
      void await cancelling.shield(() => close()),
  };
}

function startSync(
  script: string,
  folder: string | undefined,
  end: "stdin" | "stdout",
) {
  try {
    const { stdin, stdout, stderr } = inheriting({});
    const streams = { stdin, stdout, stderr, [end]: "piped" };
    const { process, ...ends } = startPiped({ cmd: script }, streams);
    return { own: ends[end]!, process: createChildSync(process) };
  } catch (error) {
    remove(folder);
    throw error;
  }
}

/** Closes this program's end and waits for the other, once. */
function closing(
  stream: { close(): void },
  process: ChildSync,
  folder: string | undefined,
): () => number {
  let status: number | undefined;
  return () => {
    if (status !== undefined) return status;
    stream.close();
    status = process.waitSync();
    remove(folder);
    return status;
  };
}

/** Like `openReader`, blocking the thread. */
export function openReaderSync(
  script: string,
  folder?: string,
): TemplateReaderSync {
  const { own, process } = startSync(script, folder, "stdout");
  const stdout = createTextReaderSync(own);
  const close = closing(stdout, process, folder);
  return {
    stdout,
    process,
    close,
    [Symbol.dispose]: () => void cancelling.shield(close),
  };
}

/** Like `openWriter`, blocking the thread. */
export function openWriterSync(
  script: string,
  folder?: string,
): TemplateWriterSync {
  const { own, process } = startSync(script, folder, "stdin");
  const stdin = createTextWriterSync(own);
  const close = closing(stdin, process, folder);
  return {
    stdin,
    process,
    close,
    [Symbol.dispose]: () => void cancelling.shield(close),
  };
}
