import {
  activeCount,
  currentThread,
  enumerate,
  getIdent,
  type Lock,
  mainThread,
  sendable,
  Thread,
} from "../../threading/mod.ts";

export const add = sendable(import.meta, function add(a: number, b: number) {
  return a + b;
});

export const echo = sendable(import.meta, function echo(value: unknown) {
  return value;
});

export const nothing = sendable(import.meta, function nothing() {});

export class OddError extends Error {
  static {
    sendable(import.meta, this);
  }
  override name = "OddError";
  details = { even: false };
}

export const failWith = sendable(
  import.meta,
  function failWith(how: "odd" | "cause" | "value" | "unsendable") {
    switch (how) {
      case "odd":
        throw new OddError("it is odd");
      case "cause":
        throw new TypeError("outer", { cause: new RangeError("inner") });
      case "value":
        throw { not: "an error" };
      case "unsendable":
        throw () => {};
    }
  },
);

export const returnUnsendable = sendable(
  import.meta,
  function returnUnsendable() {
    return () => {};
  },
);

export const describe = sendable(import.meta, function describe() {
  const thread = currentThread();
  return {
    name: thread.name,
    ident: thread.ident,
    getIdent: getIdent(),
    nativeId: thread.nativeId,
    daemon: thread.daemon,
    alive: thread.isAlive(),
    main: mainThread().name,
    mainIsOther: mainThread() !== thread,
    listed: enumerate().includes(thread),
    count: activeCount(),
  };
});

export const waitFor = sendable(import.meta, function waitFor(lock: Lock) {
  lock.acquireSync().release();
});

export const joinSelf = sendable(import.meta, function joinSelf() {
  currentThread().joinSync();
});

export const joinSelfAsync = sendable(
  import.meta,
  async function joinSelfAsync() {
    await currentThread().join();
  },
);

export const isDaemonsChildDaemon = sendable(
  import.meta,
  function isDaemonsChildDaemon() {
    return [
      new Thread().daemon,
      new Thread({ daemon: false }).daemon,
    ];
  },
);

export const joinOther = sendable(
  import.meta,
  function joinOther(thread: Thread) {
    return thread.joinSync();
  },
);

export class Squarer extends Thread<string> {
  static {
    sendable(import.meta, this);
  }
  square = 0;
  steps: string[] = [];
  kept: unknown = () => {};
  shared: Lock | undefined;
  constructor(private n: number) {
    super({ name: "squarer" });
    this.kept = undefined;
  }
  override run(): string {
    this.steps.push("begun");
    this.square = this.n ** 2;
    this.shared?.release();
    this.steps.push("ended");
    return this.name;
  }
}

export class Failing extends Thread<void> {
  static {
    sendable(import.meta, this);
  }
  progress = 0;
  override run(): void {
    this.progress = 50;
    throw new OddError("half-way");
  }
}

export class Awaiting extends Thread<number> {
  static {
    sendable(import.meta, this);
  }
  override async run(): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return 7;
  }
}

export class Unmarked extends Thread {}

export const failing = sendable(import.meta, function failing() {
  throw new Error("failing");
});

/** What libraries look at to tell where they run. */
export const describeSelf = sendable(import.meta, function describeSelf() {
  return {
    self: self === globalThis,
    window: "window" in globalThis,
    WorkerGlobalScope: "WorkerGlobalScope" in globalThis,
    importScripts: "importScripts" in globalThis,
  };
});
