/**
 * Two workers share ten items. An item that says so ends each of them.
 *
 * The chapter's program prints, with the tasks in any order:
 *
 *     task 1 finished
 *     task 0 finished
 *     task 3 finished
 *     ...
 *     task 8 finished
 *
 * @module
 */

import { Queue } from "@skein/std/queue";
import { sendable, sleepSync, Thread } from "@skein/std/threading";

const WORKERS = 2;

/** Finishes what it gets. */
export class Worker extends Thread<void> {
  static {
    sendable(import.meta, this);
  }

  constructor(private queue: Queue<number | null>) {
    super();
  }

  override run(): void {
    for (;;) {
      const item = this.queue.getSync();
      if (item === null) break; // reached end of queue

      // Stands for work that takes 10-100 ms.
      sleepSync(10 + Math.random() * 90);
      console.log(`task ${item} finished`);
    }
  }
}

if (import.meta.main) {
  const queue = new Queue<number | null>(0);
  for (let i = 0; i < WORKERS; i++) new Worker(queue).start();
  for (let i = 0; i < 10; i++) queue.putSync(i);
  for (let i = 0; i < WORKERS; i++) queue.putSync(null); // end-of-queue markers
}
