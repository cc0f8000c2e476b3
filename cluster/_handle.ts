/**
 * What the handles of queues, locks and maps have in common.
 *
 * @module
 */

import { shown } from "../_internal/check.ts";
import type { Channel } from "./_channel.ts";
import type { Link } from "./_core/link.ts";
import type { Patience } from "./_core/patience.ts";

/** A cluster as its queues, locks and maps see it. */
export interface Host {
  /** The connection in the event loop of this thread. */
  link(patience: Patience): Promise<Link>;
  /** The way to the thread that asks for the blocking forms. */
  channel(patience: Patience): Channel;
}

const NAME = /^[\w-]+(?:\.[\w-]+)*$/;

/** Checks the name of a queue, lock or map. */
export function checkName(name: unknown, what: string): asserts name is string {
  if (typeof name !== "string") {
    throw new TypeError(
      `Cannot ${what}: its name must be a string, received ${shown(name)}`,
    );
  }
  if (NAME.test(name) && name.length <= 100) return;
  throw new RangeError(
    `Cannot ${what}: a name has up to 100 letters, digits, _ and -, in parts joined by dots, received ${
      shown(name)
    }`,
  );
}

/** Checks a lease in milliseconds. */
export function checkLease(lease: unknown, what: string): void {
  if (lease === undefined) return;
  if (typeof lease !== "number") {
    throw new TypeError(
      `Cannot ${what}: lease must be a number of milliseconds, received ${
        shown(lease)
      }`,
    );
  }
  if (lease >= 1000 && lease <= 2 ** 31 - 1) return;
  throw new RangeError(
    `Cannot ${what}: lease must be between 1000 and ${
      2 ** 31 - 1
    } milliseconds, received ${lease}`,
  );
}
