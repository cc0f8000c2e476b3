/**
 * One thread owns the resource, and the others send it requests: "the preferred
 * approach to task coordination is to concentrate all access to a resource in a
 * single thread and then use the `Queue` module to feed that thread with
 * requests from other threads". A request carries the queue for its reply.
 *
 * Prints, with the clients in any order:
 *
 *     Thread-2: the balance is 10 after deposit 1
 *     Thread-3: the balance is 20 after deposit 1
 *     ...
 *     balance: 120
 *
 * @module
 */

import { Queue } from "@skein/std/queue";
import { currentThread, sendable, Thread } from "@skein/std/threading";

/** What the bank is asked to do, and where it answers. */
export interface Request {
  deposit: number;
  reply: Queue<number>;
}

/** Owns the balance, which needs no lock: nobody else sees it. */
export const bank = sendable(
  import.meta,
  function bank(requests: Queue<Request | null>): number {
    let balance = 0;
    for (;;) {
      const request = requests.getSync();
      if (request === null) return balance;
      balance += request.deposit;
      request.reply.putSync(balance);
      // A thread that only blocks never collects what it does not need.
      request.reply.free();
    }
  },
);

/** Makes four deposits. */
export const client = sendable(
  import.meta,
  function client(requests: Queue<Request | null>): void {
    const reply = new Queue<number>();
    for (let i = 1; i <= 4; i++) {
      requests.putSync({ deposit: 10, reply });
      const balance = reply.getSync();
      console.log(
        `${currentThread().name}: the balance is ${balance} after deposit ${i}`,
      );
    }
  },
);

if (import.meta.main) {
  const requests = new Queue<Request | null>();
  const owner = new Thread({ target: bank, args: [requests] });
  owner.start();
  const clients = Array.from(
    { length: 3 },
    () => new Thread({ target: client, args: [requests] }),
  );
  for (const thread of clients) thread.start();
  for (const thread of clients) await thread.join();
  await requests.put(null);
  console.log(`balance: ${await owner.join()}`);
}
