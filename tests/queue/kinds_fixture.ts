import {
  LifoQueue,
  PriorityQueue,
  Queue,
  SimpleQueue,
} from "../../queue/mod.ts";
import { sendable } from "../../threading/mod.ts";

/** An item that all kinds of queues can order: by its number. */
export type Item = [number, { text: string }];

/** The item with a number. */
export function item(n: number): Item {
  return [n, { text: `item ${n}` }];
}

/** An item whose put fails at a queue that compares or has hooks. */
export const BAD = -13;

/** Compares items by their numbers; a bad one cannot be compared. */
export const byNumber = sendable(
  import.meta,
  function byNumber(a: Item, b: Item): number {
    if (a[0] === BAD || b[0] === BAD) throw new RangeError("bad item");
    return a[0] - b[0];
  },
);

/** First-in first-out, by hooks. */
export class HookedFifo<T> extends Queue<T> {
  static {
    sendable(import.meta, this);
  }
  protected override _put(item: T): void {
    this.queue.insert(0, item);
    if ((item as Item)[0] === BAD) throw new RangeError("bad item");
  }
  protected override _get(): T {
    return this.queue.pop()!;
  }
}

/** Last-in first-out, by a hook of Queue. */
export class HookedStack<T> extends Queue<T> {
  static {
    sendable(import.meta, this);
  }
  protected override _put(item: T): void {
    if ((item as Item)[0] === BAD) throw new RangeError("bad item");
    this.queue.insert(0, item);
  }
}

/** A PriorityQueue of which a hook is overridden, but not the order. */
export class HookedPriority<T> extends PriorityQueue<T> {
  static {
    sendable(import.meta, this);
  }
  protected override _put(item: T): void {
    if ((item as Item)[0] === BAD) throw new RangeError("bad item");
    super._put(item);
  }
}

type Order = "fifo" | "lifo" | "lowest";

/** A kind of queue. */
export interface Kind {
  name: string;
  order: Order;
  /** Makes one; undefined where there are no limits. */
  make(maxsize: number): Queue<Item>;
  /** Whether a put of a `BAD` item throws. */
  refusesBad: boolean;
}

/** All kinds of queues with a limit. */
export const kinds: Kind[] = [
  {
    name: "Queue",
    order: "fifo",
    make: (maxsize) => new Queue(maxsize),
    refusesBad: false,
  },
  {
    name: "LifoQueue",
    order: "lifo",
    make: (maxsize) => new LifoQueue(maxsize),
    refusesBad: false,
  },
  {
    name: "PriorityQueue",
    order: "lowest",
    make: (maxsize) => new PriorityQueue(maxsize),
    refusesBad: false,
  },
  {
    name: "PriorityQueue with compare",
    order: "lowest",
    make: (maxsize) => new PriorityQueue({ maxsize, compare: byNumber }),
    refusesBad: true,
  },
  {
    name: "Queue with hooks",
    order: "fifo",
    make: (maxsize) => new HookedFifo(maxsize),
    refusesBad: true,
  },
  {
    name: "a stack of hooks",
    order: "lifo",
    make: (maxsize) => new HookedStack(maxsize),
    refusesBad: true,
  },
  {
    name: "PriorityQueue with hooks",
    order: "lowest",
    make: (maxsize) => new HookedPriority(maxsize),
    refusesBad: true,
  },
];

/** The kinds, and the one that has neither a limit nor tasks. */
export const unlimited: {
  name: string;
  make(): SimpleQueue<Item>;
  order: Order;
}[] = [
  ...kinds.map(({ name, make, order }) => ({
    name,
    make: () => make(0),
    order,
  })),
  { name: "SimpleQueue", make: () => new SimpleQueue<Item>(), order: "fifo" },
];

const compareNumbers = sendable(
  import.meta,
  function compareNumbers(a: number, b: number): number {
    return a - b;
  },
);

/** The same, of numbers. */
export const ofNumbers: {
  name: string;
  make(): SimpleQueue<number>;
  /** Whether what was handed to several goes back onto a stack. */
  isStack: boolean;
}[] = [
  { name: "Queue", make: () => new Queue(), isStack: false },
  { name: "LifoQueue", make: () => new LifoQueue(), isStack: true },
  { name: "PriorityQueue", make: () => new PriorityQueue(), isStack: false },
  { name: "SimpleQueue", make: () => new SimpleQueue(), isStack: false },
  {
    name: "PriorityQueue with compare",
    make: () => new PriorityQueue({ compare: compareNumbers }),
    isStack: false,
  },
  { name: "Queue with hooks", make: () => new HookedFifo(), isStack: false },
  { name: "a stack of hooks", make: () => new HookedStack(), isStack: false },
];

/** The order in which items come out that were put one after the other. */
export function inOrder(order: Order, numbers: number[]): number[] {
  switch (order) {
    case "fifo":
      return [...numbers];
    case "lifo":
      return numbers.toReversed();
    case "lowest":
      return numbers.toSorted((a, b) => a - b);
  }
}

/** Blocks for an item and returns its number. */
export const getNumber = sendable(
  import.meta,
  function getNumber(queue: SimpleQueue<Item>): number {
    return queue.getSync({ timeout: 20_000 })[0];
  },
);

/** Blocks until an item is in. */
export const putNumber = sendable(
  import.meta,
  function putNumber(queue: SimpleQueue<Item>, n: number): void {
    queue.putSync(item(n), { timeout: 20_000 });
  },
);

/** A queue that does not know its size. */
export class Odd<T> extends Queue<T> {
  static {
    sendable(import.meta, this);
  }

  constructor(private answer: unknown) {
    super();
  }

  protected override _qsize(): number {
    return this.answer as number;
  }
}
