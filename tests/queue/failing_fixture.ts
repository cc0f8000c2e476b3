import { Queue } from "../../queue/mod.ts";
import {
  currentThread,
  type Event,
  mainThread,
  sendable,
  sleepSync,
} from "../../threading/mod.ts";

/** An item that says what `_get` does with it. */
export interface Order {
  n: number;
  /** Throws, wherever it runs. */
  fails?: boolean;
  /** Throws in the main thread. */
  failsInMain?: boolean;
  /** Is set by the first thread that meets it, which stays there. */
  met?: Event;
}

/** A first-in first-out queue whose `_get` may fail. */
export class Picky extends Queue<Order> {
  static {
    sendable(import.meta, this);
  }
  protected override _get(): Order {
    const item = this.queue.shift()!;
    if (item.fails) throw new RangeError("picky");
    if (item.failsInMain && currentThread() === mainThread()) {
      throw new RangeError("not here");
    }
    if (item.met !== undefined && !item.met.isSet()) {
      item.met.set();
      sleepSync(60_000);
    }
    return item;
  }
}

/** Blocks for an item; returns its number, or the message of the error. */
export const getNumber = sendable(
  import.meta,
  function getNumber(queue: Picky): number | string {
    try {
      return queue.getSync({ timeout: 60_000 }).n;
    } catch (error) {
      return (error as Error).message;
    }
  },
);

/** Waits for an item in a task. */
export const getLater = sendable(
  import.meta,
  async function getLater(queue: Picky): Promise<number | string> {
    try {
      return (await queue.get({ timeout: 60_000 })).n;
    } catch (error) {
      return (error as Error).message;
    }
  },
);

/** Receives an item and acknowledges it. */
export const receiveNumber = sendable(
  import.meta,
  function receiveNumber(queue: Picky): number | string {
    try {
      const delivery = queue.receiveSync({ timeout: 60_000 });
      delivery.ack();
      return delivery.item.n;
    } catch (error) {
      return (error as Error).message;
    }
  },
);

/** A queue whose hooks do nothing right. */
export class Lazy extends Queue<number> {
  static {
    sendable(import.meta, this);
  }
  protected override _get(): number {
    return this.queue.at(0)!;
  }
}

/** A queue that says that it is never empty. */
export class Boastful extends Queue<number> {
  static {
    sendable(import.meta, this);
  }
  protected override _qsize(): number {
    return 5;
  }
}

/** A queue whose `_qsize` throws as often as it is told to. */
export class Weak extends Queue<number> {
  static {
    sendable(import.meta, this);
  }
  /** How often it still does so in this thread. */
  static failures = 0;
  protected override _qsize(): number {
    if (Weak.failures === 0) return super._qsize();
    Weak.failures--;
    throw new RangeError("weak");
  }
}
