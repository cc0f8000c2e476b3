/**
 * Ten workers with ten tasks each count them in one counter.
 *
 * The chapter's program prints, with the threads in any order:
 *
 *     Thread-1 -- task 0 finished 1
 *     Thread-3 -- task 0 finished 3
 *     Thread-7 -- task 0 finished 8
 *     Thread-1 -- task 1 finished 7
 *     ...
 *     Thread-6 -- task 9 finished 98
 *     Thread-4 -- task 9 finished 99
 *     Thread-9 -- task 9 finished 100
 *
 * @module
 */

import {
  Lock,
  sendable,
  SharedNumber,
  sleepSync,
  Thread,
} from "@skein/std/threading";

/** Counts, however many threads ask at once. */
export class Counter {
  static {
    sendable(import.meta, this);
  }
  lock = new Lock();
  value = new SharedNumber(0);

  increment(): number {
    using _ = this.lock.acquireSync(); // critical section
    const value = this.value.value + 1;
    this.value.value = value;
    return value;
  }
}

/** Does ten tasks and counts each. */
export class Worker extends Thread<void> {
  static {
    sendable(import.meta, this);
  }

  // Every thread runs the top level of this module for itself: a counter made
  // there would be another one in each. So each worker is given the one.
  constructor(private counter: Counter) {
    super();
  }

  override run(): void {
    for (let task = 0; task < 10; task++) {
      const value = this.counter.increment();
      // Stands for work that takes 10-100 ms.
      sleepSync(10 + Math.random() * 90);
      console.log(`${this.name} -- task ${task} finished ${value}`);
    }
  }
}

if (import.meta.main) {
  const counter = new Counter();
  for (let i = 0; i < 10; i++) new Worker(counter).start();
}
