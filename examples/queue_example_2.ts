/**
 * The queue takes three items at a time: the producer has to wait for the
 * workers.
 *
 * The chapter's program prints, with other tasks in between:
 *
 *     push 0
 *     push 1
 *     ...
 *     push 5
 *     task 0 finished
 *     push 6
 *     task 1 finished
 *     push 7
 *     ...
 *     task 8 finished
 *
 * Two tasks are at the workers, three in the queue, and the sixth push waits.
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
  // Run with a limited queue.
  const queue = new Queue<number | null>(3);
  for (let i = 0; i < WORKERS; i++) new Worker(queue).start();
  for (let item = 0; item < 10; item++) {
    console.log(`push ${item}`);
    queue.putSync(item);
  }
  for (let i = 0; i < WORKERS; i++) queue.putSync(null); // end-of-queue markers
}
