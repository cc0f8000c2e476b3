/**
 * Async flows: telling one async task of a thread from another.
 *
 * `acquire()` of an RLock must know whether its caller is the task that holds
 * the lock. JavaScript has no tasks, only contexts that are inherited
 * (`AsyncLocalStorage`), and a context set by a callee stays with the caller
 * until that awaits something: after
 *
 *     const a = task();      // acquires in its synchronous beginning
 *     await somethingElse(); // this code has the context now, too
 *     const b = task();      // and so would this task
 *
 * `b` would be taken for `a`, and both would hold the lock. So a flow is marked
 * where only the task itself can be: in the continuation of `await acquire()`,
 * which runs in a job of its own. Nothing can be run at its very start; but for
 * as long as that job runs, whichever of an RLock's methods is called (`using`
 * reads `[Symbol.dispose]` at once) marks the context for good.
 *
 * The job ends before a caller goes on that got the lock by way of a function of
 * its own, `return await lock.acquire()`. So a `using` block that has the lock
 * marks its context, too, unless another one has it already.
 *
 * A `using` block ends before its function returns. So for as long as there is
 * one, its task and what that started hold the lock, and nobody else does: no
 * other context may release it. Without one the holder may be a caller of the
 * function that took the lock, which has no mark. It cannot be told from any
 * other task, so whoever releases the lock then is believed; but taking it again
 * waits, as for any other task. Mutual exclusion comes first.
 *
 * A flow lasts from one `acquire()` to its `release()` and no longer: tasks that
 * are started later by code that once held the lock are no longer one. A
 * context lists all flows that it is in.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";

let storage: AsyncLocalStorage<readonly number[]> | undefined;
/** The flows under way, with the number of `using` blocks that have the lock. */
const blocks = new Map<number, number>();
let lastFlow = 0;
/** The flow whose continuation runs in this job, 0 if none. */
let resumed = 0;

/** Begins a flow; returns its number, not 0. */
export function beginFlow(): number {
  do lastFlow = (lastFlow + 1) & 0x3fff_ffff; while (
    lastFlow === 0 || blocks.has(lastFlow)
  );
  blocks.set(lastFlow, 0);
  return lastFlow;
}

/** Ends a flow. */
export function endFlow(flow: number): void {
  blocks.delete(flow);
}

/** Ends all flows: the thread that they belong to has ended. */
export function endAllFlows(): void {
  blocks.clear();
}

/** The flows that this code belongs to for certain. */
function currentFlows(): readonly number[] {
  const known = storage?.getStore() ?? [];
  if (!blocks.has(resumed) || known.includes(resumed)) return known;
  return enter(resumed, known);
}

/** Marks the context with one more flow. */
function enter(flow: number, known: readonly number[]): readonly number[] {
  storage ??= new AsyncLocalStorage();
  const flows = [...known.filter((flow) => blocks.has(flow)), flow];
  storage.enterWith(flows);
  return flows;
}

/** A `using` block begins that has the lock of a flow. */
export function beginBlock(flow: number): void {
  const known = currentFlows();
  const count = blocks.get(flow);
  if (count === undefined) return;
  const isIn = known.includes(flow);
  if (!isIn && count > 0) return;
  if (!isIn) enter(flow, known);
  blocks.set(flow, count + 1);
}

/**
 * The lock of a flow is released once.
 *
 * @param flow The flow.
 * @param isBlock Whether that ends a `using` block.
 * @param left How often the flow still has the lock.
 */
export function endOne(flow: number, isBlock: boolean, left: number): void {
  const count = blocks.get(flow);
  if (left === 0) endFlow(flow);
  else if (count) {
    // Blocks that released it before their end, or were none, are over as well.
    blocks.set(flow, Math.min(isBlock ? count - 1 : count, left));
  }
}

/** Whether this code belongs to the flow for certain. */
export function isInFlow(flow: number): boolean {
  return currentFlows().includes(flow);
}

/** Whether this code may belong to the flow. */
export function mayBeInFlow(flow: number): boolean {
  return currentFlows().includes(flow) || !blocks.get(flow);
}

/**
 * A promise whose continuation belongs to a flow. Since it is not a plain one,
 * `await` calls its `then` with a function that queues the continuation, which
 * so comes to stand between the two other jobs.
 */
class FlowPromise<T> extends Promise<T> {
  flow = 0;

  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    if (typeof onFulfilled !== "function") {
      return super.then(onFulfilled, onRejected);
    }
    return super.then((value) => {
      const enter = () => void (resumed = this.flow);
      const leave = () => void (resumed = 0);
      queueMicrotask(enter);
      enter();
      try {
        return onFulfilled(value);
      } finally {
        leave();
        queueMicrotask(leave);
      }
    }, onRejected);
  }
}

/**
 * A promise that is resolved already, whose continuation belongs to the flow.
 *
 * @param flow The flow.
 * @param value What the promise resolves to.
 */
export function resumeIn<T>(flow: number, value: T): Promise<T> {
  const promise = new FlowPromise<T>((resolve) => resolve(value));
  promise.flow = flow;
  return promise;
}

/**
 * Like {@linkcode resumeIn}, for a flow that has yet to begin.
 *
 * @param begun Resolves to the flow.
 * @param value What the promise resolves to.
 */
export function resumeOnceIn<T>(begun: Promise<number>, value: T): Promise<T> {
  const promise = new FlowPromise<T>((resolve, reject) => {
    begun.then((flow) => {
      promise.flow = flow;
      resolve(value);
    }).catch(reject);
  });
  return promise;
}
