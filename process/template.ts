/**
 * The class of Python's `pipes` module.
 *
 * @module
 */

import { shown } from "../_internal/check.ts";
import { isText } from "./_command/check_options.ts";
import type { CommandOptions, CommandSyncOptions } from "./_command/options.ts";
import {
  openReader,
  openReaderSync,
  openWriter,
  openWriterSync,
  scriptOf,
  type Step,
  type StepKind,
  stepOf,
  type TemplateReader,
  type TemplateReaderSync,
  type TemplateWriter,
  type TemplateWriterSync,
} from "./_shell/template_run.ts";
import { system, systemSync } from "./run.ts";

export type { StepKind };

const FOLDER = "/tmp";

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
 * `--allow-write=/tmp`, where those between two steps are.
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
      folder ??= Deno.makeTempDirSync({ dir: FOLDER, prefix: "skein-" });
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
