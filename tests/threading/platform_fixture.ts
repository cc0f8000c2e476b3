/** Objects of the platform in another thread. */

import {
  type Event,
  sendable,
  type SharedMap,
  sleepSync,
  Thread,
} from "../../threading/mod.ts";
import type { SimpleQueue } from "../../queue/mod.ts";

export class Upload extends File {
  static {
    sendable(import.meta, this);
  }
  tries = 3;
}

/** Gets values from an argument, a queue and a map; gives all of them back. */
export const gather = sendable(
  import.meta,
  function gather(
    argument: unknown,
    queue: SimpleQueue<unknown>,
    map: SharedMap<string, unknown>,
  ): unknown[] {
    return [argument, queue.getSync(), map.get("it")];
  },
);

/** Makes a Blob, and is gone when somebody reads it. */
export const make = sendable(import.meta, function make(text: string): Blob {
  return new Blob([text, new Blob(["12345"]).slice(1, 3)]);
});

/** Memory of a class of its own. */
export class Pixels extends SharedArrayBuffer {
  static {
    sendable(import.meta, this);
  }
  width = 2;
}

/** Adds 1 to the first element of a view again and again. */
export const addUp = sendable(
  import.meta,
  function addUp(view: Int32Array<SharedArrayBuffer>, times: number): void {
    for (let i = 0; i < times; i++) Atomics.add(view, 0, 1);
  },
);

/** Adds up in threads of this thread's own, and joins them. */
export const addUpInThreads = sendable(
  import.meta,
  function addUpInThreads(
    view: Int32Array<SharedArrayBuffer>,
    times: number,
  ): SharedArrayBuffer {
    const threads = [1, 2].map(() =>
      new Thread({ target: addUp, args: [view, times] })
    );
    for (const thread of threads) thread.start();
    for (const thread of threads) thread.joinSync();
    const maker = new Thread({ target: makeMemory, args: [5] });
    maker.start();
    const made = maker.joinSync();
    Atomics.add(view, 0, new Int32Array(made)[0]);
    return made;
  },
);

/** Makes memory that holds a number. */
export const makeMemory = sendable(
  import.meta,
  function makeMemory(value: number): SharedArrayBuffer {
    const memory = new SharedArrayBuffer(8);
    new Int32Array(memory)[0] = value;
    return memory;
  },
);

/** Waits until the first element is 1, and sets the second one. */
export const answer = sendable(
  import.meta,
  function answer(view: Int32Array<SharedArrayBuffer>): string {
    const outcome = Atomics.wait(view, 0, 0, 20_000);
    Atomics.store(view, 1, 2);
    Atomics.notify(view, 1);
    return outcome;
  },
);

/** Has a module write a number into a memory, which grows then. */
export const runModule = sendable(
  import.meta,
  function runModule(
    module: WebAssembly.Module,
    memory: WebAssembly.Memory,
    value: number,
  ): WebAssembly.Module {
    const instance = new WebAssembly.Instance(module, { e: { m: memory } });
    (instance.exports.put as (value: number) => void)(value);
    memory.grow(1);
    return module;
  },
);

/** Puts memory into a queue, and waits to be killed. */
export const putAndStay = sendable(
  import.meta,
  function putAndStay(queue: SimpleQueue<unknown>): void {
    const memory = makeMemory(9);
    queue.putSync([memory, new Uint8Array(memory, 4)]);
    for (;;) sleepSync(1000);
  },
);

/** Reads the value of a map and adds 1 to it, until told to stop. */
export const readOn = sendable(
  import.meta,
  function readOn(
    map: SharedMap<string, Int32Array<SharedArrayBuffer>>,
    stop: Event,
  ): number {
    let count = 0;
    for (; !stop.isSet(); count++) Atomics.add(map.get("it")!, 0, 1);
    return count;
  },
);

/** A thread with raw memory in its fields. */
export class Filler extends Thread {
  static {
    sendable(import.meta, this);
  }
  readonly memory = new SharedArrayBuffer(8);
  view: Int32Array | undefined;

  override run(): void {
    this.view = new Int32Array(this.memory, 4, 1);
    this.view[0] = 3;
  }
}

/** Whether memory is a key of a map, and what is stored under it. */
export const lookUp = sendable(
  import.meta,
  function lookUp(
    map: SharedMap<SharedArrayBuffer, string>,
    memory: SharedArrayBuffer,
  ): string | undefined {
    return map.get(memory);
  },
);
