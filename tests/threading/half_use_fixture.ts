import type { SimpleQueue } from "../../queue/mod.ts";
import { sendable } from "../../threading/mod.ts";

/** Gets two functions of a module that fails, and tells what came of each. */
export const getTwice = sendable(
  import.meta,
  async function getTwice(queue: SimpleQueue<() => unknown>) {
    const seen: string[] = [];
    for (let i = 0; i < 2; i++) {
      seen.push(await queue.get().then((f) => `got ${f()}`, String));
    }
    return seen;
  },
);

/** The same in the blocking form. */
export const getSyncTwice = sendable(
  import.meta,
  function getSyncTwice(queue: SimpleQueue<() => unknown>) {
    const seen: string[] = [];
    for (let i = 0; i < 2; i++) {
      try {
        seen.push(`got ${queue.getSync()()}`);
      } catch (error) {
        seen.push(String(error));
      }
    }
    return seen;
  },
);
