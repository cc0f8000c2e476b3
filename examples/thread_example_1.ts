/**
 * Two low-level threads, which are killed when the main program ends.
 *
 * The chapter's program prints, with two numbers that are the threads' own and
 * as many tasks as fit into the second:
 *
 *     311 -- task 0 finished
 *     265 -- task 0 finished
 *     265 -- task 1 finished
 *     311 -- task 1 finished
 *     . . .
 *     265 -- task 17 finished
 *     311 -- task 13 finished
 *     265 -- task 18 finished
 *     goodbye!
 *
 * @module
 */

import {
  getIdent,
  sendable,
  sleepSync,
  startNewThread,
} from "@skein/std/threading";

/** Does fifty tasks, if it is given the time. */
export const worker = sendable(import.meta, function worker(): void {
  for (let task = 0; task < 50; task++) {
    // Stands for work that takes 10-100 ms.
    sleepSync(10 + Math.random() * 90);
    console.log(`${getIdent()} -- task ${task} finished`);
  }
});

if (import.meta.main) {
  for (let i = 0; i < 2; i++) startNewThread(worker);

  sleepSync(1000);
  console.log("goodbye!");
}
