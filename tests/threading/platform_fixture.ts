/** Objects of the platform in another thread. */

import { sendable, type SharedMap } from "../../threading/mod.ts";
import type { SimpleQueue } from "../../queue/mod.ts";

export class Upload extends File {
  static {
    sendable(import.meta, this);
  }
  tries = 3;
}

/** Gets values from an argument, a queue and a map; gives all of them back. */
export const gather = sendable(
  import.meta,
  function gather(
    argument: unknown,
    queue: SimpleQueue<unknown>,
    map: SharedMap<string, unknown>,
  ): unknown[] {
    return [argument, queue.getSync(), map.get("it")];
  },
);

/** Makes a Blob, and is gone when somebody reads it. */
export const make = sendable(import.meta, function make(text: string): Blob {
  return new Blob([text, new Blob(["12345"]).slice(1, 3)]);
});
