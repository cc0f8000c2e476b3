/**
 * A supervisor: workers receive jobs from a queue, and one of them is killed
 * now and then, in the middle of a job as likely as not. What it had received
 * goes back to the queue and another one receives it, so every job is done. A
 * job whose worker was killed behind the work, but before the `ack()`, is done
 * twice.
 *
 * The chapter has no such program. This prints, with some number of workers:
 *
 *     jobs that were never done: 0
 *     workers that were killed: 5
 *
 * @module
 */

import { Queue } from "@skein/std/queue";
import {
  isTimeout,
  sendable,
  SharedMap,
  Thread,
  ThreadingError,
} from "@skein/std/threading";

const JOBS = 8000;

/** Does the jobs of a queue until there are no more. */
export const work = sendable(
  import.meta,
  function work(jobs: Queue<number>, results: SharedMap<number, number>) {
    for (;;) {
      using job = jobs.receiveSync();
      results.set(job.item, fibonacci(15));
      job.ack(); // behind the work: who is killed before it has not done the job
    }
  },
);

function fibonacci(n: number): number {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

if (import.meta.main) {
  const jobs = new Queue<number>();
  const results = new SharedMap<number, number>();
  const hire = () => {
    const worker = new Thread({
      target: work,
      args: [jobs, results],
      daemon: true,
    });
    worker.start();
    return worker;
  };
  const workers = [hire(), hire()];
  jobs.putManyNowait(Array.from({ length: JOBS }, (_, job) => job));
  let killed = 0;
  for (let done = false; !done;) {
    try {
      await jobs.join({ timeout: 150 });
      done = true;
    } catch (error) {
      if (!isTimeout(error)) throw error;
      const victim = workers.shift()!;
      victim.terminate();
      await victim.join().catch((error) => {
        if (!(error instanceof ThreadingError)) throw error;
      });
      killed++;
      workers.push(hire());
    }
  }
  console.log(`jobs that were never done: ${JOBS - results.size()}`);
  console.log(`workers that were killed: ${killed}`);
}
