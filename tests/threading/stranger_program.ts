/**
 * Kills threads that have queues, which the main thread does not know, and
 * prints by how many words the heap grew meanwhile for each.
 */

import { Event, SharedMap, sleepSync, Thread } from "../../threading/mod.ts";
import { Header, words } from "../../threading/_memory/heap.ts";
import {
  holdQueue,
  leaveQueue,
  lookAround,
  waitToPut,
} from "./stranger_fixture.ts";

const ROUNDS = 4;

/** How much is allocated when somebody has seen what killed threads left. */
function allocatedWords(): number {
  const thread = new Thread<void>({ target: lookAround });
  thread.start();
  thread.joinSync({ timeout: 120_000 });
  thread.free();
  return words[Header.allocatedWords];
}

if (import.meta.main) {
  const map = new SharedMap<string, unknown>();
  for (const target of [holdQueue, waitToPut, leaveQueue]) {
    let before = 0;
    for (let round = 0; round <= ROUNDS; round++) {
      if (round === 1) before = allocatedWords();
      const ready = new Event();
      const thread = new Thread<void>({ target, args: [ready, map] });
      thread.start();
      ready.waitSync({ timeout: 120_000 });
      if (target === leaveQueue) {
        thread.joinSync({ timeout: 120_000 });
        map.delete("queue");
      } else {
        if (target === waitToPut) sleepSync(20);
        thread.terminate();
        try {
          thread.joinSync({ timeout: 120_000 });
        } catch {
          // It was terminated.
        }
      }
      thread.free();
      ready.free();
    }
    const grown = allocatedWords() - before;
    console.log(target.name, Math.round(grown / ROUNDS));
  }
}
