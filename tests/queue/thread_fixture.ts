import { Queue } from "../../queue/mod.ts";
import { Lock, sendable, sleepSync, Thread } from "../../threading/mod.ts";

/** A queue that is sorted by its hooks; some items make them throw. */
export class Sorted extends Queue<number> {
  static {
    sendable(import.meta, this);
  }
  protected override _put(item: number): void {
    if (item === 13) throw new RangeError("unlucky");
    let place = this.queue.length();
    while (place > 0 && this.queue.at(place - 1)! > item) place--;
    this.queue.insert(place, item);
  }
  protected override _get(): number {
    if (this.queue.at(0) === 99) throw new RangeError("stuck");
    return this.queue.shift()!;
  }
}

/** A queue whose hooks change a lot, and then throw if the item is "bad". */
export class Messy extends Queue<string> {
  static {
    sendable(import.meta, this);
  }
  protected override _put(item: string): void {
    const list = this.queue;
    list.push(item);
    if (item !== "bad") return;
    list.insert(1, "inserted");
    list.insert(-1, "inserted");
    list.shift();
    list.set(0, "set");
    list.set(-1, "set");
    list.removeAt(1);
    list.push("x", "y");
    list.pop();
    list.clear();
    list.push("z");
    throw new RangeError("bad");
  }
  protected override _get(): string {
    const item = this.queue.shift()!;
    if (item === "stuck") throw new RangeError("stuck");
    return item;
  }
}

/** Puts so many items, in one of which it stays until it is killed. */
export const putManyAndStay = sendable(
  import.meta,
  function putManyAndStay(
    queue: Queue<unknown>,
    n: number,
    staying: Queue<null>,
  ): void {
    const text = "x".repeat(100);
    const items = Array.from({ length: n }, (_, i): unknown => [i, text]);
    items.push([n, {
      get stay() {
        staying.putSync(null);
        sleepSync(60_000);
        return 0;
      },
    }]);
    queue.putManySync(items);
  },
);

/** Gets an item. */
export const getOne = sendable(
  import.meta,
  function getOne(queue: Queue<unknown>): unknown {
    return queue.getSync();
  },
);

/** Gets an item in the promise form. */
export const getOneAsync = sendable(
  import.meta,
  async function getOneAsync(queue: Queue<unknown>): Promise<unknown> {
    return await queue.get();
  },
);

/** Puts what it gets into another queue, until it gets a null. */
export const echo = sendable(
  import.meta,
  function echo(from: Queue<unknown>, to: Queue<unknown>): void {
    for (let item; (item = from.getSync()) !== null;) to.putSync(item);
  },
);

/** Puts an item. */
export const putOne = sendable(
  import.meta,
  function putOne(queue: Queue<unknown>, item: unknown): void {
    queue.putSync(item);
  },
);

/** Gets and reports items as done. */
export const work = sendable(
  import.meta,
  function work(queue: Queue<number>, n: number): number {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      sum += queue.getSync();
      sleepSync(1);
      queue.taskDone();
    }
    return sum;
  },
);

/** A request that carries the queue for its reply. */
export interface Request {
  n: number;
  reply: Queue<number>;
}

/** Answers so many requests and never returns to its event loop. */
export const serve = sendable(
  import.meta,
  function serve(requests: Queue<Request>, n: number): void {
    for (let i = 0; i < n; i++) {
      const { n, reply } = requests.getSync();
      reply.putSync(n + 1);
      reply.free();
    }
  },
);

/** Makes a queue, fills it, and ends. */
export const make = sendable(
  import.meta,
  function make(): Queue<unknown> {
    const queue = new Queue<unknown>();
    queue.putManySync([1, { lock: new Lock() }]);
    return queue;
  },
);

/** A thread that nobody starts. */
export class Idle extends Thread<void> {
  static {
    sendable(import.meta, this);
  }
  override run(): void {}
}

/** Gets an item whose module awaits something when it is loaded. */
export const getLater = sendable(
  import.meta,
  async function getLater(queue: Queue<unknown>) {
    const errors: string[] = [];
    const attempts = [
      () => queue.getSync(),
      () => queue.getNowait(),
      () => queue.getManySync(9),
    ];
    for (const attempt of attempts) {
      try {
        attempt();
      } catch (error) {
        errors.push((error as Error).message);
      }
    }
    const size = queue.qsize();
    const item = await queue.get();
    return { errors, size, type: typeof item, rest: await queue.getMany(9) };
  },
);

/** Gets a batch, and tells how many items are left. */
export const getBatches = sendable(
  import.meta,
  function getBatches(queue: Queue<unknown>): unknown[] {
    return [queue.getManySync(9), queue.qsize()];
  },
);
