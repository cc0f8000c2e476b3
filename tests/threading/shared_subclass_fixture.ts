/** What the tests of subclasses of shared classes run in other threads. */

import {
  Barrier,
  BoundedSemaphore,
  Condition,
  currentThread,
  enumerate,
  Event,
  InterpreterLock,
  Local,
  Lock,
  RLock,
  Semaphore,
  sendable,
  SharedArray,
  SharedList,
  SharedMap,
  SharedNumber,
  Thread,
  Timer,
} from "../../threading/mod.ts";
import {
  LifoQueue,
  PriorityQueue,
  Queue,
  SimpleQueue,
} from "../../queue/mod.ts";

export class Repeating extends Thread<void> {
  static {
    sendable(import.meta, this);
  }
  stopped = new Event();
  rounds = 0;
  override run() {
    this.stopped.waitSync();
    this.rounds++;
  }
  stop() {
    this.stopped.set();
  }
}

export const stopIt = sendable(
  import.meta,
  function stopIt(holder: { deep: Map<string, Repeating[]> } | Repeating) {
    if (holder instanceof Thread) holder.stop();
    else holder.deep.get("it")![0].stop();
  },
);

/** Sees the thread in the list of all threads first, then gets and stops it. */
export const meetFirst = sendable(
  import.meta,
  function meetFirst(queue: SimpleQueue<Repeating>): boolean[] {
    const listed = enumerate();
    const before = listed.some((thread) => thread instanceof Repeating);
    const repeating = queue.getSync();
    repeating.stop();
    return [before, listed.some((thread) => thread === repeating)];
  },
);

export const stopFromQueue = sendable(
  import.meta,
  function stopFromQueue(queue: SimpleQueue<Repeating>) {
    queue.getSync().stop();
  },
);

export const stopFromMap = sendable(
  import.meta,
  function stopFromMap(map: SharedMap<string, Repeating>) {
    map.get("it")!.stop();
  },
);

/** Fields of each kind, the object itself among them. */
function decorate<T extends object>(object: T) {
  return Object.assign(object, {
    tag: "tag",
    bell: new Event(),
    self: object,
    nested: { list: [object, 1] },
  });
}
type Decorated = ReturnType<typeof decorate<Lock>>;

class MyLock extends Lock {
  static {
    sendable(import.meta, this);
  }
}
class MyRLock extends RLock {
  static {
    sendable(import.meta, this);
  }
}
class MyCondition extends Condition {
  static {
    sendable(import.meta, this);
  }
}
class MyEvent extends Event {
  static {
    sendable(import.meta, this);
  }
}
class MySemaphore extends Semaphore {
  static {
    sendable(import.meta, this);
  }
}
class MyBounded extends BoundedSemaphore {
  static {
    sendable(import.meta, this);
  }
}
class MyBarrier extends Barrier {
  static {
    sendable(import.meta, this);
  }
}
class MyInterpreterLock extends InterpreterLock {
  static {
    sendable(import.meta, this);
  }
}
class MyNumber extends SharedNumber {
  static {
    sendable(import.meta, this);
  }
}
class MyArray extends SharedArray<Float64Array> {
  static {
    sendable(import.meta, this);
  }
}
class MyList extends SharedList<number> {
  static {
    sendable(import.meta, this);
  }
}
class MyMap extends SharedMap<string, number> {
  static {
    sendable(import.meta, this);
  }
}
class MyLocal extends Local<number> {
  static {
    sendable(import.meta, this);
  }
}
class MyTimer extends Timer<void> {
  static {
    sendable(import.meta, this);
  }
}
class MyQueue extends Queue<number> {
  static {
    sendable(import.meta, this);
  }
}
class MyHooked extends Queue<number> {
  static {
    sendable(import.meta, this);
  }
  protected override _get(): number {
    return super._get();
  }
}
class MyLifo extends LifoQueue<number> {
  static {
    sendable(import.meta, this);
  }
}
class MyPriority extends PriorityQueue<number> {
  static {
    sendable(import.meta, this);
  }
}
class MySimple extends SimpleQueue<number> {
  static {
    sendable(import.meta, this);
  }
}

const nothing = sendable(import.meta, function nothing() {});

/** One of each class that can be extended, with fields. */
export function oneOfEach(): Decorated[] {
  return [
    new MyLock(),
    new MyRLock(),
    new MyCondition(),
    new MyEvent(),
    new MySemaphore(),
    new MyBounded(),
    new MyBarrier(2),
    new MyInterpreterLock(),
    new MyNumber(),
    new MyArray(Float64Array, 2),
    new MyList(),
    new MyMap(),
    new MyLocal(() => 1),
    new MyTimer(1, nothing),
    new MyQueue(),
    new MyHooked(),
    new MyLifo(),
    new MyPriority(),
    new MySimple(),
    new Repeating(),
  ].map((object) => decorate(object) as unknown as Decorated);
}

/** What arrived of them: the names of those whose fields are whole. */
export const inspect = sendable(
  import.meta,
  function inspect(objects: Decorated[]): string[] {
    return objects.filter((object) => {
      object.bell.set();
      return object.tag === "tag" && object.self === object &&
        object.nested.list[0] === object;
    }).map((object) => object.constructor.name);
  },
);

export class Counting extends Event {
  static {
    sendable(import.meta, this);
  }
  count = 0;
  local: string | undefined;
}

/** Keeps the object all the time; gives the counts with which it arrived. */
export const counts = sendable(
  import.meta,
  function counts(first: Counting, queue: SimpleQueue<Counting>): number[] {
    const seen = [first.count];
    for (let i = 0; i < 2; i++) {
      const next = queue.getSync();
      if (next !== first) throw new Error("another handle");
      seen.push(next.count);
    }
    return seen;
  },
);

export const changeAndReturn = sendable(
  import.meta,
  function changeAndReturn(object: Counting): Counting {
    object.count = 100;
    object.local = "thread";
    return object;
  },
);

/** In its own thread the fields are what `run` works on. */
export class Working extends Thread<string[]> {
  static {
    sendable(import.meta, this);
  }
  steps: string[] = ["made"];
  me: Working = this;
  constructor(readonly queue: SimpleQueue<Working>) {
    super();
  }
  override run(): string[] {
    this.steps.push("run");
    const arrived = this.queue.getSync();
    if (arrived !== this || this.me !== this) throw new Error("not the same");
    if (currentThread() !== this) throw new Error("not the current one");
    this.steps.push("got");
    return this.steps;
  }
}

/** Throws, with a field that cannot be sent. */
export class Failing extends Thread<void> {
  static {
    sendable(import.meta, this);
  }
  callback: (() => void) | undefined;
  override run() {
    this.callback = () => {};
    throw new RangeError("in run");
  }
}

export class Link extends SharedNumber {
  static {
    sendable(import.meta, this);
  }
  constructor(readonly next: Link | undefined) {
    super();
  }
}

export const depthOf = sendable(
  import.meta,
  function depthOf(first: Link): number {
    let depth = 0;
    for (let link: Link | undefined = first; link; link = link.next) depth++;
    return depth;
  },
);
