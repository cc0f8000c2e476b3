// What cancelling promises: the call that it ends is as if it was never made.
import {
  admitScope,
  createObject,
  Field,
  registerClass,
  runInScope,
  SCOPE_WORDS,
  ScopeField,
  self,
  SharedObject,
  store,
} from "../../../threading/_ground.ts";
import { ADDRESS } from "../../../threading/_ground.ts";
import { cancelScope, releaseScope } from "../../../threading/_threads.ts";
import {
  Barrier,
  Condition,
  Event,
  Lock,
  RwLock,
  Semaphore,
  sendable,
  SharedMap,
  SharedNumber,
} from "../../../threading/mod.ts";
import {
  Empty,
  Queue,
  selectSync,
  SynchronousQueue,
} from "../../../queue/mod.ts";
import { assert, assertEquals } from "@std/assert";
import { type Program, programsFrom } from "./program.ts";

/** A scope: a thread's own, once cancelled, would be so in the next run, too. */
export class Task extends SharedObject {
  constructor() {
    super(createObject(KIND, Field.own + SCOPE_WORDS));
  }

  /** Runs a function that {@linkcode Task.cancel} ends; whether it came to its end. */
  run(fn: () => void): boolean;
  run(fn: () => Promise<void>): Promise<boolean>;
  run(fn: () => void | Promise<void>): boolean | Promise<boolean> {
    const address = this[ADDRESS];
    const at = address + Field.own;
    store(at + ScopeField.slot, self);
    const leave = () => store(at + ScopeField.slot, 0);
    const failed = (error: unknown) => {
      leave();
      if ((error as Error).name !== "AbortError") throw error;
      return false;
    };
    try {
      const result = runInScope(admitScope(address, at), fn, []);
      if (result !== undefined) {
        return result.then(() => (leave(), true), failed);
      }
    } catch (error) {
      return failed(error);
    }
    leave();
    return true;
  }

  /** Ends it at its next wait, or in the one under way. */
  cancel(): void {
    cancelScope(this[ADDRESS], this[ADDRESS] + Field.own, 0);
  }
}

const KIND = registerClass(import.meta, {
  constructor: Task,
  destroy: (task) => releaseScope(task + Field.own),
});

export class Objects {
  static {
    sendable(import.meta, this);
  }
  task = new Task();
  lock = new Lock();
  condition = new Condition();
  semaphore = new Semaphore(0);
  event = new Event();
  barrier = new Barrier(2);
  rwLock = new RwLock();
  map = new SharedMap<string, number>();
  one = new Queue<number>(1);
  queue = new Queue<number>();
  direct = new SynchronousQueue<number>();
  count = new SharedNumber(0);
  taken = new SharedNumber(0);
  /** What the one that is cancelled has got. */
  got = new SharedNumber(0);
}

const setup = sendable(import.meta, function setupCancel() {
  return new Objects();
});
const cancel = sendable(import.meta, function cancelIt({ task }: Objects) {
  task.cancel();
});

const lockCancelled = sendable(
  import.meta,
  function lockCancelled({ task, lock, got }: Objects) {
    task.run(() => {
      lock.acquireSync();
      got.add(1);
      lock.release();
    });
  },
);
const lockOnce = sendable(
  import.meta,
  function lockOnce({ lock, count }: Objects) {
    lock.acquireSync();
    count.add(1);
    lock.release();
  },
);
const lockIsFree = sendable(
  import.meta,
  function lockIsFreeAfterCancel({ lock, count }: Objects) {
    assertEquals([lock.locked(), count.value], [false, 1]);
  },
);

function take({ condition, count }: Objects): void {
  using _ = condition.acquireSync();
  while (count.value === 0) condition.waitSync();
  count.value = count.value - 1;
}
const takeCancelled = sendable(
  import.meta,
  function takeCancelled(objects: Objects) {
    objects.task.run(() => take(objects));
  },
);
const takeAlways = sendable(
  import.meta,
  function takeAlways(objects: Objects) {
    take(objects);
    objects.taken.add(1);
  },
);
/** The second one makes up for the one that the cancelled thread may have got. */
const giveAndCancel = sendable(
  import.meta,
  function giveAndCancel({ condition, count, task }: Objects) {
    for (let i = 0; i < 2; i++) {
      using _ = condition.acquireSync();
      count.value = count.value + 1;
      condition.notify();
      task.cancel();
    }
  },
);
const otherTook = sendable(
  import.meta,
  function otherTookAfterCancel({ taken, condition }: Objects) {
    assertEquals(taken.value, 1);
    condition.acquireNowait()!.release();
  },
);

const acquireCancelled = sendable(
  import.meta,
  function acquireCancelled({ task, semaphore, got }: Objects) {
    task.run(() => {
      semaphore.acquireSync();
      got.add(1);
    });
  },
);
const acquireAlways = sendable(
  import.meta,
  function acquireAlways({ semaphore, taken }: Objects) {
    semaphore.acquireSync();
    taken.add(1);
  },
);
const releaseAndCancel = sendable(
  import.meta,
  function releaseAndCancel({ semaphore, task }: Objects) {
    semaphore.release();
    task.cancel();
    semaphore.release();
  },
);
const permitsAreRight = sendable(
  import.meta,
  function permitsAreRight({ semaphore, got, taken }: Objects) {
    assertEquals(taken.value, 1);
    const left = semaphore.acquireNowait() === undefined ? 0 : 1;
    assertEquals([got.value + left, semaphore.acquireNowait()], [1, undefined]);
  },
);

const waitCancelled = sendable(
  import.meta,
  function waitCancelled({ task, event, got }: Objects) {
    got.value = task.run(() => event.waitSync()) ? 1 : 2;
  },
);
const setAndCancel = sendable(
  import.meta,
  function setAndCancel({ task, event }: Objects) {
    task.cancel();
    event.set();
  },
);
const waited = sendable(import.meta, function waited({ got }: Objects) {
  assert(got.value > 0);
});

const meetCancelled = sendable(
  import.meta,
  function meetCancelled({ task, barrier, got }: Objects) {
    got.add(task.run(() => void barrier.waitSync()) ? 1 : 2);
  },
);
/** It is cancelled, or the barrier has let it through. */
const meetAfter = sendable(
  import.meta,
  function meetAfter({ task, barrier, got }: Objects) {
    task.cancel();
    try {
      barrier.waitSync({ timeout: 1000 });
      got.add(10);
    } catch (error) {
      if ((error as Error).name !== "TimeoutError") throw error;
    }
  },
);
const metOrLeft = sendable(
  import.meta,
  function metOrLeft({ got }: Objects) {
    assert([2, 11].includes(got.value), `${got.value}`);
  },
);

const writeCancelled = sendable(
  import.meta,
  function writeCancelled({ task, rwLock }: Objects) {
    task.run(() => {
      using _ = rwLock.acquireWriteSync();
    });
  },
);
const readBeside = sendable(
  import.meta,
  function readBeside({ rwLock, taken }: Objects) {
    using _ = rwLock.acquireReadSync();
    taken.add(1);
  },
);
const rwIsFree = sendable(
  import.meta,
  function rwIsFreeAfterCancel({ rwLock, taken }: Objects) {
    assertEquals(taken.value, 1);
    using guard = rwLock.acquireWriteNowait();
    assert(guard !== undefined);
  },
);

const createCancelled = sendable(
  import.meta,
  function createCancelled({ task, map }: Objects) {
    task.run(() => void map.getOrCreateSync("key", () => 1));
  },
);
const createAlways = sendable(
  import.meta,
  function createAlways({ map, taken }: Objects) {
    taken.value = map.getOrCreateSync("key", () => 1);
  },
);
const isCreated = sendable(
  import.meta,
  function isCreated({ map, taken }: Objects) {
    assertEquals([map.get("key"), map.size(), taken.value], [1, 1, 1]);
  },
);

const getCancelled = sendable(
  import.meta,
  function getCancelled({ task, queue, got }: Objects) {
    task.run(() => void got.add(queue.getSync()));
  },
);
const getCancelledAsync = sendable(
  import.meta,
  async function getCancelledAsync({ task, queue, got }: Objects) {
    await task.run(async () => void got.add(await queue.get()));
  },
);
const receiveCancelled = sendable(
  import.meta,
  function receiveCancelled({ task, queue, got }: Objects) {
    task.run(() => {
      const delivery = queue.receiveSync();
      got.add(delivery.item);
      delivery.ack();
    });
  },
);
const selectCancelled = sendable(
  import.meta,
  function selectCancelled({ task, queue, event, got }: Objects) {
    task.run(() => {
      const { index, value } = selectSync([event, queue]);
      if (index === 1) got.add(value as number);
    });
  },
);
const getAlways = sendable(
  import.meta,
  function getAlways({ queue, taken }: Objects) {
    taken.value = queue.getSync();
  },
);
const putAndCancel = sendable(
  import.meta,
  function putAndCancel({ task, queue }: Objects) {
    queue.putSync(1);
    task.cancel();
    queue.putSync(2);
  },
);
const nothingLost = sendable(
  import.meta,
  function nothingLost({ queue, got, taken }: Objects) {
    const left = queue.qsize() === 0 ? 0 : queue.getNowait();
    assertEquals(got.value + taken.value + left, 3);
    assertEquals(queue.qsize(), 0);
  },
);

const putCancelled = sendable(
  import.meta,
  function putCancelled({ task, one, got }: Objects) {
    got.value = task.run(() => {
        one.putSync(1);
        one.putSync(1);
      })
      ? 2
      : 1;
  },
);
const getAndCancel = sendable(
  import.meta,
  function getAndCancel({ task, one, taken }: Objects) {
    task.cancel();
    try {
      taken.add(one.getNowait());
    } catch (error) {
      assert(error instanceof Empty);
    }
  },
);
const nonePutTwice = sendable(
  import.meta,
  function nonePutTwice({ one, got, taken }: Objects) {
    const put = taken.value + one.qsize();
    assert(got.value === 1 ? put <= 1 : put === 2, `${put}`);
  },
);

const handOverCancelled = sendable(
  import.meta,
  function handOverCancelled({ task, direct, got }: Objects) {
    if (task.run(() => direct.putSync(1))) got.value = 1;
  },
);
const takeAndCancel = sendable(
  import.meta,
  function takeAndCancel({ task, direct, taken }: Objects) {
    task.cancel();
    try {
      taken.value = direct.getNowait();
    } catch (error) {
      assert(error instanceof Empty);
    }
  },
);
const bothOrNone = sendable(
  import.meta,
  function bothOrNone({ got, taken }: Objects) {
    assertEquals(got.value, taken.value);
  },
);

const program = programsFrom(setup);

export const programs: Program[] = [
  program("cancel, Lock", 1, [lockCancelled, lockOnce, cancel], lockIsFree),
  program(
    "cancel, Condition",
    1,
    [takeCancelled, takeAlways, giveAndCancel],
    otherTook,
  ),
  program(
    "cancel, Semaphore",
    1,
    [acquireCancelled, acquireAlways, releaseAndCancel],
    permitsAreRight,
  ),
  program("cancel, Event", 2, [waitCancelled, setAndCancel], waited),
  program("cancel, Barrier", 2, [meetCancelled, meetAfter], metOrLeft),
  program("cancel, RwLock", 1, [writeCancelled, readBeside, cancel], rwIsFree),
  program(
    "cancel, SharedMap.getOrCreateSync",
    1,
    [createCancelled, createAlways, cancel],
    isCreated,
  ),
  program(
    "cancel, Queue.get",
    1,
    [getCancelled, getAlways, putAndCancel],
    nothingLost,
  ),
  program(
    "cancel, Queue.get in promise form",
    1,
    [getCancelledAsync, getAlways, putAndCancel],
    nothingLost,
  ),
  program(
    "cancel, Queue.receive",
    1,
    [receiveCancelled, getAlways, putAndCancel],
    nothingLost,
  ),
  program(
    "cancel, select",
    1,
    [selectCancelled, getAlways, putAndCancel],
    nothingLost,
  ),
  program("cancel, Queue.put", 2, [putCancelled, getAndCancel], nonePutTwice),
  program(
    "cancel, SynchronousQueue",
    2,
    [handOverCancelled, takeAndCancel],
    bothOrNone,
  ),
];
