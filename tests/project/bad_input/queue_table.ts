import {
  after,
  every,
  LifoQueue,
  PriorityQueue,
  Queue,
  receiving,
  select,
  selectNowait,
  selectSync,
  SynchronousQueue,
  Thread,
} from "../../../mod.ts";
import {
  bad,
  badAsyncWait,
  badWait,
  join,
  type Row,
  type Table,
} from "./table.ts";

const full = new Queue<unknown>(1);
full.putSync(1);
const empty = new Queue<unknown>();
const closed = new Queue<unknown>();
closed.shutdown();
const alone = new SynchronousQueue<unknown>();
const over = new SynchronousQueue<unknown>();
over.shutdown();
const lowest = new PriorityQueue<unknown>();
const unmarked = () => {};
const wrongCounts = (get: (n: never) => unknown) => ({
  TypeError: [() => get(bad.text), () => get(bad.none)],
  RangeError: [0, -1, 1.5, NaN].map((n) => () => get(n as never)),
});
const wrongLimits = (make: (maxsize: never) => unknown) => ({
  TypeError: [() => make(bad.text), () => make(bad.null)],
  RangeError: [() => make(0.5 as never), () => make(NaN as never)],
});

/** What no select takes. */
function badSelect(
  call: (cases: never, options?: never) => unknown,
  more: Row = {},
): Row {
  const given = (...cases: unknown[]) => () => call(cases as never);
  return join({
    TypeError: [
      given(),
      () => call(bad.none),
      () => call(empty as never),
      ...[1, "1", null, undefined, {}, () => {}].map((each) => given(each)),
      given([empty]),
      given([empty, 1, 2]),
      given([1, empty]),
      given(closed, 1),
      given([lowest, {}]),
    ],
    ShutDown: [given(closed), given([closed, 1]), given(receiving(closed))],
    NotSendableError: [given([empty, unmarked])],
    ThreadingError: [given(new Thread())],
  }, more);
}
class Unmarked extends Queue<unknown> {}

/** What `queue` refuses. */
export const queueTable: Table = {
  "new Queue": wrongLimits((maxsize) => new Queue(maxsize)),
  "new LifoQueue": wrongLimits((maxsize) => new LifoQueue(maxsize)),
  "new PriorityQueue": join(
    wrongLimits((maxsize) => new PriorityQueue(maxsize)),
    {
      TypeError: [
        () => new PriorityQueue({ maxsize: bad.text }),
        () => new PriorityQueue({ compare: bad.number }),
        () => new PriorityQueue({ maxSize: 1 } as never),
      ],
      RangeError: [() => new PriorityQueue({ maxsize: 0.5 })],
      NotSendableError: [() => new PriorityQueue({ compare: () => 0 })],
    },
  ),
  "Queue.taskDone": { ThreadingError: [() => empty.taskDone()] },
  "Queue.join": badAsyncWait((options) => full.join(options)),
  "Queue.joinSync": badWait((options) => full.joinSync(options)),
  "Queue.receive": badAsyncWait((options) => empty.receive(options), {
    Empty: [() => empty.receive({ timeout: 0 })],
    ShutDown: [() => closed.receive()],
  }),
  "Queue.receiveSync": badWait((options) => empty.receiveSync(options), {
    Empty: [() => empty.receiveSync({ timeout: 0 })],
    ShutDown: [() => closed.receiveSync()],
  }),
  "Queue.receiveNowait": {
    Empty: [() => empty.receiveNowait()],
    ShutDown: [() => closed.receiveNowait()],
  },
  "Queue.items": badAsyncWait((options) => {
    empty.items(options);
    return Promise.resolve();
  }, {
    TypeError: [
      () => [...full.items({ signal: new AbortController().signal })],
    ],
  }),
  "Queue.shutdown": {
    TypeError: [
      () => new Queue().shutdown(bad.number),
      () => new Queue().shutdown({ now: true } as never),
    ],
  },
  select: badAsyncWait(
    (options) => select([empty, [full, 1]], options),
    badSelect((cases, options) => select(cases, options), {
      TypeError: [() => select([empty], { settled: 1 } as never)],
    }),
  ),
  selectSync: badWait(
    (options) => selectSync([empty, [full, 1]], options),
    badSelect((cases, options) => selectSync(cases, options), {
      TypeError: [
        () => selectSync([empty], { settled: 1 } as never),
        () => selectSync([empty], { signal: AbortSignal.abort() } as never),
      ],
      ThreadingError: [() => selectSync([alone, [full, 1]])],
    }),
  ),
  selectNowait: badSelect((cases, options) => selectNowait(cases, options), {
    TypeError: [
      () => selectNowait([empty], { settled: 1 } as never),
      () => selectNowait([empty], { timeout: 1 } as never),
    ],
  }),
  receiving: {
    TypeError: [
      () => receiving(bad.text),
      () => receiving(bad.none),
      () => receiving(alone as never),
    ],
  },
  after: {
    TypeError: [() => after(bad.text), () => after(bad.none)],
    RangeError: [-1, NaN, 2 ** 31].map((ms) => () => after(ms)),
    NotSendableError: [() => empty.putNowait(after(1))],
  },
  every: {
    TypeError: [() => every(bad.text), () => every(bad.none)],
    RangeError: [0, -1, NaN, Infinity, 2 ** 31].map((ms) => () => every(ms)),
    NotSendableError: [() => empty.putNowait(every(1))],
  },
  "Queue.producer": {
    ShutDown: [() => closed.producer()],
    NotSendableError: [() => new Unmarked().producer()],
  },
  "Queue.consumer": { NotSendableError: [() => new Unmarked().consumer()] },
  "SynchronousQueue.put": badAsyncWait((options) => alone.put(1, options), {
    Full: [() => alone.put(1, { timeout: 0 })],
    ShutDown: [() => over.put(1)],
    NotSendableError: [() => alone.put(unmarked)],
  }),
  "SynchronousQueue.putSync": badWait((options) => alone.putSync(1, options), {
    Full: [() => alone.putSync(1, { timeout: 0 })],
    ShutDown: [() => over.putSync(1)],
    NotSendableError: [() => alone.putSync(unmarked)],
  }),
  "SynchronousQueue.putNowait": {
    Full: [() => alone.putNowait(1)],
    ShutDown: [() => over.putNowait(1)],
    NotSendableError: [() => alone.putNowait(unmarked)],
  },
  "SynchronousQueue.get": badAsyncWait((options) => alone.get(options), {
    Empty: [() => alone.get({ timeout: 0 })],
    ShutDown: [() => over.get()],
  }),
  "SynchronousQueue.getSync": badWait((options) => alone.getSync(options), {
    Empty: [() => alone.getSync({ timeout: 0 })],
    ShutDown: [() => over.getSync()],
  }),
  "SynchronousQueue.getNowait": {
    Empty: [() => alone.getNowait()],
    ShutDown: [() => over.getNowait()],
  },
  "SynchronousQueue.items": badAsyncWait((options) => {
    alone.items(options);
    return Promise.resolve();
  }),
  "SynchronousQueue.shutdown": {
    TypeError: [
      () => new SynchronousQueue().shutdown(bad.number),
      () => new SynchronousQueue().shutdown({ now: true } as never),
    ],
  },
  "SimpleQueue.put": badAsyncWait((options) => full.put(1, options), {
    Full: [() => full.put(1, { timeout: 0 })],
    ShutDown: [() => closed.put(1)],
    NotSendableError: [() => empty.put(unmarked)],
    TypeError: [() => new PriorityQueue<unknown>().put({})],
  }),
  "SimpleQueue.putSync": badWait((options) => full.putSync(1, options), {
    Full: [() => full.putSync(1, { timeout: 0 })],
    ShutDown: [() => closed.putSync(1)],
    NotSendableError: [() => empty.putSync(unmarked)],
    TypeError: [() => new PriorityQueue<unknown>().putSync([NaN, {}])],
  }),
  "SimpleQueue.putNowait": {
    Full: [() => full.putNowait(1)],
    ShutDown: [() => closed.putNowait(1)],
    NotSendableError: [() => empty.putNowait(unmarked)],
    TypeError: [() => new PriorityQueue<unknown>().putNowait({})],
  },
  "SimpleQueue.putMany": badAsyncWait((options) => full.putMany([1], options), {
    Full: [() => full.putMany([1], { timeout: 0 })],
    ShutDown: [() => closed.putMany([1])],
    NotSendableError: [() => empty.putMany([1, unmarked])],
    TypeError: [() => empty.putMany(bad.number)],
    RangeError: [() => full.putMany([1, 2])],
  }),
  "SimpleQueue.putManySync": badWait(
    (options) => full.putManySync([1], options),
    {
      Full: [() => full.putManySync([1], { timeout: 0 })],
      ShutDown: [() => closed.putManySync([1])],
      NotSendableError: [() => empty.putManySync([1, unmarked])],
      TypeError: [() => empty.putManySync(bad.number)],
      RangeError: [() => full.putManySync([1, 2])],
    },
  ),
  "SimpleQueue.putManyNowait": {
    Full: [() => full.putManyNowait([1])],
    ShutDown: [() => closed.putManyNowait([1])],
    NotSendableError: [() => empty.putManyNowait([1, unmarked])],
    TypeError: [() => empty.putManyNowait(bad.none)],
    RangeError: [() => full.putManyNowait([1, 2])],
  },
  "SimpleQueue.get": badAsyncWait((options) => empty.get(options), {
    Empty: [() => empty.get({ timeout: 0 })],
    ShutDown: [() => closed.get()],
  }),
  "SimpleQueue.getSync": badWait((options) => empty.getSync(options), {
    Empty: [() => empty.getSync({ timeout: 0 })],
    ShutDown: [() => closed.getSync()],
  }),
  "SimpleQueue.getNowait": {
    Empty: [() => empty.getNowait()],
    ShutDown: [() => closed.getNowait()],
  },
  "SimpleQueue.getMany": join(
    badAsyncWait((options) => empty.getMany(1, options), {
      Empty: [() => empty.getMany(1, { timeout: 0 })],
      ShutDown: [() => closed.getMany(1)],
    }),
    wrongCounts((n) => empty.getMany(n)),
  ),
  "SimpleQueue.getManySync": join(
    badWait((options) => empty.getManySync(1, options), {
      Empty: [() => empty.getManySync(1, { timeout: 0 })],
      ShutDown: [() => closed.getManySync(1)],
    }),
    wrongCounts((n) => empty.getManySync(n)),
  ),
  "SimpleQueue.getManyNowait": join(
    {
      Empty: [() => empty.getManyNowait(1)],
      ShutDown: [() => closed.getManyNowait(1)],
    },
    wrongCounts((n) => empty.getManyNowait(n)),
  ),
};
