import {
  Queue,
  receiving,
  select,
  selectSync,
  type SimpleQueue,
  type SynchronousQueue,
} from "../../queue/mod.ts";
import { type Event, sendable, sleepSync } from "../../threading/mod.ts";

const SOON = { timeout: 120_000 };

/** A queue with hooks, some of which throw. */
export class Picky extends Queue<number> {
  static {
    sendable(import.meta, this);
  }
  protected override _put(item: number): void {
    if (item === 13) throw new RangeError("unlucky");
    this.queue.push(item);
  }
  protected override _get(): number {
    if (this.queue.at(0) === 99) throw new RangeError("stuck");
    return this.queue.shift()!;
  }
}

/** Puts an item after a while. */
export const putLater = sendable(
  import.meta,
  function putLater<T>(queue: Queue<T>, item: T, ms: number) {
    sleepSync(ms);
    queue.putSync(item);
  },
);

/** Gets an item after a while. */
export const getLater = sendable(
  import.meta,
  function getLater<T>(queue: Queue<T>, ms: number): T {
    sleepSync(ms);
    return queue.getSync(SOON);
  },
);

/** Selects once, in the blocking form. */
export const selectOne = sendable(
  import.meta,
  function selectOne(queues: SimpleQueue<number>[]): [number, number] {
    const { index, value } = selectSync(queues, SOON);
    return [index, value];
  },
);

/** Receives from one of the queues, and never acknowledges. */
export const receiveOne = sendable(
  import.meta,
  function receiveOne(queues: Queue<number>[], received: Event) {
    selectSync(queues.map((queue) => receiving(queue)), SOON);
    received.set();
    sleepSync(60_000);
  },
);

/** Selects again and again, and records what it got and from where. */
export const collect = sendable(
  import.meta,
  async function collect(
    queues: Queue<number>[],
    results: Queue<[number, number]>,
    tasks: number,
  ) {
    const run = async () => {
      for (;;) {
        const { index, value } = await select(queues);
        if (value < 0) return;
        results.putNowait([index, value]);
      }
    };
    await Promise.all(Array.from({ length: tasks }, run));
  },
);

/** Meets a partner at either of two queues, as whichever end it can be. */
export const meet = sendable(
  import.meta,
  async function meet(
    queues: SynchronousQueue<number>[],
    times: number,
    blocks: boolean,
  ): Promise<{ put: number; got: number }> {
    let put = 0;
    let got = 0;
    const [a, b] = queues;
    const cases = [a, [a, 1], [b, 1], b] as const;
    for (let i = 0; i < times; i++) {
      const { index } = blocks
        ? selectSync(cases, SOON)
        : await select(cases, SOON);
      if (index === 0 || index === 3) got++;
      else put++;
    }
    return { put, got };
  },
);

/** Waits in a select until it is cancelled, and tells the error. */
export const waitToBeCancelled = sendable(
  import.meta,
  async function waitToBeCancelled(
    queue: Queue<number>,
    inLine: Event,
    blocks: boolean,
  ): Promise<string> {
    inLine.set();
    try {
      if (blocks) selectSync([queue, receiving(queue)], SOON);
      else await select([queue, receiving(queue)], SOON);
    } catch (error) {
      return String(error);
    }
    return "not cancelled";
  },
);

/** Returns, or throws, after a while. */
export const endLater = sendable(
  import.meta,
  function endLater(ms: number, error?: string): string {
    sleepSync(ms);
    if (error !== undefined) throw new RangeError(error);
    return "done";
  },
);

/** Blocks in a select while a task of its own selects, too. */
export const blockBehindSelect = sendable(
  import.meta,
  async function blockBehindSelect(
    queues: Queue<number>[],
    inLine: Event,
  ): Promise<number[]> {
    const task = select(queues, SOON);
    inLine.set();
    const { value } = selectSync(queues, SOON);
    return [value, (await task).value];
  },
);

export const throwUndefined = sendable(
  import.meta,
  function throwUndefined() {
    throw undefined;
  },
);
