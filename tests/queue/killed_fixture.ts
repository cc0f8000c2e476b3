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

/**
 * A queue whose hooks throw at the first look at an item that has an event: `_put`
 * at those above 0, `_get` at those below.
 */
export class Refusing extends Queue<Trap> {
  static {
    sendable(import.meta, this);
  }
  protected override _put(item: Trap): void {
    if (item.n > 0) refuse(item);
    super._put(item);
  }
  protected override _get(): Trap {
    const item = this.queue.at(0)!;
    if (item.n < 0) refuse(item);
    return super._get();
  }
}

function refuse(item: Trap): void {
  if (item.met === undefined || item.met.isSet()) return;
  item.met.set();
  throw new RangeError("not in this thread");
}

/** Gets by a task, and does not return to the event loop. */
export const getByTask = sendable(
  import.meta,
  function getByTask(queue: Queue<Trap>, waiting: Event): void {
    queue.get();
    waiting.set();
    for (;;);
  },
);

/** Puts by a task, and does not return to the event loop. */
export const putByTask = sendable(
  import.meta,
  function putByTask(queue: Queue<Trap>, item: Trap, waiting: Event): void {
    queue.put(item);
    waiting.set();
    for (;;);
  },
);

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
