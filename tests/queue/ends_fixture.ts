import { assertThrows } from "@std/assert";
import { Empty, type Queue } from "../../queue/mod.ts";
import { sendable, type SharedArray } from "../../threading/mod.ts";
import { dice } from "./stress_fixture.ts";

/** An item is a sequence number times this, and the number of its producer. */
const PRODUCERS = 8;

/** Puts items of one producer in order, one by one and together. */
export const putInOrder = sendable(
  import.meta,
  function putInOrder(
    queue: Queue<number>,
    producer: number,
    count: number,
    seed: number,
  ) {
    const roll = dice(seed);
    for (let sequence = 0; sequence < count;) {
      const size = Math.min(1 + roll(3), count - sequence);
      const items = Array.from(
        { length: size },
        () => sequence++ * PRODUCERS + producer,
      );
      if (size > 1) queue.putManySync(items);
      else queue.putSync(items[0]);
    }
  },
);

/**
 * Gets items in all blocking ways and reports them as done.
 *
 * @returns How many items were not behind the one before of their producer.
 */
export const getInOrder = sendable(
  import.meta,
  function getInOrder(
    queue: Queue<number>,
    count: number,
    seed: number,
    done: SharedArray<Int32Array>,
  ): number {
    const roll = dice(seed);
    const next = new Array(PRODUCERS).fill(0);
    let wrong = 0;
    for (let got = 0; got < count;) {
      for (const item of getSome(queue, roll)) {
        const producer = item % PRODUCERS;
        if ((item - producer) / PRODUCERS !== next[producer]++) wrong++;
        got++;
        Atomics.add(done.view, 0, 1);
        queue.taskDone();
      }
    }
    return wrong;
  },
);

function getSome(queue: Queue<number>, roll: (n: number) => number): number[] {
  try {
    switch (roll(4)) {
      case 0:
        return [queue.getNowait()];
      case 1:
        return [queue.getSync({ timeout: 1 })];
      case 2:
        return queue.getManySync(5);
      default:
        return [queue.getSync()];
    }
  } catch (error) {
    if (error instanceof Empty) return [];
    throw error;
  }
}

/** Looks at the size of a queue until told; returns the least and the most. */
export const watchSize = sendable(
  import.meta,
  function watchSize(
    queue: Queue<number>,
    end: SharedArray<Int32Array>,
  ): [number, number] {
    let least = Infinity;
    let most = -Infinity;
    while (Atomics.load(end.view, 0) === 0) {
      const size = queue.qsize();
      least = Math.min(least, size);
      most = Math.max(most, size);
    }
    return [least, most];
  },
);

/**
 * Fills a queue and empties it, again and again, and closes its ends at both.
 * `phase` is odd while there is one item at the most.
 */
export const fillAndEmpty = sendable(
  import.meta,
  function fillAndEmpty(
    queue: Queue<unknown>,
    phase: SharedArray<Int32Array>,
    rounds: number,
  ) {
    for (let round = 0; round < rounds; round++) {
      queue.putManySync(Array.from({ length: 100 }, (_, i) => i));
      queue.putManySync([{ closes: "the ends" }]);
      queue.getManySync(200);
      Atomics.add(phase.view, 0, 1);
      for (let i = 0; i < 5; i++) {
        queue.putSync(i);
        queue.getSync();
        assertThrows(() => queue.getSync({ timeout: 0 }), Empty);
      }
      Atomics.add(phase.view, 0, 1);
    }
    Atomics.store(phase.view, 0, -1);
  },
);

/** The greatest size that a queue seemed to have in an odd phase. */
export const watchPhases = sendable(
  import.meta,
  function watchPhases(
    queue: Queue<unknown>,
    phase: SharedArray<Int32Array>,
  ): number {
    let most = 0;
    for (;;) {
      const before = Atomics.load(phase.view, 0);
      if (before < 0) return most;
      const size = queue.qsize();
      const after = Atomics.load(phase.view, 0);
      if (before === after && before % 2 === 1) most = Math.max(most, size);
    }
  },
);
