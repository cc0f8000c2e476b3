/**
 * Commands as templates: file names that a shell would take apart, a command that
 * fails twice before it succeeds, and both streams of one in their order.
 *
 *     the file: it's a "log"; $(id) *.txt
 *     lines: 3
 *     errors: disk full, disk full again
 *     attempt 1: status 1, not ready
 *     attempt 2: status 1, not ready
 *     attempt 3: ready
 *     all: starting, warning, done
 *
 * @module
 */

import { $, CommandError, type CommandResult } from "@skein/std/process";
import { retry } from "@std/async/retry";

/** The lines of a text, on one line. */
function joined(text: string): string {
  return text.trimEnd().split("\n").join(", ");
}

/** Counts and searches in a file, whatever its name is. */
async function search(folder: string): Promise<void> {
  const name = `it's a "log"; $(id) *.txt`;
  // Every command of this $ runs in the folder.
  const $here = $.with({ cwd: folder });
  const lines = ["error disk full", "all is well", "error disk full again"];
  await $here`printf '%s\n' ${lines} > ${name}`;
  console.log("the file:", await $here`ls`.text({ trim: true }));
  console.log("lines:", await $here`wc -l < "${name}"`.text({ trim: true }));
  const errors = $here`grep error ${name}`;
  console.log(
    "errors:",
    joined(await $here`${errors} | cut -c 7-`.text()),
  );
}

/** Runs a command until it succeeds; here the third time. */
async function insist(folder: string): Promise<CommandResult> {
  const file = `${folder}/attempts`;
  const flaky = $`
    echo try >> ${file}
    if [ $(wc -l < ${file}) -lt 3 ]; then echo not ready >&2; exit 1; fi
    echo ready`;
  let attempt = 0;
  return await retry(async () => {
    attempt++;
    try {
      const result = await flaky;
      console.log(`attempt ${attempt}: ${joined(result.stdout)}`);
      return result;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      const { status, stderr } = error;
      console.log(`attempt ${attempt}: status ${status}, ${stderr}`);
      throw error;
    }
  }, { maxAttempts: 5, minTimeout: 10, jitter: 0 });
}

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir({ dir: "/tmp" });
  try {
    await search(folder);
    await insist(folder);
    const steps = $`echo starting; echo warning >&2; echo done`;
    const { all } = await steps.with({ all: true });
    console.log("all:", joined(all!));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) await main();
