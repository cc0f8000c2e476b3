import {
  type Delivery,
  type Queue,
  receiving,
  select,
  type SelectCase,
  selectNowait,
  selectSync,
  type SimpleQueue,
  type SynchronousQueue,
} from "../../queue/mod.ts";
import {
  type Event,
  isTimeout,
  sendable,
  type SharedArray,
} from "../../threading/mod.ts";
import { dice, Put } from "./stress_fixture.ts";

/** Any queue of numbers. */
export type Numbers =
  | SimpleQueue<number>
  | SynchronousQueue<number>
  | Queue<number>;

type Words = SharedArray<Int32Array>;

/** How many tasks each thread runs. */
export const TASKS = 2;

/** What {@linkcode mix} works on. */
export interface Mixed {
  queues: Numbers[];
  /** What became of each put, and how often each item was got. */
  puts: Words;
  gets: Words;
  /** Set when all is put. */
  stop: Event;
}

const GAVE_UP = "gave up";

/** Puts the numbers from `first` to below `end`, and gets any, until `stop`. */
export const mix = sendable(
  import.meta,
  async function mix(
    { queues, puts, gets, stop }: Mixed,
    first: number,
    end: number,
    seed: number,
    done: Event,
  ) {
    let next = first;
    const task = async (roll: (n: number) => number): Promise<void> => {
      let id = next < end ? next++ : -1;
      if (id >= 0) puts.view[id] = Put.tried;
      for (;;) {
        const cases: SelectCase[] = [stop];
        const all = roll(2) === 0;
        for (const queue of queues) {
          if (all || roll(2) === 0) {
            const receives = "receive" in queue && roll(4) === 0;
            cases.push(receives ? receiving(queue) : queue);
          }
          if (id >= 0 && roll(2) === 0) cases.push([queue, id]);
        }
        // Else all might wait for each other's items for ever.
        const patient = all && (id < 0 || cases.length > 1 + queues.length);
        const chosen = await choose(cases, patient, roll);
        if (chosen === undefined) continue;
        const { index, value } = chosen;
        if (index === 0) return;
        if (Array.isArray(cases[index])) {
          puts.view[id] = Put.done;
          id = next < end ? next++ : -1;
          if (id >= 0) puts.view[id] = Put.tried;
          else if (next === end) done.set();
        } else if (typeof value === "number") {
          Atomics.add(gets.view, value, 1);
        } else {
          const delivery = value as Delivery<number>;
          if (roll(4) === 0) {
            delivery.nak({ delay: roll(3) });
          } else {
            delivery.ack();
            Atomics.add(gets.view, delivery.item, 1);
          }
        }
      }
    };
    const tasks: Promise<void>[] = [];
    for (let i = 0; i < TASKS; i++) tasks.push(task(dice(seed + i * 7919)));
    await Promise.all(tasks);
    for (const queue of queues) queue.free();
    for (const shared of [puts, gets, stop, done]) shared.free();
  },
);

/** Selects in one of all forms; gives up now and then. */
async function choose(
  cases: SelectCase[],
  patient: boolean,
  roll: (n: number) => number,
): Promise<{ index: number; value: unknown } | undefined> {
  const timeout = patient && roll(4) > 0 ? Infinity : roll(8);
  try {
    switch (roll(6)) {
      case 0:
        return selectNowait(cases);
      case 1: {
        const controller = new AbortController();
        const { signal } = controller;
        const ending = select(cases, { signal });
        if (roll(2) === 0) controller.abort(GAVE_UP);
        else setTimeout(() => controller.abort(GAVE_UP), roll(4));
        return await ending;
      }
      case 2:
      case 3:
        // The other tasks of the thread cannot go on meanwhile.
        return selectSync(cases, { timeout: Math.min(timeout, 20) });
      default:
        return await select(cases, { timeout });
    }
  } catch (error) {
    if (error === GAVE_UP || isTimeout(error)) return undefined;
    throw error;
  }
}
