import { sendable } from "../../threading/_codec/sendable.ts";
import { sleepSync } from "../../threading/current_thread.ts";
import type { SharedMap } from "../../threading/shared/map.ts";
import type { SharedNumber } from "../../threading/shared/numbers.ts";
import { randomFrom } from "./shared_support.ts";

type Counts = SharedMap<string, number>;

/** Counts keys, in the blocking form and in the promise form. */
export const count = sendable(
  import.meta,
  async function count(
    counts: Counts,
    seed: number,
    times: number,
  ): Promise<void> {
    const random = randomFrom(seed);
    const increment = (n = 0) => n + 1;
    for (let i = 0; i < times; i++) {
      const key = `key ${random(3)}`;
      if (random(10) > 0) counts.updateSync(key, increment);
      else await counts.update(key, increment);
    }
  },
);

/** Moves units between accounts; each change is of two keys, one by one. */
export const churn = sendable(
  import.meta,
  function churn(
    map: SharedMap<unknown, unknown>,
    seed: number,
    turns: SharedNumber,
    times: number,
  ): void {
    const random = randomFrom(seed);
    for (let i = 0; i < times; i++) {
      const key = [random(20), `key ${random(20)}`, [random(20)]][random(3)];
      switch (random(6)) {
        case 0:
          map.set(key, { key, map });
          break;
        case 1:
          map.delete(key);
          break;
        case 2:
          map.updateSync(key, () => ({ key, i }));
          break;
        case 3:
          map.getOrCreateSync(key, () => ({ key, text: "x".repeat(i % 100) }));
          break;
        default: {
          const value = map.get(key) as { key: unknown } | undefined;
          if (value && JSON.stringify(value.key) !== JSON.stringify(key)) {
            throw new Error(`${Deno.inspect(key)} has ${Deno.inspect(value)}`);
          }
        }
      }
      turns.add();
    }
  },
);

/** Gets a value that takes its time to be made, and counts the making. */
export const getSlowly = sendable(
  import.meta,
  function getSlowly(cache: Counts, made: SharedNumber, key: string): number {
    return cache.getOrCreateSync(key, () => {
      const n = made.add();
      sleepSync(20);
      return n;
    });
  },
);

/** The promise form of the same. */
export const getSlowlyAsync = sendable(
  import.meta,
  function getSlowlyAsync(
    cache: Counts,
    made: SharedNumber,
    key: string,
  ): Promise<number> {
    return cache.getOrCreate(key, async () => {
      const n = made.add();
      await new Promise((resolve) => setTimeout(resolve, 20));
      return n;
    });
  },
);

/** Begins to make a value and never ends. */
export const makeForEver = sendable(
  import.meta,
  function makeForEver(cache: Counts, begun: SharedNumber, key: string): void {
    cache.getOrCreateSync(key, () => {
      begun.add();
      sleepSync(1e9);
      return 0;
    });
  },
);

/** Returns while an update that nobody awaits is still under way. */
export const leaveUpdating = sendable(
  import.meta,
  async function leaveUpdating(map: Counts): Promise<void> {
    map.update("key", () => new Promise(() => {}));
    map.update("key", () => 1);
    await Promise.resolve();
  },
);

/** Raises one key and then the other, until it is told to stop. */
export const raise = sendable(
  import.meta,
  function raise(map: SharedMap<string, string>, stop: SharedNumber): number {
    let n = 0;
    while (stop.value === 0) {
      n++;
      map.set("first", `the number is ${n}`);
      map.set("second", `the number is ${n}`);
    }
    return n;
  },
);

/** Copies a map without an end. */
export const copyForEver = sendable(
  import.meta,
  function copyForEver(map: SharedMap<string, string>, begun: SharedNumber) {
    for (;;) {
      map.snapshot();
      begun.value = 1;
    }
  },
);

/** Takes what it can of each key; returns how many it got. */
export const grab = sendable(
  import.meta,
  function grab(map: SharedMap<number, number>, me: number, keys: number) {
    let got = 0;
    for (let key = 0; key < keys; key++) if (map.setIfAbsent(key, me)) got++;
    let mine = 0;
    for (let key = 0; key < keys; key++) {
      if (map.deleteIf(key, (owner) => owner === me)) mine++;
    }
    return [got, mine];
  },
);
