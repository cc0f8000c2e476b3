/**
 * Selections: one wait at several objects, of which one is to take effect.
 *
 * A selection has a node for each of its cases, in the queue of the case's object,
 * and a head. All lie in one block, and the nodes are in the list of their thread,
 * so whoever cleans up after it finds them. The head's `state` says what has been
 * chosen:
 *
 *     open     it waits
 *     a node   its case was given something, or must be looked at again
 *     busy     its own thread is looking at its cases
 *     missed   the same, and somebody passed over one of its nodes meanwhile
 *
 * `open` becomes a node by compare-exchange, by whoever has something for that
 * node, in the critical section of the node's object (`claim`). The selection's
 * own thread makes `busy` of `open`, when its time is up, and of a node, when it has
 * looked at what that was given. So of all that happens at once to the objects of
 * a selection, one compare-exchange succeeds. Exactly one case takes effect:
 *
 * - A case that is given something by another thread was chosen before, and the
 *   thread then takes no other.
 * - A case that the thread takes itself it takes while the selection is busy, or
 *   chosen for that very case, so nobody else can choose one.
 *
 * Who cannot choose a node passes it over: takes it out of its queue, marks it as
 * passed, and gives what it had for the node to the next waiter. So nothing is
 * given to a selection that has something already, and no wake-up ends there.
 *
 * Why no wake-up is lost to a selection that was passed over and then waits after
 * all: it was busy, or chosen in vain. If it was busy, it was made `missed`, and
 * opens by compare-exchange from `busy`, which fails; the thread then looks at all
 * cases once more. If it was chosen in vain, it becomes busy first, and the thread
 * then looks at all cases before it opens. To look at a case is to take the mutex
 * of its object, which whoever passed the node over has held from before it read
 * the head until after it had marked the node. So a node that was passed over
 * before is seen to be marked, the case is tried, and the node joins its queue again,
 * at the head, since it has waited; one that is passed over later finds the selection
 * busy and makes it `missed`, or open and chooses it. What came between is not lost
 * either: a node looks and joins in one critical section, as all waiters do.
 *
 * Two selections can meet at an object, both ends of a `SynchronousQueue`, say. Both
 * cases must then take effect or none. The one whose thread is looking is busy, so
 * nobody chooses it; it need only choose the other one, and one compare-exchange
 * decides. No thread ever waits for another one's choice, so there is no deadlock.
 * If both threads are looking, each passes the other over and finds nothing. But
 * each is `missed` then, and looks again. One of them opens before the other looks
 * at it, sooner or later: they pause for random times in between. (A thread that
 * is not meant to wait finds nothing in a selection that is busy. It counts as not
 * waiting yet.)
 *
 * A thread can be killed at any time. If its selection is open, others can choose a
 * node, and what that was given goes back like what any dead thread's node has.
 * If it is busy, it is passed over until its nodes have left their queues. A thread
 * that takes a case itself takes it in one critical section, as if it were alone.
 * A selection that gives up makes itself busy. If that fails, it has been given
 * something, and takes it.
 *
 * Each node joins and leaves its queue once per look, whoever takes it out, and a
 * thread looks once more for each time that it was passed over while busy or chosen
 * in vain. So what a selection costs grows with its cases, and not with
 * how many others wait at the same objects.
 *
 * What can be a case has a method with the key {@linkcode CASE}. For an object
 * that settles once, {@linkcode settlingCase} makes what it returns: it needs the
 * object's protocol and what reads its outcome. Whoever settles it calls
 * `wakeAll(object, MAIN_QUEUE, Wake.granted)` under its mutex, as for all waiters.
 *
 * @module
 */

import { allocateZeroed, removeDraft } from "./allocator.ts";
import {
  compareExchange,
  Field,
  futex,
  Header,
  load,
  self,
  Slot,
  store,
  tid,
  words,
} from "./heap.ts";
import {
  damagedError,
  isClosed,
  lock,
  requireStack,
  tryLock,
  unlock,
} from "./mutex.ts";
import { TIMEOUT_MAX } from "../../_internal/check.ts";
import {
  addressOf,
  pin,
  type Pins,
  type SharedObject,
  unpin,
} from "./shared_object.ts";
import {
  Choice,
  deallocateNode,
  dequeue,
  enqueue,
  enqueueFirst,
  MAIN_QUEUE,
  Node,
  NODE_WORDS,
  NodeFlag,
  type Protocol,
  SELECTION,
  unlistNode,
  visiting,
  Wake,
} from "./wait_queue.ts";
import { deadlockError } from "./deadlock.ts";
import {
  checkInterrupted,
  currentScope,
  isCancelled,
  isInterrupted,
  reasonOf,
} from "./scope.ts";
import {
  beginSelecting,
  endSelecting,
  isSelecting,
  newToken,
  type SelectingTask,
  sleepUntilWoken,
  undo,
} from "./wait.ts";

/** The key under which an object says how a selection waits for it. */
export const CASE: unique symbol = Symbol("case");

/**
 * What `select` of `@skein/std/queue` can wait for.
 *
 * @typeParam T The value of the case.
 */
export declare abstract class Selectable<T> {
  /** How it is waited for. @ignore */
  readonly [CASE]: {
    /** Never there: says what the value is. */
    readonly value?: T;
  };
}

/** Returned by an attempt that found nothing. */
export const NOT_READY: unique symbol = Symbol("not ready");
/** Returned by `finish` if the case must be tried again. */
export const AGAIN: unique symbol = Symbol("again");

/** A value that is still to be awaited; its case has taken effect. */
export class Later {
  /** Wraps the promise of it. */
  constructor(readonly promise: Promise<unknown>) {}
}

/** What must be awaited before the selection can begin again. */
export class Restart {
  /** Wraps the promise of it. */
  constructor(readonly promise: Promise<unknown>) {}
}

/** How objects of a class are cases of selections. */
export interface CaseKind<T> {
  /** Never there: says what the value is. */
  readonly value?: T;
  /**
   * Whether an attempt may find something, or throw. Cheap; `false` only if
   * that was right at some moment of the call.
   *
   * @param subject The object.
   * @param item What is put.
   */
  mayBeReady(subject: object, item: unknown): boolean;
  /**
   * Lets the case take effect if that can be done without waiting.
   *
   * @param blocking Whether it is the blocking form, which cannot load modules.
   * @returns The value, or `NOT_READY`; also `Later` or `Restart` in the promise form.
   * @throws What the object's own operation would throw.
   */
  attempt(
    subject: object,
    item: unknown,
    blocking: boolean,
  ): T | typeof NOT_READY | Later | Restart;
  /**
   * Gets ready to wait. What it returns is used once.
   *
   * @throws What the object's own operation would throw.
   */
  wait(subject: object, item: unknown, blocking: boolean): WaitingCase<T>;
  /**
   * For a case that is no shared object, and waits in no queue: when it will be
   * ready, by `performance.now()`.
   */
  due?(subject: object): number;
}

/** A case while its selection waits. */
export interface WaitingCase<T> {
  /** The object in whose queue its node waits. */
  object: number;
  /** The offset of the queue. */
  queue: number;
  /** How to wait for the object. */
  protocol: Protocol;
  /**
   * Outside of critical sections: the value of a case that took effect, or that
   * may take effect now.
   *
   * @param end How `take` ended, or the state that the node was woken with.
   * @returns As `attempt` does; `AGAIN` if the case must be tried again.
   * @throws What the object's own operation would throw.
   */
  finish(end: number): T | typeof AGAIN | Later | Restart;
  /** Outside of critical sections, when the node has joined the queue. */
  joined?(): void;
  /** The selection is over: gives back what the case had prepared. */
  dispose?(): void;
}

/**
 * The case of objects that settle once and for all: a thread that ends, say.
 *
 * @param options How to wait for one, whether it has settled, and with what
 * result.
 */
export function settlingCase<S extends SharedObject, T>(options: {
  protocol: Protocol;
  /** Throws if the object cannot be waited for. */
  isSettled(object: S): boolean;
  /** Outside of critical sections: the value, or `Later` if it is not blocking. */
  read(object: S, blocking: boolean): T | Later;
}): CaseKind<T> {
  const { protocol, isSettled, read } = options;
  return {
    mayBeReady: (subject) => isSettled(subject as S),
    attempt: (subject, _, blocking) =>
      isSettled(subject as S) ? read(subject as S, blocking) : NOT_READY,
    wait: (subject, _, blocking) => ({
      object: addressOf(subject as S),
      queue: MAIN_QUEUE,
      protocol,
      finish: () => read(subject as S, blocking),
    }),
  };
}

/** A case as the caller gave it. */
export interface GivenCase {
  kind: CaseKind<unknown>;
  subject: object;
  /** What is put; `undefined` for all others. */
  item: unknown;
}

/** How a selection ended. */
export interface Outcome {
  /** Which of the cases, or -1: none has taken effect. */
  index: number;
  /** Its value, a `Later` or a `Restart`. */
  value: unknown;
  /** What it threw. */
  error: unknown;
  failed: boolean;
}

/**
 * The words of a head, an even number, so that its nodes begin at an even one.
 */
const HEAD_WORDS = NODE_WORDS + 1 & ~1;
/** The words of a selection's node, an even number. */
const CASE_WORDS = SELECTION + 2 & ~1;
/** After this many looks in a row a thread pauses. */
const LOOKS = 4;
const MAX_PAUSE_MS = 1;

/** A selection that waits, or is about to. */
class Selection {
  readonly outcome: Outcome = {
    index: -1,
    value: undefined,
    error: undefined,
    failed: false,
  };
  readonly #cases: readonly GivenCase[];
  readonly #blocking: boolean;
  readonly #waits: (WaitingCase<unknown> | undefined)[] = [];
  /** Whether the node has been in line. */
  readonly #joined: boolean[] = [];
  readonly #head: number;
  #seenDamages = load(Header.damages);
  #looks = 0;
  /** How a blocked thread sleeps. */
  readonly #protocol: Protocol = {
    take: () => Wake.waiting,
    tick: () => this.#tick(),
  };

  constructor(cases: readonly GivenCase[], blocking: boolean, token: number) {
    // It must not be left in the middle.
    requireStack();
    this.#cases = cases;
    this.#blocking = blocking;
    this.#head = allocateSelection(
      cases.length,
      blocking ? NodeFlag.selected : NodeFlag.selected | NodeFlag.promise,
      token,
    );
  }

  get head(): number {
    return this.#head;
  }

  get waits(): readonly (WaitingCase<unknown> | undefined)[] {
    return this.#waits;
  }

  #nodeAt(index: number): number {
    return this.#head + HEAD_WORDS + index * CASE_WORDS;
  }

  /**
   * Looks at all cases, in random order, until one takes effect, or all wait.
   *
   * @param check Throws if the code that waits has been cancelled. What came when
   * it had joined some queue, and was cancelled, is for others.
   * @returns Whether it is over.
   */
  look(check: () => void): boolean {
    for (;;) {
      if (this.#visitAll()) return true;
      const found = compareExchange(
        this.#head + Node.state,
        Choice.busy,
        Choice.open,
      );
      if (found === Choice.busy) return false;
      store(this.#head + Node.state, Choice.busy);
      check();
      if (++this.#looks >= LOOKS) pause(this.#looks);
    }
  }

  #visitAll(): boolean {
    return shuffled(this.#cases.length).some((index) => this.#visit(index));
  }

  #visit(index: number): boolean {
    const { kind, subject, item } = this.#cases[index];
    try {
      if (kind.due !== undefined) {
        const value = kind.attempt(subject, item, this.#blocking);
        return value !== NOT_READY && this.#succeed(index, value);
      }
      for (;;) {
        this.#waits[index] ??= kind.wait(subject, item, this.#blocking);
        const end = this.#take(index);
        if (end === Wake.waiting) {
          this.#waits[index]!.joined?.();
          return false;
        }
        const value = this.#waits[index]!.finish(end);
        if (value !== AGAIN) return this.#succeed(index, value);
      }
    } catch (error) {
      return this.#fail(index, error);
    }
  }

  #succeed(index: number, value: unknown): true {
    this.outcome.index = index;
    this.outcome.value = value;
    return true;
  }

  #fail(index: number, error: unknown): true {
    this.outcome.index = index;
    this.outcome.error = error;
    this.outcome.failed = true;
    return true;
  }

  /** Takes what a case waits for if it is there, or joins the queue. */
  #take(index: number): number {
    const { object, queue, protocol } = this.#waits[index]!;
    const node = this.#nodeAt(index);
    if (!tryLock(object + Field.mutex)) throw damagedError();
    let end: number = Wake.waiting;
    if (words[node + Node.state] === Wake.passed) {
      end = this.#takeAt(node, protocol, object);
      if (end !== Wake.waiting) {
        words[node + Node.object] = 0;
      } else {
        words[node + Node.state] = Wake.waiting;
        if (this.#joined[index]) enqueueFirst(object, queue, node);
        else enqueue(object, queue, node);
      }
    }
    unlock(object + Field.mutex);
    this.#joined[index] = true;
    return end;
  }

  /**
   * Looks at the node that was chosen.
   *
   * @returns Whether it is over. If not, the selection is busy.
   */
  goOn(): boolean {
    const node = load(this.#head + Node.state);
    const index = this.#indexOf(node);
    const wait = this.#waits[index]!;
    try {
      const end = this.#takeChosen(wait, node);
      if (end !== Wake.waiting) {
        const value = wait.finish(end);
        if (value !== AGAIN) return this.#succeed(index, value);
      }
    } catch (error) {
      return this.#fail(index, error);
    }
    store(this.#head + Node.state, Choice.busy);
    return false;
  }

  #takeChosen(
    { object, protocol }: WaitingCase<unknown>,
    node: number,
  ): number {
    if (!tryLock(object + Field.mutex)) throw damagedError();
    let end = words[node + Node.state];
    if (end === Wake.retry && protocol.attend !== undefined) {
      unlock(object + Field.mutex);
      protocol.attend(object, node);
      if (!tryLock(object + Field.mutex)) throw damagedError();
    }
    if (end === Wake.retry) end = this.#takeAt(node, protocol, object);
    // A put that goes on waiting still has its items there.
    if (end !== Wake.waiting) words[node + Node.object] = 0;
    words[node + Node.state] = Wake.passed;
    unlock(object + Field.mutex);
    return end;
  }

  #takeAt(node: number, protocol: Protocol, object: number): number {
    visiting.head = this.#head;
    const end = protocol.take(object, node);
    visiting.head = 0;
    return end;
  }

  /**
   * Sleeps until a node is chosen, or until then; it is open no more behind that.
   *
   * @returns Whether it was woken.
   */
  sleep(until: number): boolean {
    words[self + Slot.waitsFor] = this.#waits.find((w) => w)?.object ??
      -words[self + Slot.tid];
    try {
      return sleepUntilWoken(this.#head, until, this.#protocol, true);
    } finally {
      words[self + Slot.waitsFor] = 0;
      this.stop();
    }
  }

  /** Makes an open selection busy; false if a node has been chosen. */
  stop(): boolean {
    const { open, busy } = Choice;
    return compareExchange(this.#head + Node.state, open, busy) === open;
  }

  /** Whether a node has been chosen. */
  isChosen(): boolean {
    return load(this.#head + Node.state) > Choice.missed;
  }

  /**
   * Lets others have what the chosen node was given, since the code that waits has
   * been cancelled.
   *
   * @returns Whether that could be done.
   */
  undo(): boolean {
    const node = load(this.#head + Node.state);
    const { object, protocol } = this.#waits[this.#indexOf(node)]!;
    // Whoever chose the node may not have written yet what it was woken for, but
    // is still in that section of the object's then.
    if (!tryLock(object + Field.mutex)) return false;
    unlock(object + Field.mutex);
    return undo(protocol, node);
  }

  #indexOf(node: number): number {
    return (node - this.#head - HEAD_WORDS) / CASE_WORDS;
  }

  /** When a case is due that waits in no queue. */
  nextDue(): number {
    let next = Infinity;
    for (const { kind, subject } of this.#cases) {
      if (kind.due !== undefined) next = Math.min(next, kind.due(subject));
    }
    return next;
  }

  /** Whether nobody wakes one of the nodes, since its object is damaged. */
  isStranded(): boolean {
    const damages = load(Header.damages);
    if (damages === this.#seenDamages) return false;
    this.#seenDamages = damages;
    return this.#waits.some((wait) =>
      wait !== undefined && isClosed(wait.object + Field.mutex)
    );
  }

  /** Does what is due at the objects, and wakes up if one is damaged. */
  #tick(): number {
    let next = Infinity;
    if (this.isStranded()) this.stop();
    for (const wait of this.#waits) {
      const due = wait?.protocol.tick?.(wait.object) ?? Infinity;
      next = Math.min(next, due);
    }
    return next;
  }

  /** Leaves all queues and gives the block back. */
  close(): void {
    for (let index = 0; index < this.#cases.length; index++) {
      const wait = this.#waits[index];
      if (wait === undefined) continue;
      this.#leave(this.#nodeAt(index), wait);
      wait.dispose?.();
    }
    freeSelection(this.#head, this.#cases.length);
  }

  #leave(node: number, { object, protocol }: WaitingCase<unknown>): void {
    // At a damaged object the queue changes no more.
    if (words[node + Node.object] === 0 || !tryLock(object + Field.mutex)) {
      return;
    }
    if (words[node + Node.state] === Wake.waiting) dequeue(node);
    protocol.withdraw?.(object, node);
    words[node + Node.object] = 0;
    unlock(object + Field.mutex);
  }
}

function allocateSelection(
  count: number,
  flags: number,
  token: number,
): number {
  const head = allocateZeroed(HEAD_WORDS + count * CASE_WORDS);
  const since = performance.now() | 0;
  words[head + Node.state] = Choice.busy;
  // It waits for nobody in particular, so it closes no circle of waits.
  words[head + Node.object] = head;
  words[head + Node.value] = count;
  for (let i = 0; i < count; i++) {
    const node = head + HEAD_WORDS + i * CASE_WORDS;
    words[node + Node.state] = Wake.passed;
    words[node + Node.tid] = tid;
    words[node + Node.slot] = self;
    words[node + Node.flags] = flags;
    words[node + Node.token] = token;
    words[node + Node.since] = since;
    words[node + SELECTION] = head;
  }
  lock(self + Slot.mutex);
  for (let i = 0; i < count; i++) {
    const node = head + HEAD_WORDS + i * CASE_WORDS;
    const first = words[self + Slot.nodes];
    words[node + Node.listNext] = first;
    if (first !== 0) words[first + Node.listPrevious] = node;
    words[self + Slot.nodes] = node;
  }
  removeDraft(head);
  unlock(self + Slot.mutex);
  return head;
}

function freeSelection(head: number, count: number): void {
  lock(self + Slot.mutex);
  for (let i = 0; i < count; i++) {
    const node = head + HEAD_WORDS + i * CASE_WORDS;
    unlistNode(node);
    deallocateNode(node);
  }
  unlock(self + Slot.mutex);
}

/** The numbers below `count` in random order. */
function shuffled(count: number): number[] {
  const order: number[] = [];
  for (let i = 0; i < count; i++) {
    const at = Math.floor(Math.random() * (i + 1));
    order[i] = order[at];
    order[at] = i;
  }
  return order;
}

/** Lets other threads open their selections, for a random time that grows. */
function pause(looks: number): void {
  const most = Math.min(MAX_PAUSE_MS, looks * 0.01);
  // Nobody notifies this word.
  const word = self + Slot.waitsFor;
  futex.wait(words, word, words[word], Math.random() * most);
}

/** What a selection may be given up for. */
interface SelectionLimits {
  /** What is being done, for messages. */
  what: string;
  /** Milliseconds, `Infinity` for none. */
  timeout: number;
  /** Ends it, in the promise form. */
  signal?: AbortSignal;
}

/**
 * Blocks the thread until a case takes effect.
 *
 * @returns How it ended; with the index -1 the time is up.
 * @throws {DeadlockError} If nothing is left that could end it.
 * @throws The reason, if its code is cancelled.
 */
export function selectBlocked(
  cases: readonly GivenCase[],
  { what, timeout }: SelectionLimits,
): Outcome {
  const deadline = performance.now() + timeout;
  const selection = new Selection(cases, true, 0);
  try {
    while (!selection.look(checkInterrupted)) {
      const until = Math.min(deadline, selection.nextDue());
      let woken = false;
      try {
        woken = selection.sleep(until);
      } catch (error) {
        // If it has been given something, it goes on with that.
        if (selection.isChosen() && !selection.undo() && selection.goOn()) {
          break;
        }
        throw error;
      }
      if (selection.isChosen()) {
        if (isInterrupted() && selection.undo()) checkInterrupted();
        if (selection.goOn()) break;
      }
      checkInterrupted();
      if (!woken && until === Infinity) throw deadlockError(what);
      if (until === deadline && performance.now() >= deadline) break;
    }
  } finally {
    selection.close();
  }
  return selection.outcome;
}

/**
 * Waits until a case takes effect, without blocking the thread.
 *
 * @returns How it ended; with the index -1 the time is up.
 * @throws The reason of the signal, or why its code is cancelled.
 */
export function selectInTask(
  cases: readonly GivenCase[],
  { timeout, signal }: SelectionLimits,
): Promise<Outcome> {
  const deadline = performance.now() + timeout;
  const token = newToken();
  const scope = currentScope();
  const selection = new Selection(cases, false, token);
  const check = () => {
    if (isCancelled(scope)) throw reasonOf(scope);
  };
  let isOver = true;
  try {
    isOver = selection.look(check);
  } finally {
    if (isOver) selection.close();
  }
  if (isOver) return Promise.resolve(selection.outcome);

  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  const pins = pinAll(selection.waits);
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Why it is given up. */
  let gaveUp: { reason: unknown } | undefined;
  const end = (isGivenUp: boolean) => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    endSelecting(task, isGivenUp);
    selection.close();
    // Behind the continuation of the wait, which uses the objects.
    queueMicrotask(() => queueMicrotask(() => unpinAll(selection.waits, pins)));
  };
  const fail = (error: unknown) => {
    end(true);
    reject(error);
  };
  const succeed = () => {
    end(false);
    resolve(selection.outcome);
  };
  /** With the selection busy. */
  const goOn = () => {
    if (gaveUp !== undefined) return fail(gaveUp.reason);
    try {
      if (selection.look(check)) return succeed();
    } catch (error) {
      return fail(error);
    }
    setTimer();
  };
  const setTimer = () => {
    clearTimeout(timer);
    const until = Math.min(deadline, selection.nextDue());
    if (until === Infinity) return;
    const left = Math.max(0, Math.ceil(until - performance.now()));
    timer = setTimeout(() => {
      // If it has been given something, it goes on with that.
      if (!isSelecting(task) || !selection.stop()) return;
      if (until === deadline && performance.now() >= deadline) succeed();
      else goOn();
    }, Math.min(left, TIMEOUT_MAX));
  };
  const task: SelectingTask = {
    token,
    head: selection.head,
    resume() {
      if (!selection.isChosen()) {
        if (selection.stop()) goOn();
      } else if (isCancelled(scope) && selection.undo()) {
        fail(reasonOf(scope));
      } else if (selection.goOn()) {
        succeed();
      } else {
        goOn();
      }
    },
    isStranded: () => selection.isStranded(),
    giveUp(reason) {
      gaveUp ??= { reason };
      if (selection.stop()) goOn();
    },
  };
  const onAbort = () => {
    if (isSelecting(task)) task.giveUp(signal!.reason);
  };
  beginSelecting(task, scope);
  if (isCancelled(scope)) {
    task.giveUp(reasonOf(scope));
    return promise;
  }
  signal?.addEventListener("abort", onAbort, { once: true });
  setTimer();
  return promise;
}

type Waits = readonly (WaitingCase<unknown> | undefined)[];

/** Keeps the handles of the objects from being freed. */
function pinAll(waits: Waits): Pins | undefined {
  let pins: Pins | undefined;
  for (const wait of waits) if (wait !== undefined) pins = pin(wait.object);
  return pins;
}

function unpinAll(waits: Waits, pins: Pins | undefined): void {
  for (const wait of waits) if (wait !== undefined) unpin(wait.object, pins!);
}
