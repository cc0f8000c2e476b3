/**
 * The class of Python's `pipes` module, and what a template becomes: a script, and
 * a shell with this program at one end.
 *
 * @module
 */

import { checkString, shown } from "../_internal/check.ts";
import {
  type CommandOptions,
  type CommandSyncOptions,
  isText,
} from "./_command/options.ts";
import { system, systemSync } from "./run.ts";
import { cancelling } from "../_internal/hooks.ts";
import { argvOf, quote } from "./_command/command_line.ts";
import { makeTemporaryFolder } from "./_command/descriptors.ts";
import { unlessUnread } from "./_command/streams.ts";
import {
  inheriting,
  type SpawnOptions,
  startChild,
} from "./_command/child_process.ts";
import {
  type Child,
  type ChildSync,
  createChild,
  createChildSync,
  startPiped,
} from "./child.ts";
import {
  createTextReader,
  createTextReaderSync,
  createTextWriter,
  createTextWriterSync,
  type TextReader,
  type TextReaderSync,
  type TextWriter,
  type TextWriterSync,
} from "./text_stream.ts";

function checkFile(path: unknown, name: string): void {
  if (isText(path)) return;
  throw new TypeError(
    `Cannot run a pipeline: ${name} must be a string without NUL, received ${
      shown(path)
    }`,
  );
}

/**
 * A conversion pipeline: steps that are put together once and used on many
 * files. After `pipes.Template` of Python.
 *
 * A step is a command for the shell and a kind, which says how it reads and how
 * it writes:
 *
 * - `--` its standard input and output;
 * - `f-` the file `$IN`, and its standard output;
 * - `-f` its standard input, and the file `$OUT`;
 * - `ff` the files `$IN` and `$OUT`;
 * - `.-` nothing, and its standard output: only the first step;
 * - `-.` its standard input, and nothing: only the last step.
 *
 * In a command write `"$IN"` and `"$OUT"`, in double quotes, so that names with
 * spaces stay whole.
 *
 * The shell joins the steps, so their bytes never pass through this program.
 * Running one needs `--allow-run=/bin/sh`, and with kinds that name files
 * `--allow-write=/tmp` (or for the folder that `TMPDIR` names, if this program may
 * read that), where those between two steps are.
 *
 * @example
 * ```ts
 * import { Template } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const t = new Template();
 * t.append("sort", "--");
 * t.append("uniq", "--");
 * const path = await Deno.makeTempFile({ dir: "/tmp" });
 * await Deno.writeTextFile(path, "b\na\nb\n");
 * await t.copy(path, `${path}.out`);
 * assertEquals(await Deno.readTextFile(`${path}.out`), "a\nb\n");
 * await Deno.remove(path);
 * await Deno.remove(`${path}.out`);
 * ```
 */
export class Template {
  #steps: Step[] = [];
  #debugging = false;

  /**
   * Adds a step at the end.
   *
   * **The shell parses the command.** Quote with {@linkcode quote} whatever is
   * put into it.
   *
   * @param cmd The command, for the shell.
   * @param kind How it reads and writes.
   * @throws {RangeError} If the kind is unknown or cannot come last here, or
   * the command does not name the file it should.
   * @throws {TypeError} If the command is no string.
   *
   * @example
   * ```ts
   * import { Template } from "@skein/std/process";
   *
   * new Template().append("tr a-z A-Z", "--");
   * ```
   */
  append(cmd: string, kind: StepKind): void {
    const step = stepOf(cmd, kind);
    if (kind[0] === ".") {
      throw new RangeError(
        `Cannot append a step: one of kind .- can only be prepended, received ${
          JSON.stringify(cmd)
        }`,
      );
    }
    const last = this.#steps.at(-1);
    if (last?.kind[1] === ".") {
      throw new RangeError(
        `Cannot append a step: ${
          JSON.stringify(last.cmd)
        } of kind -. is the end, received ${JSON.stringify(cmd)}`,
      );
    }
    this.#steps.push(step);
  }

  /**
   * Adds a step at the beginning.
   *
   * **The shell parses the command.** Quote with {@linkcode quote} whatever is
   * put into it.
   *
   * @param cmd The command, for the shell.
   * @param kind How it reads and writes.
   * @throws {RangeError} If the kind is unknown or cannot come first here, or
   * the command does not name the file it should.
   * @throws {TypeError} If the command is no string.
   *
   * @example
   * ```ts
   * import { Template } from "@skein/std/process";
   *
   * new Template().prepend("echo spam", ".-");
   * ```
   */
  prepend(cmd: string, kind: StepKind): void {
    const step = stepOf(cmd, kind);
    if (kind[1] === ".") {
      throw new RangeError(
        `Cannot prepend a step: one of kind -. can only be appended, received ${
          JSON.stringify(cmd)
        }`,
      );
    }
    const [first] = this.#steps;
    if (first?.kind[0] === ".") {
      throw new RangeError(
        `Cannot prepend a step: ${
          JSON.stringify(first.cmd)
        } of kind .- is the beginning, received ${JSON.stringify(cmd)}`,
      );
    }
    this.#steps.unshift(step);
  }

  /**
   * Removes all steps.
   *
   * @example
   * ```ts
   * import { Template } from "@skein/std/process";
   *
   * new Template().reset();
   * ```
   */
  reset(): void {
    this.#steps = [];
  }

  /**
   * A template with the same steps, which goes its own way from here.
   *
   * @returns The new template.
   *
   * @example
   * ```ts
   * import { Template } from "@skein/std/process";
   *
   * const t = new Template();
   * t.append("sort", "--");
   * t.clone().append("uniq", "--");
   * ```
   */
  clone(): Template {
    const copy = new Template();
    copy.#steps = [...this.#steps];
    copy.#debugging = this.#debugging;
    return copy;
  }

  /**
   * Says whether the shell shows on standard error what it does.
   *
   * @param flag Whether it does.
   *
   * @example
   * ```ts
   * import { Template } from "@skein/std/process";
   *
   * new Template().debug(true);
   * ```
   */
  debug(flag: boolean): void {
    this.#debugging = flag;
  }

  /** The script, and the folder of its files, if it needs one. */
  #script(
    infile: string,
    outfile: string,
  ): { script: string; folder?: string } {
    checkFile(infile, "the input file");
    checkFile(outfile, "the output file");
    let folder: string | undefined;
    let count = 0;
    const temporary = () => {
      folder ??= makeTemporaryFolder();
      return `${folder}/${count++}`;
    };
    const script = scriptOf(
      this.#steps,
      infile,
      outfile,
      temporary,
      this.#debugging,
    );
    return { script, folder };
  }

  /**
   * Sends one file through the pipeline into another.
   *
   * @param infile The path of the file to read; `""` is standard input.
   * @param outfile The path of the file to write; `""` is standard output.
   * @param options Where it runs, what ends it, and so on.
   * @returns The status of the last step: its exit status, or minus the number
   * of the signal that ended the shell.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {Deno.errors.NotCapable} Without the permissions.
   *
   * @example
   * ```ts
   * import { Template } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(await new Template().copy("/dev/null", ""), 0);
   * ```
   */
  async copy(
    infile: string,
    outfile: string,
    options?: CommandOptions,
  ): Promise<number> {
    const { script, folder } = this.#script(infile, outfile);
    try {
      return await system(script, options);
    } finally {
      if (folder !== undefined) await Deno.remove(folder, { recursive: true });
    }
  }

  /**
   * Like {@linkcode Template.copy}, blocking the thread.
   *
   * @param infile The path of the file to read; `""` is standard input.
   * @param outfile The path of the file to write; `""` is standard output.
   * @param options Where it runs, what ends it, and so on.
   * @returns The status of the last step.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   * @throws {Deno.errors.NotCapable} Without the permissions.
   *
   * @example
   * ```ts
   * import { Template } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new Template().copySync("/dev/null", ""), 0);
   * ```
   */
  copySync(
    infile: string,
    outfile: string,
    options?: CommandSyncOptions,
  ): number {
    const { script, folder } = this.#script(infile, outfile);
    try {
      return systemSync(script, options);
    } finally {
      if (folder !== undefined) Deno.removeSync(folder, { recursive: true });
    }
  }

  /**
   * Opens a file through the pipeline.
   *
   * @param file The path of the file.
   * @param mode `"r"` to read what the pipeline makes of the file, `"w"` to
   * write what it makes the file of.
   * @returns The stream. It must be closed, which gives the status; `await
   * using` does it too.
   * @throws {RangeError} If the mode is unknown, or the pipeline begins or ends
   * with nothing at the side that would be opened.
   * @throws {Deno.errors.NotCapable} Without the permissions.
   *
   * @example
   * ```ts
   * import { Template } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const t = new Template();
   * t.append("wc -c", "--");
   * const reader = t.open("/dev/null", "r");
   * assertEquals((await reader.stdout.read()).trim(), "0");
   * assertEquals(await reader.close(), 0);
   * ```
   */
  open(file: string, mode: "r"): TemplateReader;
  /**
   * Opens a file to be written through the pipeline.
   *
   * @param file The path of the file.
   * @param mode `"w"`.
   * @returns The stream. It must be closed, which gives the status; `await
   * using` does it too.
   * @throws {RangeError} If the pipeline begins with a step that reads nothing.
   * @throws {Deno.errors.NotCapable} Without the permissions.
   *
   * @example
   * ```ts
   * import { Template } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const t = new Template();
   * t.append("tr a-z A-Z", "--");
   * const path = await Deno.makeTempFile({ dir: "/tmp" });
   * const writer = t.open(path, "w");
   * await writer.stdin.write("spam");
   * await writer.close();
   * assertEquals(await Deno.readTextFile(path), "SPAM");
   * await Deno.remove(path);
   * ```
   */
  open(file: string, mode: "w"): TemplateWriter;
  open(file: string, mode: "r" | "w"): TemplateReader | TemplateWriter {
    const { script, folder } = this.#opened(file, mode);
    return mode === "r"
      ? openReader(script, folder)
      : openWriter(script, folder);
  }

  /**
   * Like {@linkcode Template.open}, blocking the thread.
   *
   * Needs what {@linkcode popen2Sync} needs for a string.
   *
   * @param file The path of the file.
   * @param mode `"r"` to read what the pipeline makes of the file.
   * @returns The stream. It must be closed, which gives the status; `using` does
   * it too.
   * @throws {RangeError} If the mode is unknown, or the pipeline ends with a
   * step that writes nothing.
   * @throws {Deno.errors.NotCapable} Without the permissions.
   *
   * @example
   * ```ts
   * import { Template } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const t = new Template();
   * t.append("wc -c", "--");
   * using reader = t.openSync("/dev/null", "r");
   * assertEquals(reader.stdout.read().trim(), "0");
   * assertEquals(reader.close(), 0);
   * ```
   */
  openSync(file: string, mode: "r"): TemplateReaderSync;
  /**
   * Opens a file to be written through the pipeline, blocking the thread.
   *
   * @param file The path of the file.
   * @param mode `"w"`.
   * @returns The stream. It must be closed, which gives the status; `using` does
   * it too.
   * @throws {RangeError} If the pipeline begins with a step that reads nothing.
   * @throws {Deno.errors.NotCapable} Without the permissions.
   *
   * @example
   * ```ts
   * import { Template } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const t = new Template();
   * t.append("tr a-z A-Z", "--");
   * const path = Deno.makeTempFileSync({ dir: "/tmp" });
   * const writer = t.openSync(path, "w");
   * writer.stdin.write("spam");
   * assertEquals(writer.close(), 0);
   * assertEquals(Deno.readTextFileSync(path), "SPAM");
   * Deno.removeSync(path);
   * ```
   */
  openSync(file: string, mode: "w"): TemplateWriterSync;
  openSync(
    file: string,
    mode: "r" | "w",
  ): TemplateReaderSync | TemplateWriterSync {
    const { script, folder } = this.#opened(file, mode);
    return mode === "r"
      ? openReaderSync(script, folder)
      : openWriterSync(script, folder);
  }

  /** The script that has the file at one end and this program at the other. */
  #opened(file: string, mode: "r" | "w"): { script: string; folder?: string } {
    if (mode !== "r" && mode !== "w") {
      throw new RangeError(
        `Cannot open a file through a pipeline: the mode must be "r" or "w", received ${
          JSON.stringify(mode)
        }`,
      );
    }
    const reads = mode === "r";
    const end = reads ? this.#steps.at(-1)?.kind[1] : this.#steps[0]?.kind[0];
    if (end === ".") {
      throw new RangeError(
        `Cannot open a file through a pipeline: its ${
          reads ? "last step writes" : "first step reads"
        } nothing, received mode "${mode}"`,
      );
    }
    return this.#script(reads ? file : "", reads ? "" : file);
  }
}

/**
 * What a step reads and writes: `-` its standard stream, `f` a file that it
 * names `$IN` or `$OUT`, `.` nothing.
 */
export type StepKind = "--" | "-f" | "f-" | "ff" | ".-" | "-.";

/** A step of a template. */
interface Step {
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
function stepOf(cmd: string, kind: StepKind): Step {
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
function scriptOf(
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
    const child = startChild(argvOf(script), { ...inheriting({}), ...piped });
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
function openReader(script: string, folder?: string): TemplateReader {
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
function openWriter(script: string, folder?: string): TemplateWriter {
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
function openReaderSync(
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
function openWriterSync(
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
