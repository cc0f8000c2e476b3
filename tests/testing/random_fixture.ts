// Small programs that are drawn by lot, the same ones for the same number.
import {
  Condition,
  Event,
  isTimeout,
  Lock,
  sendable,
  SharedMap,
  SharedNumber,
} from "../../threading/mod.ts";
import { Queue } from "../../queue/mod.ts";

/** What they do it with. */
export class Objects {
  static {
    sendable(import.meta, this);
  }
  x = new SharedNumber(0);
  y = new SharedNumber(0);
  lock = new Lock();
  other = new Lock();
  event = new Event();
  condition = new Condition();
  map = new SharedMap<string, number>();
  queue = new Queue<number>(1);
  /** What each thread has seen, digit by digit. */
  seen = [new SharedNumber(0), new SharedNumber(0)];
}

const setup = sendable(import.meta, function setupRandom() {
  return new Objects();
});

const tell = sendable(
  import.meta,
  function tellRandom({ x, y, seen: [one, two] }: Objects) {
    return [x.value, y.value, one.value, two.value];
  },
);

/** One step of a program; what it saw, as a digit. */
type Action = (objects: Objects) => number;

const onNumbers: Action[] = [
  ({ x }) => x.value,
  ({ y }) => y.value,
  ({ x }) => x.add(1),
  ({ y }) => y.add(2),
  ({ x, y }) => x.value = y.value + 1,
  ({ x, y }) => y.value = x.value + 1,
];

function locked({ lock, x }: Objects): number {
  lock.acquireSync();
  const seen = x.value;
  x.value = seen + 1;
  lock.release();
  return seen;
}

function nested(first: Lock, second: Lock, { y }: Objects): number {
  using _ = first.acquireSync();
  using __ = second.acquireSync();
  return y.add(1);
}

function inTime(action: () => unknown): number {
  try {
    action();
    return 1;
  } catch (error) {
    if (!isTimeout(error)) throw error;
    return 2;
  }
}

const onObjects: Action[] = [
  ...onNumbers,
  locked,
  locked,
  (objects) => nested(objects.lock, objects.other, objects),
  (objects) => nested(objects.other, objects.lock, objects),
  ({ lock, x }) => {
    if (lock.acquireNowait() === undefined) return 5;
    const seen = x.add(2);
    lock.release();
    return seen;
  },
  ({ lock, y }) =>
    inTime(() => {
      lock.acquireSync({ timeout: 5 });
      y.add(1);
      lock.release();
    }),
  ({ event }) => Number(event.isSet()),
  ({ event }) => (event.set(), 0),
  ({ event }) => (event.clear(), 0),
  ({ event }) => inTime(() => event.waitSync({ timeout: 5 })),
  ({ condition }) =>
    inTime(() => {
      using _ = condition.acquireSync();
      condition.waitSync({ timeout: 5 });
    }),
  ({ condition, x }) => {
    using _ = condition.acquireSync();
    condition.notify();
    return x.add(1);
  },
  ({ map }) => Number(map.setIfAbsent("key", 1)),
  ({ map }) => (map.set("key", (map.get("key") ?? 0) + 1), 0),
  ({ map }) => map.get("key") ?? 0,
  ({ queue }) => inTime(() => queue.putSync(1, { timeout: 5 })),
  ({ queue }) => inTime(() => queue.getSync({ timeout: 5 })),
];

function randomFrom(seed: number): (n: number) => number {
  let state = seed * 0x9e3779b1 | 1;
  for (let i = 0; i < 4; i++) next();
  function next(): number {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  }
  return (n) => next() % n;
}

/** A program that was drawn. */
export interface Drawn {
  name: string;
  setup: () => Objects;
  threads: ((objects: Objects) => void)[];
  check: (objects: Objects) => unknown;
}

function draw(
  name: string,
  seed: number,
  actions: Action[],
  length: number,
): Drawn {
  const random = randomFrom(seed);
  const threads = [0, 1].map((index) => {
    const chosen = Array.from(
      { length },
      () => actions[random(actions.length)],
    );
    const title = `${name}, thread ${index + 1}`;
    const { [title]: thread } = {
      [title](objects: Objects) {
        let seen = 0;
        for (const action of chosen) seen = seen * 10 + action(objects);
        objects.seen[index].value = seen;
      },
    };
    return sendable(import.meta, thread);
  });
  return { name, setup, threads, check: tell };
}

/** Programs of two numbers. */
export const numbers: Drawn[] = [];
/** Programs of locks, and of all that waits with a timeout. */
export const objects: Drawn[] = [];
for (let seed = 1; seed <= 40; seed++) {
  numbers.push(draw(`numbers ${seed}`, seed, onNumbers, 2));
  objects.push(draw(`objects ${seed}`, seed + 1000, onObjects, 2));
}
