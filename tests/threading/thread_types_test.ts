/**
 * The types of what makes threads. `deno check` looks at them; what is run here
 * only shows that the right uses work, too.
 */

import { assertEquals } from "@std/assert";
import {
  sendable,
  startNewThread,
  Thread,
  type ThreadOptions,
  Timer,
} from "../../threading/mod.ts";

const greet = (name: string, times?: number) => `hello ${name} ${times}`;
const zero = () => 1;
const later = (n: number) => Promise.resolve([n]);
const optional = (n = 1) => n;
const rest = (...numbers: number[]) => numbers.length;
const identity = <T>(value: T) => value;
const firstLater = <T>([first]: readonly T[]) => Promise.resolve(first);
const pair = <K, V>(key: K, value: V) => new Map([[key, value]]);

/** That two types are the same, not only assignable. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends
  (<T>() => T extends B ? 1 : 2) ? true : false;
function same<A, B>(..._: Same<A, B> extends true ? [] : [never]): void {}

class PassesOn extends Thread<string> {
  constructor(options: ThreadOptions<string>) {
    super(options);
  }
}

class Subclass extends Thread<string> {
  static {
    sendable(import.meta, this);
  }
  constructor() {
    super({ name: "subclass" });
  }
  override run() {
    return "run";
  }
}

class WithTarget extends Thread<string> {
  constructor() {
    super({ target: greet, args: ["a"] });
  }
}

Deno.test("Thread's types need no type arguments", () => {
  const thread = new Thread({ target: greet, args: ["a"] });
  same<ReturnType<typeof thread.joinSync>, string>();
  const asynchronous = new Thread({ target: later, args: [1] });
  same<ReturnType<typeof asynchronous.joinSync>, number[]>();
  const readonly = ["a", 1] as const;
  const all: Thread[] = [
    thread,
    asynchronous,
    new Thread(),
    new Thread({ name: "nameless" }),
    new Thread({ target: greet, args: ["a", 2] }),
    new Thread({ target: greet, args: readonly }),
    new Thread({ target: zero }),
    new Thread({ target: zero, args: [] }),
    new Thread({ target: optional }),
    new Thread({ target: optional, args: [1] }),
    new Thread({ target: rest }),
    new Thread({ target: rest, args: [1, 2, 3] }),
    new Subclass(),
    new WithTarget(),
  ];
  const strings: Thread<string>[] = [thread, new Subclass(), new WithTarget()];
  assertEquals(all.length + strings.length, 17);
});

Deno.test("Thread's types follow those of a generic target", () => {
  const numbers = new Thread({ target: identity, args: [1] });
  same<ReturnType<typeof numbers.joinSync>, number>();
  const texts = new Thread({ target: firstLater, args: [["a", "b"]] });
  same<Awaited<ReturnType<typeof texts.join>>, string>();
  const maps = new Thread({ target: pair, args: ["a", true], name: "maps" });
  same<ReturnType<typeof maps.joinSync>, Map<string, boolean>>();
  const timer = new Timer(1, identity, [1]);
  same<ReturnType<typeof timer.joinSync>, number | undefined>();
});

Deno.test("Thread's types need one type argument at most", () => {
  const thread = new Thread<string>({ target: greet, args: ["a"] });
  same<typeof thread, Thread<string>>();
  const options: ThreadOptions<string> = { target: greet, args: ["a"] };
  const all: Thread[] = [
    thread,
    new Thread<number>({ target: zero }),
    new Thread<number[]>({ target: later, args: [1] }),
    new Thread<void>(),
    new Thread(options),
    new Thread<string, [string]>({ target: greet, args: ["a"] }),
  ];
  assertEquals(all.length, 6);
});

Deno.test("Timer's types need no type arguments, and one at most", () => {
  const timer = new Timer(1, greet, ["a"]);
  same<ReturnType<typeof timer.joinSync>, string | undefined>();
  const all: Timer[] = [
    timer,
    new Timer<string>(1, greet, ["a"]),
    new Timer(1, zero),
    new Timer<number>(1, zero),
    new Timer(1, optional),
    new Timer(1, optional, [2]),
    new Timer(1, later, [1]),
  ];
  assertEquals(all.length, 7);
});

/** What a function of the user's passes on. Not called. */
export function passOn<R, A extends unknown[]>(
  fn: (...args: A) => R,
  ...args: A
): void {
  const thread: Thread<R> = new Thread({ target: fn, args });
  const timer: Timer<R> = new Timer(1, fn, args);
  const one: Thread<string> = new PassesOn({ target: greet, args: ["a"] });
  startNewThread(fn, args);
  void [thread, timer, one];
}

/** Not called. */
export function wrong(): void {
  // @ts-expect-error The argument is of another type.
  new Thread({ target: greet, args: [1] });
  // @ts-expect-error The argument is missing.
  new Thread({ target: greet });
  // @ts-expect-error There is no such argument.
  new Thread({ target: zero, args: [1] });
  // @ts-expect-error The result is of another type.
  new Thread<number>({ target: greet, args: ["a"] });
  // @ts-expect-error The result is of another type.
  const numbers: Thread<number> = new Thread({ target: greet, args: ["a"] });
  // @ts-expect-error The target is missing.
  new Thread({ args: [1] });
  // @ts-expect-error The target is missing.
  new Thread({ args: [] });
  // @ts-expect-error The result is of another type.
  const texts: Thread<string> = new Thread({ target: identity, args: [1] });
  // @ts-expect-error There is no such option.
  new Thread({ target: zero, nam: "x" });
  // @ts-expect-error It is no function.
  new Thread({ target: 1 });
  // @ts-expect-error The argument is missing.
  new Thread<string>({ target: greet });
  // @ts-expect-error There are no such arguments.
  new Thread<string, [string]>({ target: greet, args: ["a", 2] });
  // @ts-expect-error The daemon is of another type.
  new Thread({ target: zero, daemon: "yes" });
  // @ts-expect-error The result is of another type.
  new Timer<number>(1, greet, ["a"]);
  // @ts-expect-error The argument is of another type.
  new Timer(1, greet, [1]);
  // @ts-expect-error The argument is missing.
  new Timer(1, greet);
  // @ts-expect-error There is no such argument.
  new Timer(1, zero, [1]);
  // @ts-expect-error The argument is of another type.
  startNewThread(greet, [1]);
  // @ts-expect-error The argument is missing.
  startNewThread(greet);
  startNewThread(zero);
  startNewThread(greet, ["a"]);
  startNewThread(rest, [1, 2]);
  void [numbers, texts];
}
