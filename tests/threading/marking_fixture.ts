/** Marks of all kinds, for the tests of `sendable`. */

import type { SimpleQueue } from "../../queue/mod.ts";
import { sendable } from "../../threading/mod.ts";

// Types, which shift the places between the source and what is run.
interface Numbers {
  a: number;
  b: number;
}
export type Pair = readonly [Numbers, Numbers];

export const double = sendable(import.meta, (n: number): number => n * 2);
// deno-fmt-ignore
export const same = [sendable(import.meta, () => "same"), sendable(import.meta, () => "same")];
export const other = [
  sendable(import.meta, () => "same"),
];

const mark = <T extends (...args: never[]) => unknown>(value: T): T =>
  sendable(import.meta, value);
export const helped = mark((text: string) => `helped ${text}`);
export const alsoHelped = mark(() => "also helped");

export const Anonymous = sendable(
  import.meta,
  class {
    field = "anonymous";
    hello(): string {
      return `hello ${this.field}`;
    }
  },
);

export const Inside = (() => {
  return class {
    static {
      sendable(import.meta, this);
    }
    x = 1;
  };
})();

/** Gives back what it got, from another thread. */
export const bounce = sendable(
  import.meta,
  (queue: SimpleQueue<unknown>, back: SimpleQueue<unknown>): void => {
    for (;;) {
      const item = queue.getSync();
      if (item === undefined) return;
      const result = typeof item === "function" && !("prototype" in item)
        ? (item as (text: string) => unknown)("x")
        : undefined;
      back.putSync([item, result]);
    }
  },
);

/** Marks when the module has been loaded. */
export function markLate(): () => string {
  return sendable(import.meta, function late() {
    return "late";
  });
}

export class Made {
  static make(): unknown {
    class MadeLater {
      static {
        sendable(import.meta, this);
      }
    }
    return new MadeLater();
  }
}

export function markTwice(): void {
  for (let i = 0; i < 2; i++) sendable(import.meta, () => i);
}
