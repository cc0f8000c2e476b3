import {
  asCompleted,
  asCompletedSync,
  Future,
  parallelMap,
  parallelMapSync,
  ThreadPool,
  toThread,
} from "../../../mod.ts";
import { add } from "../../pool/pool_fixture.ts";
import {
  bad,
  badAsyncWait,
  badWait,
  join,
  type Row,
  type Table,
} from "./table.ts";

const pool = new ThreadPool({ size: 1 });
const over = new ThreadPool({ size: 1 });
over.shutdownSync();
const done = pool.submitNowait(add, [1, 2]);
done.resultSync();
pool.shutdownSync();
const open = new ThreadPool({ size: 1 });
const unmarked = () => {};

/** What no way to give a task to a pool takes. */
function badTask(
  give: (pool: ThreadPool, fn: never, args: never, options: never) => unknown,
  isSync: boolean,
): Row {
  const withOptions = (options: unknown) => () =>
    give(open, add as never, [1, 2] as never, options as never);
  return {
    TypeError: [
      () => give(open, bad.none, bad.none, bad.none),
      () => give(open, bad.text, bad.none, bad.none),
      () => give(open, add as never, bad.number, bad.none),
      () => give(open, add as never, bad.object, bad.none),
      withOptions(5),
      withOptions(null),
      withOptions({ timout: 1 }),
      withOptions({ timeout: "1" }),
      withOptions({ grace: "1" }),
      withOptions({ attempts: "1" }),
      withOptions(isSync ? { signal: AbortSignal.timeout(1) } : { signal: 1 }),
    ],
    RangeError: [
      ...[-1, NaN, 2 ** 31].flatMap((ms) => [
        withOptions({ timeout: ms }),
        withOptions({ grace: ms }),
      ]),
      ...[0, -1, 1.5, NaN].map((attempts) => withOptions({ attempts })),
    ],
    NotSendableError: [
      () => give(open, unmarked as never, bad.none, bad.none),
      () => give(open, add as never, [() => {}] as never, bad.none),
    ],
    ShutDown: [() => give(over, add as never, [1, 2] as never, bad.none)],
  };
}

/** What no map takes. */
function badMap(
  map: (pool: ThreadPool, fn: never, items: never, options: never) => unknown,
  isSync: boolean,
): Row {
  const withOptions = (options: unknown) => () =>
    map(open, add as never, [1] as never, options as never);
  const endless = (async function* () {})();
  return {
    TypeError: [
      () => map(open, bad.none, [] as never, bad.none),
      () => map(open, add as never, bad.none, bad.none),
      () => map(open, add as never, bad.number, bad.none),
      ...isSync
        ? [
          () => map(open, add as never, endless as never, bad.none),
          withOptions({ signal: AbortSignal.timeout(1) }),
        ]
        : [withOptions({ signal: 1 })],
      withOptions(5),
      withOptions({ chunks: 1 }),
      withOptions({ ordered: 1 }),
      withOptions({ settled: "yes" }),
      withOptions({ chunk: "large" }),
      withOptions({ ahead: "far" }),
      withOptions({ onProgress: 1 }),
    ],
    RangeError: [0, -1, 1.5, NaN].flatMap((n) => [
      withOptions({ chunk: n }),
      withOptions({ ahead: n }),
    ]),
    NotSendableError: [
      () => map(open, unmarked as never, [1] as never, bad.none),
    ],
    ShutDown: [() => map(over, add as never, [1] as never, bad.none)],
  };
}

const badEnd = {
  TypeError: [
    () => over.shutdownSync({ cancelPending: bad.number }),
    () => over.shutdown({ cancelPending: bad.text }),
  ],
};

/** What `pool` refuses. */
export const poolTable: Table = {
  "new ThreadPool": {
    TypeError: [
      () => new ThreadPool(bad.number),
      () => new ThreadPool(bad.null),
      () => new ThreadPool({ workers: 1 } as never),
      () => new ThreadPool({ size: bad.text }),
      () => new ThreadPool({ name: bad.number }),
      () => new ThreadPool({ initializer: bad.number }),
      () => new ThreadPool({ initArgs: bad.number }),
      () => new ThreadPool({ maxPending: bad.text }),
      () => new ThreadPool({ idleTimeout: bad.text }),
    ],
    RangeError: [
      ...[0, -1, 1.5, NaN, 2000].map((size) => () => new ThreadPool({ size })),
      ...[0, -1, 1.5, NaN].map((maxPending) => () =>
        new ThreadPool({ maxPending })
      ),
      ...[-1, NaN, 2 ** 31].map((idleTimeout) => () =>
        new ThreadPool({ idleTimeout })
      ),
    ],
    NotSendableError: [
      () => new ThreadPool({ initializer: unmarked }),
      () => new ThreadPool({ initializer: add, initArgs: [() => {}] }),
    ],
  },
  "ThreadPool.run": badTask((pool, ...rest) => pool.run(...rest), false),
  "ThreadPool.runSync": badTask((pool, ...rest) => pool.runSync(...rest), true),
  "ThreadPool.submit": badTask((pool, ...rest) => pool.submit(...rest), false),
  "ThreadPool.submitSync": badTask(
    (pool, ...rest) => pool.submitSync(...rest),
    true,
  ),
  "ThreadPool.submitNowait": badTask(
    (pool, ...rest) => pool.submitNowait(...rest),
    false,
  ),
  "ThreadPool.shutdown": join(
    badAsyncWait((options) => over.shutdown(options)),
    badEnd,
  ),
  "ThreadPool.shutdownSync": join(
    badWait((options) => over.shutdownSync(options)),
    badEnd,
  ),
  "ThreadPool.map": badMap((pool, ...rest) => pool.map(...rest), false),
  "ThreadPool.mapSync": badMap((pool, ...rest) => pool.mapSync(...rest), true),
  parallelMap: { TypeError: [() => parallelMap(bad.none, [])] },
  parallelMapSync: { TypeError: [() => parallelMapSync(bad.none, [])] },
  toThread: {
    TypeError: [() => toThread(bad.none), () => toThread(add, bad.number)],
    NotSendableError: [() => toThread(unmarked)],
  },
  asCompleted: badAsyncWait((options) => asCompleted([], options), {
    TypeError: [
      () => asCompleted(bad.none),
      () => asCompleted([1] as never),
      () => asCompleted([Promise.resolve(1)] as never),
    ],
  }),
  asCompletedSync: badWait((options) => asCompletedSync([], options), {
    TypeError: [
      () => asCompletedSync(bad.none),
      () => asCompletedSync([1] as never),
    ],
  }),
  "new Future": { TypeError: [() => new Future()] },
  "Future.result": badAsyncWait((options) => done.result(options)),
  "Future.resultSync": badWait((options) => done.resultSync(options)),
  "Future.cancel": {
    NotSendableError: [() => done.cancel(unmarked)],
    TypeError: [
      () => done.cancel(1, bad.number),
      () => done.cancel(1, { grace: bad.text }),
      () => done.cancel(1, { timeout: 1 } as never),
    ],
    RangeError: [-1, NaN].map((grace) => () => done.cancel(1, { grace })),
  },
};
