import type { Delivery, Queue } from "../../queue/mod.ts";
import { ShutDown } from "../../queue/mod.ts";
import {
  type Event,
  exit,
  sendable,
  type SharedArray,
  sleepSync,
} from "../../threading/mod.ts";
import { collect } from "../threading/heap_words.ts";
import type { Item } from "./kinds_fixture.ts";

/** How a thread that holds deliveries ends. */
export type Ending = "return" | "exit" | "error" | "killed" | "out of memory";

/** Receives items, and ends without having settled any. */
export const hold = sendable(
  import.meta,
  function hold(
    queue: Queue<Item>,
    count: number,
    received: Event,
    ending: Ending,
  ): number {
    const held = Array.from({ length: count }, () => queue.receiveSync());
    received.set();
    if (ending === "exit") exit();
    if (ending === "error") throw new Error("on purpose");
    if (ending === "killed") sleepSync(60_000);
    const memory: unknown[] = [];
    while (ending === "out of memory") memory.push(new Array(10_000).fill(1.5));
    return held.length;
  },
);

/** Receives an item, frees the queue, and waits to be killed. */
export const holdFreed = sendable(
  import.meta,
  function holdFreed(queue: Queue<Item>, received: Event): void {
    const delivery = queue.receiveSync();
    queue.free();
    received.set();
    sleepSync(60_000);
    delivery.ack();
  },
);

/** Receives an item whose module it has not loaded, and leaves it. */
export const receiveLater = sendable(
  import.meta,
  async function receiveLater(
    queue: Queue<unknown>,
  ): Promise<{ errors: string[]; deliveries: number }> {
    const errors: string[] = [];
    for (
      const attempt of [() => queue.receiveSync(), () => queue.receiveNowait()]
    ) {
      try {
        attempt();
      } catch (error) {
        errors.push((error as Error).message);
      }
    }
    const { deliveries } = await queue.receive();
    return { errors, deliveries };
  },
);

/** Naks an item with a delay, and ends. */
export const delay = sendable(
  import.meta,
  function delay(queue: Queue<Item>, ms: number): void {
    queue.receiveSync().nak({ delay: ms });
  },
);

async function receiveAndForget(queue: Queue<Item>): Promise<void> {
  await queue.receive();
}

/** Receives an item, forgets it, and collects garbage. */
export const forget = sendable(
  import.meta,
  async function forget(
    queue: Queue<Item>,
    received: Event,
    done: Event,
  ): Promise<void> {
    await receiveAndForget(queue);
    received.set();
    while (!done.isSet()) await collect();
  },
);

let left: Delivery<Item> | undefined;

/** Leaves a delivery behind for the next thread of the worker. */
export const leaveBehind = sendable(
  import.meta,
  function leaveBehind(queue: Queue<Item>): number {
    left = queue.receiveSync();
    return left.item[0];
  },
);

/** Settles what the thread before it has left behind; what that throws. */
export const settleOld = sendable(
  import.meta,
  function settleOld(): string {
    if (left === undefined) return "another worker";
    try {
      left.ack();
      return "no error";
    } catch (error) {
      left[Symbol.dispose]();
      return String(error);
    } finally {
      left = undefined;
    }
  },
);

/** Receives until the end, and acknowledges all; how many. */
export const receiveAll = sendable(
  import.meta,
  function receiveAll(queue: Queue<Item>): number {
    for (let count = 0;; count++) {
      try {
        queue.receiveSync({ timeout: 30_000 }).ack();
      } catch (error) {
        if (error instanceof ShutDown) return count;
        throw error;
      }
    }
  },
);

/** The same with many tasks of one thread, in the promise form. */
export const receiveInTasks = sendable(
  import.meta,
  async function receiveInTasks(
    queue: Queue<Item>,
    tasks: number,
  ): Promise<number> {
    let count = 0;
    const task = async () => {
      try {
        for (;; count++) {
          const delivery = await queue.receive({ timeout: 30_000 });
          if (delivery.item[0] % 3 === 0 && delivery.deliveries === 1) {
            delivery.nak();
            count--;
          } else {
            delivery.ack();
          }
        }
      } catch (error) {
        if (!(error instanceof ShutDown)) throw error;
      }
    };
    await Promise.all(Array.from({ length: tasks }, task));
    return count;
  },
);

/** A worker under a supervisor: receives, works, records, acknowledges. */
export const work = sendable(
  import.meta,
  function work(
    jobs: Queue<number>,
    done: SharedArray<Int32Array>,
    inTasks: boolean,
  ): void | Promise<void> {
    const perform = (delivery: Delivery<number>) => {
      let sum = 0;
      for (let i = 0; i < 50_000; i++) sum += i;
      Atomics.add(done.view, delivery.item, sum > 0 ? 1 : 0);
      delivery.ack();
    };
    if (inTasks) return workInTasks(jobs, perform);
    try {
      for (;;) perform(jobs.receiveSync());
    } catch (error) {
      if (!(error instanceof ShutDown)) throw error;
    }
  },
);

async function workInTasks(
  jobs: Queue<number>,
  perform: (delivery: Delivery<number>) => void,
): Promise<void> {
  const task = async () => {
    try {
      for (;;) perform(await jobs.receive());
    } catch (error) {
      if (!(error instanceof ShutDown)) throw error;
    }
  };
  await Promise.all([task(), task(), task()]);
}
