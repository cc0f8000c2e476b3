// A pipes.Template as a script for the shell.
import { checkString } from "../_internal/check.ts";
import { quote } from "./quote.ts";

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
