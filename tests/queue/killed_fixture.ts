import { PriorityQueue, Queue, type SimpleQueue } from "../../queue/mod.ts";
import { type Event, sendable, sleepSync } from "../../threading/mod.ts";

/** An item at which the first hook that meets it stays until it is killed. */
export interface Trap {
  n: number;
  met?: Event;
}

function step(item: Trap): void {
  if (item.met === undefined || item.met.isSet()) return;
  item.met.set();
  sleepSync(60_000);
}

/** A queue with hooks that stay in the middle of their changes. */
export class Trapping extends Queue<Trap> {
  static {
    sendable(import.meta, this);
  }
  protected override _put(item: Trap): void {
    this.queue.push({ n: -1 }, item);
    step(item);
    this.queue.removeAt(-2);
  }
}

/** Compares traps, and stays with the first that it meets. */
export const byNumber = sendable(
  import.meta,
  function byNumber(a: Trap, b: Trap): number {
    step(a);
    return a.n - b.n;
  },
);

/** The kinds of queues that run code of the user's. */
export const makers: Record<string, (maxsize: number) => Queue<Trap>> = {
  "Queue with hooks": (maxsize) => new Trapping(maxsize),
  "PriorityQueue with compare": (maxsize) =>
    new PriorityQueue({ maxsize, compare: byNumber }),
};

/** Puts an item. */
export const put = sendable(
  import.meta,
  function put(queue: Queue<Trap>, item: Trap): void {
    queue.putSync(item);
  },
);

/** Gets an item. */
export const get = sendable(
  import.meta,
  function get(queue: Queue<Trap>): number {
    return queue.getSync({ timeout: 20_000 }).n;
  },
);

/** Waits with several tasks, and does not return to the event loop. */
export const stall = sendable(
  import.meta,
  async function stall(
    queue: SimpleQueue<number>,
    tasks: number,
    waiting: Event,
    go: Event,
  ): Promise<number[]> {
    const gets = Array.from({ length: tasks }, () => queue.get());
    waiting.set();
    while (!go.isSet());
    const first = queue.getSync({ timeout: 20_000 });
    waiting.clear();
    return [first, ...await Promise.all(gets)];
  },
);
