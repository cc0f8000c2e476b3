import {
  LifoQueue,
  PriorityQueue,
  Queue,
  receiving,
  select,
  selectSync,
  SimpleQueue,
  SynchronousQueue,
} from "../../queue/mod.ts";
import {
  currentThread,
  Event,
  sendable,
  type SharedObject,
} from "../../threading/mod.ts";
import { Hooked } from "./stress_fixture.ts";

/** Each kind of queue, with a limit or without one. */
export const kinds: Record<string, (maxsize: number) => Queue<number>> = {
  Queue: (maxsize) => new Queue(maxsize),
  LifoQueue: (maxsize) => new LifoQueue(maxsize),
  PriorityQueue: (maxsize) => new PriorityQueue(maxsize),
  SimpleQueue: () => new SimpleQueue<number>() as Queue<number>,
  SynchronousQueue: () =>
    new SynchronousQueue<number>() as unknown as Queue<number>,
  "a Queue with hooks": (maxsize) => new Hooked(maxsize),
};

type Wait = (queue: Queue<number>) => unknown;

/** What waits for an item. */
export const gets: Record<string, Wait> = {
  getSync: (queue) => queue.getSync(),
  get: (queue) => queue.get(),
  "getSync with a timeout": (queue) => queue.getSync({ timeout: 600_000 }),
  "get with a timeout": (queue) => queue.get({ timeout: 600_000 }),
  getManySync: (queue) => queue.getManySync(3),
  getMany: (queue) => queue.getMany(3),
  receiveSync: (queue) => queue.receiveSync().ack(),
  receive: async (queue) => (await queue.receive()).ack(),
  selectSync: (queue) => selectSync([new Event(), queue]),
  select: (queue) => select([queue, new Event()]),
  "selectSync of a receive": (queue) =>
    selectSync([receiving(queue), new Event()]),
  "select of a receive": (queue) => select([new Event(), receiving(queue)]),
  for: (queue) => {
    for (const item of queue) return item;
    return undefined;
  },
  "for await": async (queue) => {
    for await (const item of queue) return item;
    return undefined;
  },
};

/** What waits for room. */
export const puts: Record<string, Wait> = {
  putSync: (queue) => queue.putSync(7),
  put: (queue) => queue.put(7),
  "putSync with a timeout": (queue) => queue.putSync(7, { timeout: 600_000 }),
  "selectSync of a put": (queue) => selectSync([[queue, 7], new Event()]),
  "select of a put": (queue) => select([new Event(), [queue, 7]]),
  putManySync: (queue) => queue.putManySync([7]),
  putMany: (queue) => queue.putMany([7]),
};

/** What waits for all to be done. */
export const joins: Record<string, Wait> = {
  joinSync: (queue) => queue.joinSync(),
  join: (queue) => queue.join(),
};

/** Whether a kind of queue has what a wait calls. */
export function has(queue: SharedObject, name: string): boolean {
  if (name === "for") return Symbol.iterator in queue;
  if (name === "for await") return Symbol.asyncIterator in queue;
  if (name.endsWith("of a receive")) return "receive" in queue;
  if (name.startsWith("select")) return true;
  return name.split(" ")[0] in queue;
}

/** Waits at a queue; late, when it has been cancelled. */
export const wait = sendable(
  import.meta,
  async function wait(
    queue: Queue<number>,
    name: string,
    late: Event | undefined,
  ): Promise<unknown> {
    if (late !== undefined) {
      late.set();
      while (!currentThread().signal.aborted);
    }
    return await (gets[name] ?? puts[name] ?? joins[name])(queue);
  },
);
