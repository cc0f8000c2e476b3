/**
 * What a thread does, in the words of its user.
 *
 * @module
 */

import { moduleUrl } from "../_internal/worker_module.ts";
import type { Told } from "./_layout.ts";

/** An error in words. */
export function describe(error: unknown): Told {
  if (!(error instanceof Error)) {
    return { name: "Error", message: String(error) };
  }
  return { name: error.name, message: error.message, stack: error.stack };
}

/** In the package as it is built, its modules are parts in one folder. */
const LIBRARY = new RegExp(
  `^${
    RegExp.escape(new URL(".", moduleUrl("mod")).href)
  }(?:threading|queue|pool|signal|process|testing|_internal)(?:/|(?:_\\d+)?\\.js:)`,
);

/** A call of the user's, and the line it stands in. */
export interface Place {
  call: string;
  line: string;
}

/**
 * Which call of the user's leads to the place where this is called.
 *
 * @param above The function above which the stack is looked at.
 */
// deno-lint-ignore ban-types
export function whereIs(above: Function): Place | undefined {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 60;
  const here: { stack?: string } = {};
  Error.captureStackTrace(here, above);
  Error.stackTraceLimit = limit;
  let call = "";
  for (const text of here.stack!.split("\n")) {
    const found = /^ *at (?:async )?(?:(.*) \()?(.*:\d+:\d+)\)?$/.exec(text);
    if (found === null) continue;
    const [, name = "", place] = found;
    if (LIBRARY.test(place)) {
      if (name !== "") call = name;
      continue;
    }
    if (/^(?:ext|node):/.test(place)) continue;
    const line = place.replace(/:\d+$/, "").replace(/^.*\//, "");
    return { call: plain(call), line };
  }
  return undefined;
}

/** `SharedNumber.set value [as value]` and its like. */
function plain(call: string): string {
  return call
    .replace(/\.get (\S+)(?: \[as .*\])?$/, ".$1")
    .replace(/\.set (\S+)(?: \[as .*\])?$/, ".$1 =")
    .replace(/ \[as .*\]$/, "")
    .replace(".[Symbol.dispose]", "[Symbol.dispose]")
    .replace(/^Object\./, "");
}
