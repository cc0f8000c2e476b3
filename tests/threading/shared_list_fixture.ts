import { sendable } from "../../threading/_codec/sendable.ts";
import type { SharedList } from "../../threading/shared/list.ts";
import type { SharedNumber } from "../../threading/shared/numbers.ts";
import { randomFrom } from "./shared_support.ts";

export class Point {
  static {
    sendable(import.meta, this);
  }
  constructor(public x: number, public y: number) {}
}

/** Moves items between two lists; none may be lost or doubled. */
export const shuffle = sendable(
  import.meta,
  function shuffle(
    a: SharedList<unknown>,
    b: SharedList<unknown>,
    seed: number,
    times: number,
  ): void {
    const random = randomFrom(seed);
    const ways = [
      (list: SharedList<unknown>) => list.pop(),
      (list: SharedList<unknown>) => list.shift(),
      (list: SharedList<unknown>) => {
        try {
          return list.removeAt(random(5));
        } catch (error) {
          if (error instanceof RangeError) return undefined;
          throw error;
        }
      },
    ];
    for (let i = 0; i < times; i++) {
      const [from, to] = random(2) ? [a, b] : [b, a];
      const item = ways[random(3)](from);
      if (item === undefined) continue;
      if (random(2)) to.push(item);
      else to.insert(random(20) - 10, item);
    }
  },
);

/** Reads what others replace, and checks that each item is whole. */
export const readAll = sendable(
  import.meta,
  function readAll(list: SharedList<number[]>, times: number): number {
    let read = 0;
    for (let i = 0; i < times; i++) {
      for (const item of i % 2 ? list : list.toArray()) {
        if (item.some((n) => n !== item[0])) throw new Error(`torn: ${item}`);
        read++;
      }
    }
    return read;
  },
);

export const replaceAll = sendable(
  import.meta,
  function replaceAll(list: SharedList<number[]>, times: number): void {
    for (let i = 0; i < times; i++) {
      const n = i * 1000;
      list.set(i % 4, Array(1 + i % 50).fill(n));
    }
  },
);

/** Works until it is killed. */
export const churn = sendable(
  import.meta,
  function churn(list: SharedList<unknown>, turns: SharedNumber): void {
    for (let i = 0;; i++) {
      list.push({ i, list }, new Point(i, i));
      list.insert(1, [i]);
      list.shift();
      list.at(0);
      list.toArray();
      list.pop();
      if (list.length() > 20) list.clear();
      turns.add();
    }
  },
);
