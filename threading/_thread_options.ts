/**
 * What a thread is made of.
 *
 * @module
 */

import {
  checkArray,
  checkFunction,
  checkOptions,
  checkString,
} from "../_internal/check.ts";
import type { SendableFunction } from "./_codec/sendable.ts";

/**
 * What a thread is made of.
 *
 * @typeParam R What the target returns.
 * @typeParam A The target's arguments.
 */
export type ThreadOptions<
  R = unknown,
  A extends readonly unknown[] = unknown[],
> =
  & {
    /**
     * The function to run, marked with `sendable`. Without one, `run` of a
     * subclass is.
     */
    // A method, whose parameters are not checked against `unknown`: so that
    // `Thread<string>` takes any function that returns a string.
    target?(...args: [...A]): R | PromiseLike<R>;
    /**
     * The name, for people.
     *
     * @default {"Thread-1"}, `Thread-2`, …
     */
    name?: string;
    /**
     * Whether the process may end while the thread runs.
     *
     * @default {false}, in a daemon true
     */
    daemon?: boolean;
  }
  & ([] extends A ? {
      /** What the target is called with; copied, shared objects shared. */
      args?: Readonly<A>;
    }
    : {
      /** What the target is called with; copied, shared objects shared. */
      args: Readonly<A>;
    });

/** The options of a thread, of the right types. */
export interface CheckedOptions {
  target?: SendableFunction;
  args?: readonly unknown[];
  name?: string;
  daemon?: boolean;
}

const NAMES = ["target", "args", "name", "daemon"];

/**
 * Reads the options of a thread.
 *
 * @throws {TypeError} If one is of another type than it should be.
 */
export function readOptions(options: unknown): CheckedOptions {
  if (options !== undefined) checkOptions(options, "make a Thread", NAMES);
  const { target, args, name, daemon } = (options ?? {}) as CheckedOptions;
  if (target !== undefined) checkFunction(target, "make a Thread", "target");
  if (args !== undefined) checkArray(args, "make a Thread", "args");
  if (name !== undefined) checkString(name, "make a Thread", "name");
  return { target, args, name, daemon: daemon && true };
}
