import { type Consumer, type Producer, Queue } from "../../queue/mod.ts";
import { type Event, sendable, sleepSync } from "../../threading/mod.ts";
import { collect } from "../threading/heap_words.ts";
import { type Item, item } from "./kinds_fixture.ts";

/** How a thread ends its part. */
export type Ending = "close" | "using" | "return" | "throw" | "free" | "task";

/** Puts some items by a producer of its own, and ends in some way. */
export const produce = sendable(
  import.meta,
  async function produce(
    queue: Queue<Item>,
    numbers: number[],
    ending: Ending,
  ): Promise<void> {
    if (ending === "using") {
      using producer = queue.producer();
      producer.putManySync(numbers.map(item));
      return;
    }
    const producer = queue.producer();
    if (ending === "task") await producer.putMany(numbers.map(item));
    else for (const n of numbers) producer.putSync(item(n));
    if (ending === "close") producer.close();
    if (ending === "free") producer.free();
    if (ending === "throw") throw new RangeError("on purpose");
  },
);

/** Makes a producer and puts until it is killed. */
export const putForEver = sendable(
  import.meta,
  function putForEver(queue: Queue<Item>, ready: Event): void {
    const producer = queue.producer();
    ready.set();
    for (let n = 1;; n++) producer.putSync(item(n));
  },
);

/** Puts by a producer that it was given. */
export const putBy = sendable(
  import.meta,
  function putBy(producer: Producer<Item>, numbers: number[]): number {
    for (const n of numbers) producer.putSync(item(n));
    producer.close();
    return numbers.length;
  },
);

/** Blocks until the queue ends; returns how many items it got. */
export const getAll = sendable(
  import.meta,
  function getAll(queue: Queue<Item> | Consumer<Item>): number {
    let count = 0;
    for (const _ of queue) count++;
    return count;
  },
);

/** Gets by a consumer of its own until it is killed. */
export const consume = sendable(
  import.meta,
  function consume(queue: Queue<Item>, done: Queue<number>): void {
    const consumer = queue.consumer();
    for (;;) {
      const delivery = consumer.receiveSync();
      done.putSync(delivery.item[0]);
      delivery.ack();
    }
  },
);

async function putAndForget(queue: Queue<Item>): Promise<void> {
  await queue.producer().put(item(1));
}

/** Forgets a producer and collects garbage. */
export const forget = sendable(
  import.meta,
  async function forget(queue: Queue<Item>, done: Event): Promise<void> {
    await putAndForget(queue);
    while (!done.isSet()) await collect();
  },
);

/** A queue whose `_put` takes its time. */
export class Slow extends Queue<Item> {
  static {
    sendable(import.meta, this);
  }
  constructor(private putting: Event) {
    super();
  }
  protected override _put(item: Item): void {
    this.putting.set();
    sleepSync(300);
    super._put(item);
  }
}

/** Puts an item; returns the name of the error. */
export const tryPut = sendable(
  import.meta,
  function tryPut(queue: Queue<Item>): string {
    try {
      queue.putSync(item(1));
      return "put";
    } catch (error) {
      return (error as Error).name;
    }
  },
);
