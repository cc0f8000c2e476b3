/**
 * Finding a circle of waits when it closes, in the slow path only: just before a
 * thread sleeps for something without a timeout.
 *
 * A thread that is about to sleep says so: it makes `Slot.blocked` odd. Then it
 * follows the waits: who has what it waits for (`SharedClass.holders`), and if
 * that thread is blocked, what it waits for. If it comes to itself, there
 * is a circle.
 *
 * Nothing is missed: the words are sequentially consistent, and each thread first
 * makes its own word odd and then reads those of the others. Of the threads of a
 * circle, one is the last to do so; it sees the words of all others, and what they
 * hold, which they took before.
 *
 * Nothing is seen that is not there: the circle is read twice. A thread whose word
 * is the same both times was in one and the same wait all the time in between, so
 * at the moment between the two readings each thread of the circle was in its
 * wait. A blocked thread releases nothing, and its tasks do not run. So each still
 * had then what it has in the second reading, and each wait had not been granted.
 * From that moment on nothing can change that, but for what comes from outside:
 * a cancelling, a kill, or, of a Lock, a release by another thread. A thread that
 * is being cancelled or killed counts as not blocked. For Locks see `isLent`.
 *
 * A hand-over has two steps: the object is given a new holder, and the holder's
 * wait is told. Between the two a thread seems to wait for what it has itself, or
 * to have what one of its tasks was given that cannot run. But both are done in
 * one critical section of the object, and so the second reading asks for each wait
 * under the mutex of its object. What a task of a blocked thread was given is on
 * the stack `Slot.ready` then, until the thread wakes and passes it on, and while
 * it does that it counts as awake. (The first reading may see such a thing. It
 * costs a second one.)
 *
 * Exactly one throws: the second reading is done under a mutex, and whoever finds
 * the circle makes its word even before it lets go of that. If another thread of
 * the same circle comes second, it finds the first no longer blocked, and sleeps.
 * It will be woken if the first one lets go of what it holds; if the first waits
 * anew, it finds the circle anew.
 *
 * If all threads sleep, the main thread's wait throws. The last one to fall asleep
 * finds that all others do; if it is not the main thread, it wakes the main thread,
 * which looks again. A thread is asleep only when it has looked for a circle itself since
 * it was woken last, and found none (`Slot.looked`): until then it may be about to
 * throw, and what it holds would go to others. What was handed to a task of a
 * blocked thread is not settled: the thread wakes and passes it on. So such a
 * thread does not count as asleep.
 *
 * Who counts as a thread that may still do something: each one in a slot that does
 * not sleep, one that boots included; each one that is counted and in no slot, or
 * no more; a worker that lingers behind the end of its thread; and what is left of
 * a dead thread until somebody has cleaned up after it. A pool is none of these:
 * whatever it goes on with is done by a worker of it, which boots, has been woken,
 * or runs, or by whoever cleans up after one. A worker of a pool that waits for a
 * task sleeps, also if it is to end after some time, unless that could wake
 * somebody, see `endsInSilence`.
 *
 * @module
 */

import { DeadlockError } from "../errors.ts";
import {
  add,
  Dying,
  Field,
  Header,
  isLiveTid,
  isMain,
  load,
  MAIN_SLOT,
  self,
  Slot,
  slotAt,
  slotOf,
  store,
  tid,
  wakeSlot,
  WORD_COUNT,
  words,
} from "./heap.ts";
import { lock, lockInner, unlock, unlockInner } from "./mutex.ts";
import { hasWaits, Node, NODE_WORDS, NodeFlag, Wake } from "./wait_queue.ts";
import { classOf, naming } from "./shared_class.ts";

/** One thread of a circle, or of all that sleep, and what it waits for. */
interface Link {
  tid: number;
  slot: number;
  /** `Slot.blocked`, which is another number in every other wait. */
  serial: number;
  node: number;
  object: number;
}

/** What was found last in this thread, for the error. */
let found: Link[] = [];
/** Whether these are all threads. */
let foundAll = false;

/** `Slot.blocked` of the wait in which this thread looked last. */
let lastWait = 0;

/** Longer circles are not followed. */
const MAX_LENGTH = 256;

/** Says that this thread is about to sleep without a timeout, if it has not. */
export function beginBlocking(node: number): void {
  if (words[self + Slot.blocked] & 1) return;
  words[self + Slot.blockedNode] = node;
  store(self + Slot.looked, load(self + Slot.event) - 1);
  add(self + Slot.blocked, 1);
}

/** Says that it sleeps no more, if it did. */
export function endBlocking(): void {
  if (words[self + Slot.blocked] & 1) add(self + Slot.blocked, 1);
}

function isNode(node: number): boolean {
  return node > 0 && node < WORD_COUNT - NODE_WORDS;
}

/** The wait in which a thread sleeps for good, as far as it can be seen now. */
function linkOf(tid: number): Link | undefined {
  const slot = slotOf(tid);
  const serial = load(slot + Slot.blocked);
  if ((serial & 1) === 0 || !isLiveTid(tid)) return undefined;
  if (load(slot + Slot.dying) !== Dying.no) return undefined;
  if (load(slot + Slot.cancels) !== 0 && slot !== self) return undefined;
  const node = words[slot + Slot.blockedNode];
  if (!isNode(node)) return undefined;
  const object = load(node + Node.object);
  if (!isNode(object) || load(node + Node.state) !== Wake.waiting) {
    return undefined;
  }
  return { tid, slot, serial, node, object };
}

function isSame(link: Link): boolean {
  const now = linkOf(link.tid);
  return now?.serial === link.serial && now.object === link.object;
}

/** Whether a thread sleeps, and has looked at all that it was woken for. */
function isAsleep({ slot }: Link): boolean {
  return slot === self ||
    load(slot + Slot.looked) === load(slot + Slot.event);
}

/** Who has what a thread waits for. */
function holdersOf({ object, node }: Link): number[] {
  return classOf(object)?.holders?.(object, node) ?? [];
}

/** Whether a task of a blocked thread was given something it will pass on. */
function isUnsettled(slot: number): boolean {
  let node = load(slot + Slot.ready);
  for (let i = 0; isNode(node) && i < MAX_LENGTH; i++) {
    const isNews = (words[node + Node.flags] & NodeFlag.news) !== 0;
    if (!isNews && load(node + Node.state) === Wake.granted) return true;
    node = words[node + Node.ready];
  }
  return node !== 0;
}

/**
 * Follows the waits from a thread.
 *
 * @param path The threads on the way, this one first.
 * @param seen The threads that lead nowhere, or into other circles.
 * @param isFirst Whether this thread has not looked in this wait before.
 * @returns Whether it came back to the first.
 */
function follow(path: Link[], seen: Set<number>, isFirst: boolean): boolean {
  const last = path[path.length - 1];
  for (const holder of holdersOf(last)) {
    if (holder === path[0].tid) {
      if (path.length > 1 || !isLent(last.object)) return true;
      continue;
    }
    if (seen.has(holder)) {
      // A circle without this thread: those in it may look again, see `isLent`.
      if (isFirst && path.some((link) => link.tid === holder)) {
        wakeSlot(slotOf(holder));
      }
      continue;
    }
    seen.add(holder);
    const next = linkOf(holder);
    if (next === undefined || path.length === MAX_LENGTH) continue;
    path.push(next);
    if (follow(path, seen, isFirst)) return true;
    path.pop();
  }
  return false;
}

/** Whether another thread than its taker may release an object: a Lock. */
function isLent(object: number): boolean {
  return classOf(object)?.lent === true;
}

/**
 * Whether what the threads of a circle wait for is nobody else's to release. That
 * of a Lock may be, as a signal: by a thread that can still go on, is not the main
 * one, and has a handle of the Lock or could get one, from its arguments, say.
 */
function isClosed(circle: Link[]): boolean {
  const lent = circle.filter(({ object }) => isLent(object));
  if (lent.length === 0) return true;
  const stuck = new Set(circle.map((link) => link.tid));
  /** The slots of those that cannot release it, and who runs there, if anybody. */
  const idle = new Map([[MAIN_SLOT, load(MAIN_SLOT + Slot.tid)]]);
  const used = load(Header.usedSlots);
  for (let i = 1; i < used; i++) {
    const other = load(slotAt(i) + Slot.tid);
    if (other === 0 || stuck.has(other) || leadsInto(other, stuck)) {
      idle.set(slotAt(i), other);
    }
  }
  if (idle.size === used) return true;
  // A thread that reads its arguments has a handle before the record of them is
  // given back. So of what the others have, something is counted at any moment.
  return lent.every(({ object }) => {
    let handles = 0;
    for (const slot of idle.keys()) handles += countHandles(slot, object);
    return load(object + Field.references) <= handles;
  }) && [...idle].every(([slot, tid]) => load(slot + Slot.tid) === tid);
}

/**
 * Whether it is; if not, those who wait look again when a thread ends. They are
 * asked to before it is looked once more: a thread may be ending.
 */
function isClosedForGood(circle: Link[]): boolean {
  if (isClosed(circle)) return true;
  store(Header.doubts, 1);
  return isClosed(circle);
}

/**
 * A thread has ended: those that sleep may be the last now, or may have lost the
 * only one that could have released what they wait for.
 */
export function lookAgain(): void {
  if (load(MAIN_SLOT + Slot.blocked) & 1) wakeSlot(MAIN_SLOT);
  if (load(Header.doubts) === 0) return;
  store(Header.doubts, 0);
  const used = load(Header.usedSlots);
  for (let i = 0; i < used; i++) {
    if (load(slotAt(i) + Slot.blocked) & 1) wakeSlot(slotAt(i));
  }
}

function leadsInto(start: number, stuck: Set<number>): boolean {
  const seen = new Set([start]);
  for (const each of seen) {
    const link = linkOf(each);
    if (link === undefined) continue;
    for (const holder of holdersOf(link)) {
      if (stuck.has(holder)) return true;
      seen.add(holder);
    }
  }
  return false;
}

function countHandles(slot: number, object: number): number {
  return handlesOf(slot).filter((each) => each === object).length;
}

/** The objects that a thread has handles of, one each. */
function handlesOf(slot: number): number[] {
  const objects: number[] = [];
  lockInner(slot + Slot.mutex);
  const end = words[slot + Slot.holds] + words[slot + Slot.holdsCapacity];
  for (let at = words[slot + Slot.holds]; at < end; at++) {
    if (isNode(words[at])) objects.push(words[at]);
  }
  unlockInner(slot + Slot.mutex);
  return objects;
}

/**
 * To be called by a thread that is about to sleep, and has said so.
 *
 * @param object What it waits for; 0 if it may give up only with the whole
 * program.
 * @param event `Slot.event`, as it was before this thread began to look.
 * @returns Whether it must not: then it counts as awake again, and
 * {@linkcode deadlockError} says why.
 */
export function isDeadlock(object: number, event: number): boolean {
  const own = linkOf(tid);
  if (own === undefined) return false;
  if (own.object === object && classOf(object)?.holders !== undefined) {
    const path = [own];
    const isFirst = lastWait !== own.serial;
    lastWait = own.serial;
    if (follow(path, new Set([tid]), isFirst) && claim(path)) return true;
  }
  store(self + Slot.looked, event);
  if (isMain) return areAllAsleep(true);
  if (load(MAIN_SLOT + Slot.blocked) & 1 && areAllAsleep(false)) {
    wakeSlot(MAIN_SLOT);
  }
  return false;
}

/** Reads the circle once more, and leaves it, if it is there. */
function claim(circle: Link[]): boolean {
  lock(MAIN_SLOT + Slot.deadlockMutex);
  const isThere =
    circle.every((link, i) =>
      isWaitingFor(link, circle[(i + 1) % circle.length])
    ) && isClosedForGood(circle);
  if (isThere) endBlocking();
  unlock(MAIN_SLOT + Slot.deadlockMutex);
  if (isThere) {
    found = circle;
    foundAll = false;
  }
  return isThere;
}

/**
 * Whether a thread still is in its wait, and the next one has what that is for.
 * No hand-over of the object can be half-done, since this has its mutex.
 */
function isWaitingFor(link: Link, next: Link): boolean {
  const isWhole = lockInner(link.object + Field.mutex);
  const waits = isWhole && isSame(link) &&
    holdersOf(link).includes(next.tid) && !isUnsettled(next.slot);
  unlockInner(link.object + Field.mutex);
  return waits;
}

/** Whether no thread is left that could wake another one. */
function areAllAsleep(leave: boolean): boolean {
  const links: Link[] = [];
  const used = load(Header.usedSlots);
  for (let i = 0; i < used; i++) {
    const slot = slotAt(i);
    const other = load(slot + Slot.tid);
    if (other === 0) {
      // What is left of a thread can still wake others.
      if (load(slot + Slot.lingers) !== 0 || hasWaits(slot)) return false;
      continue;
    }
    const link = linkOf(other);
    if (link === undefined || !isAsleep(link)) return false;
    if (isIdle(link) && !endsInSilence(link)) return false;
    links.push(link);
  }
  // Those that begin or end are counted, but may not be in a slot.
  if (links.length !== load(Header.allThreads) + 1) return false;
  // All of them slept when the first round was over: nobody handed anything over.
  const sleeps = (link: Link) =>
    isSame(link) && isAsleep(link) && !isUnsettled(link.slot);
  if (!links.every(sleeps)) return false;
  if (leave) {
    endBlocking();
    found = links.filter((link) => !isIdle(link));
    foundAll = true;
  }
  return true;
}

/** Whether a thread waits for work, and for nothing else. */
function isIdle({ node }: Link): boolean {
  return (words[node + Node.flags] & NodeFlag.idle) !== 0;
}

/**
 * Whether the end of an idle thread would wake nobody: nobody waits for it, and it
 * has neither a lock, nor a wait or a delivery, nor a handle of what does something
 * when its last handle goes. In doubt it would: then it is looked again when it has
 * ended.
 */
function endsInSilence({ slot, node, object }: Link): boolean {
  if (!(words[node + Node.flags] & NodeFlag.ends)) return true;
  const thread = words[slot + Slot.thread];
  if (!isNode(thread) || load(thread + Field.head) !== 0) return false;
  if (naming.heldBy(slot).length > 0) return false;
  if (words[slot + Slot.locksOverflow] !== 0) return false;
  // What stays with the thread from its start to its end, see `assign`.
  const first = words[slot + Slot.nodes];
  if (first !== 0) {
    if (!isNode(first) || words[first + Node.listNext] !== 0) return false;
    if (words[first + Node.object] !== object) return false;
  }
  return handlesOf(slot).every((each) => {
    const shared = classOf(each);
    return each === object || each === thread ||
      (shared !== undefined && shared.leave === undefined);
  });
}

/**
 * The error of the wait that {@linkcode isDeadlock} forbids.
 *
 * @param what What the thread waits for, for messages.
 */
export function deadlockError(what: string): DeadlockError {
  const links = found;
  if (links.length < 2 && foundAll) return neverEnds(what);
  const why = foundAll
    ? "every thread waits, and the timers and promises of a blocked thread stand still"
    : links.length === 1
    ? "this thread waits for itself"
    : "these threads wait for one another";
  const labels = new Map<number, string>();
  const lines = links.map((link, i) => {
    const previous = links[(i + links.length - 1) % links.length];
    return lineOf(link, previous, labels);
  });
  return new DeadlockError(
    `Cannot ${what}: this would never end, since ${why}\n${lines.join("\n")}`,
  );
}

/** The error of a wait in a program without another thread. */
function neverEnds(what: string): DeadlockError {
  return new DeadlockError(
    `Cannot ${what}: this would never end, since no other thread is left that could end it`,
  );
}

/**
 * `Lock 1`: the same object has the same number in all lines.
 *
 * @param node The wait at it, 0 if it is held.
 */
function labelOf(
  object: number,
  node: number,
  labels: Map<number, string>,
): string {
  if (object === node) return "one of several objects";
  const shared = classOf(object);
  const named = shared?.label?.(object, node);
  if (named !== undefined) return named;
  let label = labels.get(object);
  if (label === undefined) {
    label = `${shared?.constructor.name ?? "an object"} ${labels.size + 1}`;
    labels.set(object, label);
  }
  return label;
}

function lineOf(
  { tid, slot, node, object }: Link,
  previous: Link,
  labels: Map<number, string>,
): string {
  const held = new Set(naming.heldBy(slot));
  // What the tables do not tell: a share of an RwLock, a key of a map.
  const isHolder = holdersOf(previous).includes(tid);
  if (isHolder && classOf(previous.object)?.label === undefined) {
    held.add(previous.object);
  }
  const names = [...held].map((each) => labelOf(each, 0, labels));
  const holds = names.length === 0 ? "" : `holds ${names.join(", ")} and `;
  return `    ${naming.nameOf(tid)} ${holds}waits for ${
    labelOf(object, node, labels)
  }`;
}
