/**
 * Queues that any thread reads and writes directly, in memory that the threads
 * share: no event loop stands in between. After `queue` of Python.
 *
 * {@linkcode Queue} is first-in first-out, {@linkcode LifoQueue} last-in
 * first-out, {@linkcode PriorityQueue} gives the lowest item,
 * {@linkcode SimpleQueue} does without a limit and without counting tasks, and
 * {@linkcode SynchronousQueue} hands each item over from a put to a get. Each
 * operation that waits has three forms: `get()` returns a promise and leaves the
 * event loop running, `getSync()` blocks the thread, `getNowait()` never waits.
 *
 * @example One thread owns the resource, the others send it requests
 * ```ts
 * import { Queue } from "@skein/std/queue";
 * import { sendable, Thread } from "@skein/std/threading";
 * import { assertEquals } from "@std/assert";
 *
 * interface Request {
 *   text: string;
 *   reply: Queue<string>;
 * }
 *
 * export const serve = sendable(
 *   import.meta,
 *   function serve(requests: Queue<Request | undefined>) {
 *     for (let request; (request = requests.getSync()) !== undefined;) {
 *       request.reply.putSync(request.text.toUpperCase());
 *       request.reply.free(); // this thread never returns to its event loop
 *     }
 *   },
 * );
 *
 * Deno.test("a request carries the queue for its reply", async () => {
 *   const requests = new Queue<Request | undefined>();
 *   const server = new Thread({ target: serve, args: [requests] });
 *   server.start();
 *   const reply = new Queue<string>();
 *   await requests.put({ text: "spam", reply });
 *   assertEquals(await reply.get(), "SPAM");
 *   await requests.put(undefined);
 *   await server.join();
 * });
 * ```
 *
 * @module
 */

export type { Consumer, Producer } from "./ends.ts";
export { type Delivery, type NakOptions } from "./delivery.ts";
export { Empty, Full, ShutDown } from "./errors.ts";
export {
  LifoQueue,
  PriorityQueue,
  type PriorityQueueOptions,
  Queue,
  type ShutDownOptions,
} from "./queue.ts";
export type { QueueItems } from "./_engine/get_many.ts";
export {
  after,
  every,
  receiving,
  select,
  type SelectCase,
  type SelectCases,
  type Selected,
  type SelectItem,
  selectNowait,
  type SelectNowaitOptions,
  type SelectOptions,
  type SelectSettled,
  selectSync,
  type SelectSyncOptions,
} from "./select.ts";
export type { Puttable, Receivable } from "./_cases.ts";
export { SimpleQueue } from "./simple_queue.ts";
export { SynchronousQueue } from "./synchronous_queue.ts";
