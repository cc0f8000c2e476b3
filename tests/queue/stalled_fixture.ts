import type { Queue, SimpleQueue } from "../../queue/mod.ts";
import { type Event, sendable, sleepSync } from "../../threading/mod.ts";

type Numbers = Queue<number> | SimpleQueue<number>;

/** Blocks for an item while tasks of its own stand in line before it. */
export const blockBehindTasks = sendable(
  import.meta,
  async function blockBehindTasks(
    queue: Numbers,
    inLine: Event,
  ): Promise<[string, number][]> {
    const got: [string, number][] = [];
    const task = async () => {
      got.push(["task", await queue.get()]);
    };
    const tasks = [task(), task(), task()];
    inLine.set();
    got.push(["sync", queue.getSync({ timeout: 10_000 })]);
    inLine.clear();
    await Promise.all(tasks);
    return got;
  },
);

/** Gets one item. */
export const getOne = sendable(
  import.meta,
  function getOne(queue: Numbers): number {
    return queue.getSync({ timeout: 10_000 });
  },
);

/** Puts one item, when others had time to block. */
export const putOne = sendable(
  import.meta,
  function putOne(queue: Numbers) {
    sleepSync(30);
    queue.putNowait(1);
  },
);
