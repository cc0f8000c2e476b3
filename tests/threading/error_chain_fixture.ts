/** Threads that end with errors in a long chain of causes. */

import { sendable } from "../../threading/mod.ts";

export const makeChain = sendable(
  import.meta,
  function makeChain(depth: number): Error {
    Error.stackTraceLimit = 1;
    let error = new Error("innermost");
    for (let i = 0; i < depth; i++) error = new Error("m", { cause: error });
    return error;
  },
);

export const throwChain = sendable(
  import.meta,
  function throwChain(depth: number): void {
    throw makeChain(depth);
  },
);
