import {
  Barrier,
  BoundedSemaphore,
  Condition,
  Event,
  InterpreterLock,
  Local,
  Lock,
  mainThread,
  RLock,
  RwLock,
  Semaphore,
  sendable,
  setExcepthook,
  SharedArray,
  SharedList,
  SharedMap,
  SharedNumber,
  shield,
  sleepSync,
  span,
  stackSize,
  startNewThread,
  startTrace,
  Thread,
  Timer,
} from "../../../mod.ts";
import { bad, badAsyncWait, badWait, type Row, type Table } from "./table.ts";

const lock = new Lock();
const rlock = new RLock();
const rwLock = new RwLock();
const released = rwLock.acquireWriteSync();
released.release();
const condition = new Condition();
const held = new Condition();
const heldLock = new InterpreterLock();
const freeLock = new InterpreterLock();
const semaphore = new Semaphore(0);
const event = new Event();
const barrier = new Barrier(2);
const number = new SharedNumber(0);
const list = new SharedList<unknown>([1]);
const map = new SharedMap<unknown, unknown>([[1, 1]]);
const notStarted = () => new Thread({ target: () => {} });
const unmarked = () => {};
class Unmarked {}

// A call that needs the lock has it, and fails for what it is given.
held.acquireSync();
heldLock.acquireSync();

const notSendable = (call: (value: never) => unknown) =>
  [unmarked, new Unmarked(), Symbol(), [{ unmarked }]].map((value) => () =>
    call(value as never)
  );

const badMany = (take: (n: never) => unknown): Row => ({
  TypeError: [bad.text, bad.none, bad.null].map((n) => () => take(n)),
  RangeError: [0, -1, 1.5, NaN, 2 ** 31].map((n) => () => take(n as never)),
});

/** What `threading` refuses. */
export const threadingTable: Table = {
  "new Barrier": {
    TypeError: [
      () => new Barrier(2, { actions: () => {} } as never),
      () => new Barrier(bad.text),
      () => new Barrier(bad.none),
      () => new Barrier(2, { action: bad.number }),
      () => new Barrier(2, { timeout: bad.text }),
      () => new Barrier(2, bad.number),
    ],
    RangeError: [
      () => new Barrier(0),
      () => new Barrier(-1),
      () => new Barrier(1.5),
      () => new Barrier(2, { timeout: -1 }),
    ],
  },
  "Barrier.wait": badAsyncWait((options) => barrier.wait(options)),
  "Barrier.waitSync": badWait((options) => barrier.waitSync(options)),
  "new BoundedSemaphore": {
    TypeError: [() => new BoundedSemaphore(bad.text)],
    RangeError: [() => new BoundedSemaphore(-1)],
  },
  "new Condition": {
    TypeError: [
      () => new Condition(bad.object),
      () => new Condition(bad.null),
      () => new Condition(semaphore as never),
    ],
  },
  "Condition.acquire": badAsyncWait((options) => condition.acquire(options)),
  "Condition.acquireSync": badWait((options) => condition.acquireSync(options)),
  "Condition.release": { ThreadingError: [() => condition.release()] },
  "Condition.wait": badAsyncWait((options) => held.wait(options), {
    ThreadingError: [() => condition.wait()],
  }),
  "Condition.waitSync": badWait((options) => held.waitSync(options), {
    ThreadingError: [() => condition.waitSync()],
  }),
  "Condition.waitFor": badAsyncWait(
    (options) => held.waitFor(() => false, options),
    {
      TypeError: [() => held.waitFor(bad.text), () => held.waitFor(bad.none)],
      ThreadingError: [() => condition.waitFor(() => false)],
    },
  ),
  "Condition.waitForSync": badWait(
    (options) => held.waitForSync(() => false, options),
    {
      TypeError: [() => held.waitForSync(bad.text)],
      ThreadingError: [() => condition.waitForSync(() => false)],
    },
  ),
  "Condition.notify": {
    TypeError: [() => held.notify(bad.text)],
    RangeError: [() => held.notify(-1), () => held.notify(0.5)],
    ThreadingError: [() => condition.notify()],
  },
  "Condition.notifyAll": { ThreadingError: [() => condition.notifyAll()] },
  "Event.wait": badAsyncWait((options) => event.wait(options)),
  "Event.waitSync": badWait((options) => event.waitSync(options)),
  "InterpreterLock.acquire": badAsyncWait((options) =>
    freeLock.acquire(options)
  ),
  "InterpreterLock.acquireSync": badWait((options) =>
    freeLock.acquireSync(options)
  ),
  "InterpreterLock.release": { ThreadingError: [() => freeLock.release()] },
  "InterpreterLock.check": { ThreadingError: [() => freeLock.check()] },
  "InterpreterLock.setCheckInterval": {
    TypeError: [() => freeLock.setCheckInterval(bad.text)],
    RangeError: [
      () => freeLock.setCheckInterval(0),
      () => freeLock.setCheckInterval(1.5),
    ],
  },
  "InterpreterLock.allowThreads": {
    TypeError: [() => heldLock.allowThreads(bad.text)],
    ThreadingError: [() => freeLock.allowThreads(() => 1)],
  },
  "new Local": { TypeError: [() => new Local(bad.number)] },
  "Lock.acquire": badAsyncWait((options) => lock.acquire(options)),
  "Lock.acquireSync": badWait((options) => lock.acquireSync(options)),
  "Lock.release": { ThreadingError: [() => lock.release()] },
  "Lock.run": badAsyncWait((options) => lock.run(() => 1, options), {
    TypeError: [() => lock.run(bad.text), () => lock.run(bad.none)],
  }),
  "Lock.runSync": badWait((options) => lock.runSync(() => 1, options), {
    TypeError: [
      () => lock.runSync(bad.text),
      () => lock.runSync((() => Promise.resolve()) as never),
    ],
  }),
  "RLock.acquire": badAsyncWait((options) => rlock.acquire(options)),
  "RLock.acquireSync": badWait((options) => rlock.acquireSync(options)),
  "RLock.release": { ThreadingError: [() => rlock.release()] },
  "RLock.run": badAsyncWait((options) => rlock.run(() => 1, options), {
    TypeError: [() => rlock.run(bad.text), () => rlock.run(bad.none)],
  }),
  "RLock.runSync": badWait((options) => rlock.runSync(() => 1, options), {
    TypeError: [
      () => rlock.runSync(bad.text),
      () => rlock.runSync((() => Promise.resolve()) as never),
    ],
  }),
  "RwLock.acquireRead": badAsyncWait((options) => rwLock.acquireRead(options)),
  "RwLock.acquireReadSync": badWait((options) =>
    rwLock.acquireReadSync(options)
  ),
  "RwLock.acquireWrite": badAsyncWait((options) =>
    rwLock.acquireWrite(options)
  ),
  "RwLock.acquireWriteSync": badWait((options) =>
    rwLock.acquireWriteSync(options)
  ),
  "RwLock.downgrade": { ThreadingError: [() => released.downgrade()] },
  "new Semaphore": {
    TypeError: [() => new Semaphore(bad.text), () => new Semaphore(bad.null)],
    RangeError: [
      () => new Semaphore(-1),
      () => new Semaphore(0.5),
      () => new Semaphore(2 ** 31),
    ],
  },
  "Semaphore.acquire": badAsyncWait((options) => semaphore.acquire(options)),
  "Semaphore.acquireSync": badWait((options) => semaphore.acquireSync(options)),
  "Semaphore.acquireMany": badAsyncWait(
    (options) => semaphore.acquireMany(1, options),
    badMany((n) => semaphore.acquireMany(n)),
  ),
  "Semaphore.acquireManySync": badWait(
    (options) => semaphore.acquireManySync(1, options),
    badMany((n) => semaphore.acquireManySync(n)),
  ),
  "Semaphore.acquireManyNowait": badMany((n) => semaphore.acquireManyNowait(n)),
  "Semaphore.release": {
    TypeError: [() => semaphore.release(bad.text)],
    RangeError: [() => semaphore.release(0), () => semaphore.release(-1)],
    ThreadingError: [
      () => new BoundedSemaphore(1).release(),
      () => new Semaphore(2 ** 31 - 2).release(),
    ],
  },
  "new SharedArray": {
    TypeError: [
      () => new SharedArray(Array as never, 1),
      () => new SharedArray(bad.text, 1),
      () => new SharedArray(Float64Array, bad.text),
    ],
    RangeError: [
      () => new SharedArray(Float64Array, -1),
      () => new SharedArray(Float64Array, 1.5),
    ],
  },
  "new SharedList": {
    TypeError: [() => new SharedList(bad.number)],
    NotSendableError: notSendable((item) => new SharedList([item])),
  },
  "SharedList.at": {
    RangeError: [() => list.at(0.5), () => list.at(NaN)],
    TypeError: [() => list.at(bad.text)],
  },
  "SharedList.set": {
    RangeError: [() => list.set(9, 1), () => list.set(0.5, 1)],
    TypeError: [() => list.set(bad.text, 1)],
    NotSendableError: notSendable((item) => list.set(0, item)),
  },
  "SharedList.push": {
    NotSendableError: notSendable((item) => list.push(item)),
  },
  "SharedList.insert": {
    RangeError: [() => list.insert(NaN, 1)],
    TypeError: [() => list.insert(bad.text, 1)],
    NotSendableError: notSendable((item) => list.insert(0, item)),
  },
  "SharedList.removeAt": {
    RangeError: [() => list.removeAt(9), () => list.removeAt(0.5)],
    TypeError: [() => list.removeAt(bad.text)],
  },
  "new SharedMap": {
    TypeError: [
      () => new SharedMap(bad.number),
      () => new SharedMap([1] as never),
    ],
    NotSendableError: notSendable((value) => new SharedMap([[1, value]])),
  },
  "SharedMap.get": { NotSendableError: notSendable((key) => map.get(key)) },
  "SharedMap.has": { NotSendableError: notSendable((key) => map.has(key)) },
  "SharedMap.delete": {
    NotSendableError: notSendable((key) => map.delete(key)),
  },
  "SharedMap.setIfAbsent": {
    NotSendableError: [
      ...notSendable((key) => map.setIfAbsent(key, 1)),
      ...notSendable((value) => map.setIfAbsent(1, value)),
    ],
  },
  "SharedMap.deleteIf": {
    TypeError: [
      () => map.deleteIf(1, bad.text),
      () => map.deleteIf(1, bad.none),
      () => map.deleteIf(1, (() => Promise.resolve(true)) as never),
    ],
    NotSendableError: notSendable((key) => map.deleteIf(key, () => true)),
  },
  "SharedMap.set": {
    NotSendableError: [
      ...notSendable((key) => map.set(key, 1)),
      ...notSendable((value) => map.set(1, value)),
    ],
  },
  "SharedMap.update": badAsyncWait(
    (options) => map.update(1, () => 1, options),
    {
      TypeError: [() => map.update(1, bad.text)],
      NotSendableError: notSendable((value) => map.update(1, () => value)),
    },
  ),
  "SharedMap.updateSync": badWait(
    (options) => map.updateSync(1, () => 1, options),
    {
      TypeError: [() => map.updateSync(1, bad.text)],
      NotSendableError: notSendable((value) => map.updateSync(1, () => value)),
    },
  ),
  "SharedMap.getOrCreate": badAsyncWait(
    (options) => map.getOrCreate(2, () => 1, options),
    {
      TypeError: [() => map.getOrCreate(2, bad.text)],
      NotSendableError: notSendable((value) => map.getOrCreate(2, () => value)),
    },
  ),
  "SharedMap.getOrCreateSync": badWait(
    (options) => map.getOrCreateSync(2, () => 1, options),
    {
      TypeError: [() => map.getOrCreateSync(2, bad.text)],
      NotSendableError: notSendable((value) =>
        map.getOrCreateSync(2, () => value)
      ),
    },
  ),
  "new SharedNumber": { TypeError: [() => new SharedNumber(bad.text)] },
  "SharedNumber.value": { TypeError: [() => number.value = bad.text] },
  "SharedNumber.add": {
    TypeError: [() => number.add(bad.text), () => number.add(bad.null)],
  },
  "new Thread": {
    TypeError: [
      () => new Thread({ deamon: true } as never),
      () => new Thread({ target: bad.text }),
      () => new Thread({ target: () => {}, args: bad.number }),
      () => new Thread({ args: [1] } as never),
      () => new Thread({ target: () => {}, name: bad.number }),
      () => new Thread({ signal: bad.object }),
      () => new Thread(bad.fn),
      () => new Thread(bad.text),
    ],
  },
  "Thread.cancel": {
    TypeError: [
      () => notStarted().cancel(undefined, { grace: bad.text }),
      () => notStarted().cancel(undefined, { timeout: 1 } as never),
      () => notStarted().cancel(undefined, bad.number),
    ],
    RangeError: [
      () => notStarted().cancel(undefined, { grace: -1 }),
      () => notStarted().cancel(undefined, { grace: NaN }),
    ],
    NotSendableError: notSendable((value) => notStarted().cancel(value)),
    ThreadingError: [() => mainThread().cancel()],
  },
  "Thread.signal": { ThreadingError: [() => notStarted().signal] },
  "Thread.start": {
    NotSendableError: [() => new Thread({ target: unmarked }).start()],
    ThreadingError: [() => mainThread().start()],
  },
  "Thread.join": badAsyncWait((options) => mainThread().join(options), {
    ThreadingError: [() => notStarted().join(), () => mainThread().join()],
  }),
  "Thread.joinSync": badWait((options) => mainThread().joinSync(options), {
    ThreadingError: [
      () => notStarted().joinSync(),
      () => mainThread().joinSync(),
    ],
  }),
  "Thread.terminate": {
    ThreadingError: [
      () => notStarted().terminate(),
      () => mainThread().terminate(),
    ],
  },
  "new Timer": {
    TypeError: [
      () => new Timer(bad.text, () => {}),
      () => new Timer(1, bad.text),
      () => new Timer(1, () => {}, bad.number),
    ],
    RangeError: [() => new Timer(-1, () => {}), () => new Timer(NaN, () => {})],
  },
  sendable: {
    TypeError: [
      () => sendable(import.meta, bad.text),
      () =>
        sendable(
          import.meta,
          class {
            #hidden = 1;
            seen = this.#hidden;
          },
        ),
      () => sendable(bad.none, function named() {}),
      () => sendable(bad.object, function named() {}),
    ],
    ThreadingError: [
      () =>
        sendable(import.meta, function twice() {}) &&
        sendable(import.meta, function twice() {}),
    ],
  },
  setExcepthook: { TypeError: [() => setExcepthook(bad.text)] },
  shield: { TypeError: [() => shield(bad.text), () => shield(bad.none)] },
  sleepSync: {
    TypeError: [() => sleepSync(bad.text), () => sleepSync(bad.none)],
    RangeError: [() => sleepSync(-1), () => sleepSync(NaN)],
  },
  span: {
    TypeError: [
      () => span(bad.number),
      () => span(bad.none),
      () => span("named", bad.text),
      () => span("named", bad.none),
    ],
  },
  stackSize: {
    TypeError: [() => stackSize(bad.text)],
    RangeError: [() => stackSize(-1), () => stackSize(0.5)],
  },
  startNewThread: {
    TypeError: [
      () => startNewThread(bad.text),
      () => startNewThread(unmarked as never, bad.number),
    ],
    NotSendableError: [() => startNewThread(unmarked)],
  },
  startTrace: {
    TypeError: [
      () => startTrace(bad.none),
      () => startTrace(bad.text),
      () => startTrace({} as never),
      () => startTrace({ path: "" }),
      () => startTrace({ path: bad.number }),
      () => startTrace({ path: new URL("https://example.com/") }),
      () => startTrace({ path: "/tmp/x", events: bad.text }),
      () => startTrace({ path: "/tmp/x", events: [bad.text] }),
      () => startTrace({ path: "/tmp/x", limit: bad.text }),
      () => startTrace({ path: "/tmp/x", args: bad.text }),
      () => startTrace({ path: "/tmp/x", limits: 1 } as never),
    ],
    RangeError: [-1, 0, 0.5, NaN].map((limit) => () =>
      startTrace({ path: "/tmp/x", limit })
    ),
    NotFound: [() => startTrace({ path: "/tmp/none/here/x" })],
  },
};
