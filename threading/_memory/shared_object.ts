/**
 * Shared objects: blocks on the heap that threads hold handles of.
 *
 * Every object starts with the words of `Field`. `references` counts the
 * handles of all threads and the records that refer to the object; at 0 it is
 * destroyed. A handle is a JavaScript object; the thread's slot lists the
 * address of each (`Slot.holds`), so that a dead thread's can be given back.
 *
 * In one thread there is one handle for one object as long as it is in use:
 * `handles` maps addresses to handles. It refers to them weakly, but for those
 * made in the job that is running: a `WeakRef` keeps its target alive until the
 * end of the job, so in a thread that never returns to its event loop, WeakRefs
 * made at once would leak every handle, freed ones too.
 *
 * @module
 */

import {
  addDraft,
  addressAround,
  allocateZeroed,
  deallocate,
  discard,
  payloadWords,
  rebuild,
  referenceDraft,
  removeDraft,
} from "./allocator.ts";
import {
  add,
  compareExchange,
  exchange,
  Field,
  FREED,
  Header,
  load,
  self,
  Slot,
  SLOTS_END,
  store,
  wakeAllSlots,
  words,
} from "./heap.ts";
import {
  breakMutex,
  callbacks,
  closeMutex,
  damagedError,
  doWholly,
  holderOf,
  lock,
  takeToClose,
  unlock,
} from "./mutex.ts";
import {
  classOf,
  classUrl,
  leavingKinds,
  makeVisible,
  strangers,
} from "./shared_class.ts";
import { noteMade, TRACING } from "./trace.ts";
import { ThreadingError } from "../errors.ts";

/** Key of a handle's address. */
export const ADDRESS: unique symbol = Symbol("address");
const HOLD: unique symbol = Symbol("hold");
const BALLAST: unique symbol = Symbol("ballast");

/**
 * What all shared objects have in common: they can be sent to any thread, in
 * any value, and are shared there rather than copied.
 */
export abstract class SharedObject {
  /** Address on the shared heap. @ignore */
  declare [ADDRESS]: number;
  /** Index of the handle among the thread's. @ignore */
  declare [HOLD]: number;
  /** What makes V8 count a large object. @ignore */
  declare [BALLAST]: ArrayBuffer | undefined;

  /** Makes this the first handle of a new object. @ignore */
  protected constructor(address: number) {
    adoptHandle(this, address, true);
  }

  /**
   * Gives this thread's handle back at once instead of when it is garbage
   * collected. The object goes on living in threads and values that refer to
   * it; in this thread the handle is of no use any more.
   *
   * A thread that never returns to its event loop must call this for objects
   * that it meets in great numbers, since nothing is collected there.
   *
   * @throws {ThreadingError} If it has been freed already, or an async task of
   * this thread waits for it.
   */
  free(): void {
    const address = this[ADDRESS];
    if (address === FREED) throw unusable(this);
    if (pins.has(address)) {
      throw new ThreadingError(
        `Cannot free ${this.constructor.name}: an async task of this thread waits for it; end the wait first, with its signal`,
      );
    }
    release(this);
    if (encoding.depth === 0) finishLeaving();
  }
}

function stateOf(handle: object): string[] {
  const address = (handle as SharedObject)[ADDRESS];
  // It may be that of the prototype.
  if (!(address > 0)) return [];
  if (address === FREED) return ["given back with free()"];
  if (words[address + Field.damaged] !== 0) return ["damaged"];
  return classOf(address)?.look?.(address) ?? [];
}

makeVisible(SharedObject.prototype, stateOf, (handle) => {
  addressOf(handle as SharedObject);
});

function release(handle: SharedObject): void {
  const address = handle[ADDRESS];
  const hold = handle[HOLD];
  handle[ADDRESS] = FREED;
  if (handle[BALLAST] !== undefined) handle[BALLAST] = undefined;
  if (fresh.get(address) === handle) fresh.delete(address);
  else if (fresher.get(address) === handle) fresher.delete(address);
  const known = handles.get(address);
  if (known !== undefined && known.deref() === handle) handles.delete(address);
  finalizers.unregister(handle);
  // A record that is being made may refer to the object already, and counts
  // that only when it is linked.
  if (encoding.depth === 0) releaseHold(hold);
  else queueMicrotask(() => releaseHold(hold));
}

/** How many values this thread is encoding: getters in one can send others. */
export const encoding = { depth: 0 };

/**
 * Allocates an object with all its words 0 but the kind. It is a draft until
 * its first handle is made.
 *
 * @param kind What {@linkcode registerClass} returned.
 * @param count Its number of words, those of `Field` included.
 * @returns The address.
 */
export function createObject(kind: number, count: number): number {
  if (load(Header.strangers) !== strangers.seen) destroyStrangers();
  const address = allocateZeroed(count);
  words[address + Field.kind] = kind;
  if (words[TRACING] !== 0) noteMade(address);
  return address;
}

/** How many async tasks of a thread are in the middle of using each object. */
export type Pins = Map<number, number>;

/** The pins of the thread that runs here; the next one has its own. */
let pins: Pins = new Map();

/**
 * Keeps this thread's handle of an object from being freed.
 *
 * @returns The thread's pins, for {@linkcode unpin}.
 */
export function pin(address: number): Pins {
  pins.set(address, (pins.get(address) ?? 0) + 1);
  return pins;
}

/** Undoes one {@linkcode pin}. */
export function unpin(address: number, of: Pins): void {
  const left = of.get(address)! - 1;
  if (left > 0) of.set(address, left);
  else of.delete(address);
}

/** Forgets all pins: the thread that set them has ended. */
export function forgetPins(): void {
  pins = new Map();
}

/** Pins an object until a promise is settled; returns the promise. */
export function pinUntil<P extends Promise<unknown>>(
  address: number,
  promise: P,
): P {
  const of = pin(address);
  const done = () => unpin(address, of);
  // Not the promise's own `then`, which may mark the flow of an RLock.
  Promise.prototype.then.call(promise, done, done);
  return promise;
}

/** Handles by address, but for those made in the running job. */
const handles = new Map<number, WeakRef<SharedObject>>();
/** Handles made in the running job, and the newest of them. */
let fresh = new Map<number, SharedObject>();
let fresher = new Map<number, SharedObject>();
/** The newest handles that are kept; an older one may get a second handle. */
const MIN_FRESH = 1024;
let settling = false;

const finalizers = new FinalizationRegistry<number>((hold) => {
  // If the thread has died, or is about to, others give everything back.
  if (words[self + Slot.dying] === 0) releaseHold(hold);
});

/** Free indices below `Slot.holdsCapacity`. */
const freeHolds: number[] = [];

function settleFresh(): void {
  settling = false;
  for (const made of [fresh, fresher]) {
    for (const [address, handle] of made) {
      handles.set(address, new WeakRef(handle));
    }
    made.clear();
  }
}

function remember(address: number, handle: SharedObject): void {
  // To delete the oldest one by one would be slow: a Map skips what was deleted.
  if (fresher.size >= MIN_FRESH) {
    [fresh, fresher] = [fresher, fresh];
    fresher.clear();
  }
  fresher.set(address, handle);
  if (!settling) {
    settling = true;
    queueMicrotask(settleFresh);
  }
}

function growHolds(): void {
  const old = words[self + Slot.holds];
  const capacity = words[self + Slot.holdsCapacity];
  const larger = capacity === 0 ? 64 : capacity * 2;
  const vector = allocateZeroed(larger);
  for (let i = 0; i < capacity; i++) words[vector + i] = words[old + i];
  lock(self + Slot.mutex);
  words[self + Slot.holds] = vector;
  words[self + Slot.holdsCapacity] = larger;
  removeDraft(vector);
  if (old !== 0) deallocate(old);
  unlock(self + Slot.mutex);
  for (let i = larger - 1; i >= capacity; i--) freeHolds.push(i);
}

/** Objects of this many bytes or more get ballast. */
const BALLAST_FROM = 2 ** 16;

/**
 * To V8 a handle is a few words, whatever it stands for, so it would let any
 * number of large ones pile up. A buffer of the object's size, never touched
 * and so never there, makes it count them for what they are.
 */
function ballast(bytes: number): ArrayBuffer | undefined {
  try {
    return new ArrayBuffer(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Makes a handle of an object.
 *
 * @param handle A JavaScript object with the class's prototype.
 * @param address The object.
 * @param draft Whether the object is a draft of this thread.
 */
function adoptHandle(
  handle: SharedObject,
  address: number,
  draft: boolean,
): void {
  if (!draft && load(Header.leftWaits) !== strangers.seenWaits) {
    callbacks.waitsLeft();
  }
  const hold = holdObject(address, draft);
  handle[ADDRESS] = address;
  handle[HOLD] = hold;
  metLeaving ||= leavingKinds.has(words[address + Field.kind]);
  const bytes = payloadWords(address) * 4;
  if (bytes >= BALLAST_FROM) handle[BALLAST] = ballast(bytes);
  finalizers.register(handle, hold, handle);
  remember(address, handle);
}

/**
 * Notes that this thread holds an object; what a handle is, without the handle.
 *
 * @param address The object.
 * @param draft Whether it is a draft of this thread; it is none afterwards.
 * @returns What {@linkcode releaseHold} takes.
 */
export function holdObject(address: number, draft: boolean): number {
  if (freeHolds.length === 0) {
    try {
      growHolds();
    } catch (error) {
      if (draft) discard(address);
      throw error;
    }
  }
  const hold = freeHolds.pop()!;
  lock(self + Slot.mutex);
  words[words[self + Slot.holds] + hold] = address;
  add(address + Field.references, 1);
  if (draft) removeDraft(address);
  unlock(self + Slot.mutex);
  return hold;
}

/** Undoes {@linkcode holdObject}. */
export function releaseHold(hold: number): void {
  lock(self + Slot.mutex);
  const entry = words[self + Slot.holds] + hold;
  const address = words[entry];
  words[entry] = 0;
  releaseReference(address);
  unlock(self + Slot.mutex);
  freeHolds.push(hold);
}

/**
 * The address of a shared object.
 *
 * @throws {ThreadingError} If the handle has been freed, or the object is
 * damaged.
 */
export function addressOf(object: SharedObject): number {
  const address = object[ADDRESS];
  // The place of freed handles looks damaged, too.
  if (words[address + Field.damaged] !== 0) throw unusable(object);
  return address;
}

function unusable(object: SharedObject): ThreadingError {
  const { name } = object.constructor;
  if (object[ADDRESS] !== FREED) return damagedError(name);
  return new ThreadingError(
    `Cannot use ${name}: this thread's handle was given back with free()`,
  );
}

function knownHandle(address: number): SharedObject | undefined {
  return fresher.get(address) ?? fresh.get(address) ??
    handles.get(address)?.deref();
}

/**
 * This thread's handle of an object. The caller has a reference to the object,
 * or holds a record that has one.
 */
export function objectAt(address: number): SharedObject {
  const known = knownHandle(address);
  if (known !== undefined) return known;
  const shared = classOf(address);
  if (shared === undefined) {
    throw new ThreadingError(
      `Cannot use a shared object: its module ${
        classUrl(address)
      } is not loaded in this thread; import it`,
    );
  }
  return objectAtAs(address, shared.constructor);
}

/** Like {@linkcode objectAt}, for an object of a marked subclass. */
export function objectAtAs(
  address: number,
  // deno-lint-ignore ban-types
  constructor: Function,
): SharedObject {
  const known = knownHandle(address);
  if (known !== undefined) {
    // Met before as one of its base class, by `enumerate`, say.
    if (constructor.prototype instanceof known.constructor) {
      Object.setPrototypeOf(known, constructor.prototype);
      arrived.add(known);
    }
    return known;
  }
  const handle = Object.create(constructor.prototype) as SharedObject;
  adoptHandle(handle, address, false);
  if (classOf(address)?.constructor !== constructor) arrived.add(handle);
  return handle;
}

/** The handles of marked subclasses that were not constructed in this thread. */
const arrived = new WeakSet<SharedObject>();

/**
 * Whether a message that brings the object sets the fields of this thread's
 * handle. Where the object was constructed, and in a Thread's own thread, the
 * fields stay as the code there has left them; everywhere else they are those
 * of the last arrival.
 */
export function takesFields(handle: SharedObject): boolean {
  return arrived.has(handle) &&
    words[self + Slot.thread] !== handle[ADDRESS];
}

/**
 * A stand-in for a handle of a marked subclass, to be encoded and not kept: it
 * is of skein's own class, without the fields of the subclass.
 */
export function withoutFields(handle: SharedObject): SharedObject {
  const shared = classOf(addressOf(handle))!;
  const plain = Object.create(shared.constructor.prototype) as SharedObject;
  plain[ADDRESS] = handle[ADDRESS];
  return plain;
}

const doomed: number[] = [];
let destroying = false;

/**
 * Takes one reference from an object and destroys it if that was the last. To
 * be called inside a critical section. Objects that the object referred to are
 * released in a loop, not in a recursion, however long the chain.
 */
export function releaseReference(address: number): void {
  if (add(address + Field.references, -1) !== 1) return;
  doomed.push(address);
  destroyDoomed();
}

function destroyDoomed(): void {
  if (destroying) return;
  destroying = true;
  while (doomed.length > 0) {
    const object = doomed.pop()!;
    // Nobody knows what a damaged one owns.
    if (words[object + Field.damaged] === 0) {
      const shared = classOf(object);
      if (shared === undefined) {
        push(Header.strangers, object);
        // It may have a last thing to do that somebody waits for.
        wakeAllSlots();
        continue;
      }
      if (shared.leave !== undefined) {
        push(Header.leaving, object);
        scheduleLeaving();
        continue;
      }
      if (shared.destroy?.(object) === false) {
        push(Header.strangers, object);
        continue;
      }
    }
    erase(object);
  }
  destroying = false;
}

function erase(object: number): void {
  // A thread's table may still name it as a lock, see `heldLocks`.
  words[object + Field.kind] = 0;
  deallocate(object);
}

/**
 * Strangers: objects that nobody refers to any more, whose last reference went
 * in a thread that has not loaded their class and cannot know what they own, or
 * that cannot do what is to be done first.
 * The next thread that makes an object of any class destroys those that it
 * knows, so they are never more than what was dropped since.
 *
 * They are a stack from `Header.strangers`, linked by the first word of their
 * empty wait queue.
 */
function push(stack: number, object: number): void {
  let first: number;
  do {
    first = load(stack);
    words[object + Field.head] = first;
  } while (compareExchange(stack, first, object) !== first);
}

function destroyStrangers(): void {
  lock(self + Slot.mutex);
  // All at once, so none is taken off the stack while another thread pushes.
  let object = exchange(Header.strangers, 0);
  while (object !== 0) {
    const next = words[object + Field.head];
    words[object + Field.head] = 0;
    if (classOf(object) === undefined) push(Header.strangers, object);
    else doomed.push(object);
    object = next;
  }
  destroyDoomed();
  strangers.seen = load(Header.strangers);
  unlock(self + Slot.mutex);
}

/*
 * Leaving: an object that has a last thing to do, `SharedClass.leave`, cannot do
 * it in the critical section in which its last reference goes. It goes onto a
 * stack from `Header.leaving`, and all threads are woken. Each of them sees to
 * the stack when it wakes, before it sleeps, and in a microtask if it has pushed
 * something itself. So it is done soon, whatever becomes of the thread that had
 * the last reference, and before that thread waits for what follows from it.
 */
let leavingScheduled = false;

function scheduleLeaving(): void {
  wakeAllSlots();
  if (leavingScheduled) return;
  leavingScheduled = true;
  queueMicrotask(() => {
    leavingScheduled = false;
    finishLeaving();
  });
}

/** Outside of critical sections: sees to the objects that nobody refers to. */
export function finishLeaving(): void {
  if (load(Header.strangers) !== strangers.seen) destroyStrangers();
  if (load(Header.leaving) === 0) return;
  // A killer waits: what was taken off the stack is this thread's business.
  doWholly(() => {
    let object = exchange(Header.leaving, 0);
    while (object !== 0) {
      const next = words[object + Field.head];
      words[object + Field.head] = 0;
      const shared = classOf(object);
      if (shared === undefined) {
        push(Header.leaving, object);
      } else {
        shared.leave!(object);
        lock(self + Slot.mutex);
        shared.destroy?.(object);
        erase(object);
        unlock(self + Slot.mutex);
      }
      object = next;
    }
  });
}

/**
 * Takes a reference to an object for this thread, for the moment. To be called
 * in the critical section in which the object cannot go.
 */
export function borrow(address: number): void {
  add(address + Field.references, 1);
  addDraft(referenceDraft(address));
}

/** Gives back a reference that this thread has for the moment. */
export function giveBack(address: number): void {
  lock(self + Slot.mutex);
  removeDraft(referenceDraft(address));
  releaseReference(address);
  unlock(self + Slot.mutex);
}

/**
 * Whether the thread that runs here has met an object with a last thing to do.
 */
let metLeaving = false;

/**
 * Gives back this thread's handles of objects that have a last thing to do: the
 * thread ends, and its worker lives on.
 *
 * @param spared Tells which of them the result of the thread refers to.
 */
export function freeLeaving(spared?: (address: number) => boolean): void {
  if (!metLeaving) return;
  const capacity = words[self + Slot.holdsCapacity];
  for (let i = 0; i < capacity; i++) {
    const address = words[words[self + Slot.holds] + i];
    if (address === 0 || !isLeaving(address) || spared?.(address)) continue;
    const handle = knownHandle(address);
    // If it is garbage by now, its finalizer gives it back.
    if (handle !== undefined && handle[HOLD] === i) release(handle);
  }
  if (spared === undefined) metLeaving = false;
  finishLeaving();
}

/** The same for a dead thread's slot. */
export function releaseLeavingOf(
  slot: number,
  spared: (address: number) => boolean,
): void {
  const vector = words[slot + Slot.holds];
  if (vector === 0) return;
  lock(self + Slot.mutex);
  for (let i = words[slot + Slot.holdsCapacity] - 1; i >= 0; i--) {
    const address = words[vector + i];
    if (address === 0 || !isLeaving(address) || spared(address)) continue;
    words[vector + i] = 0;
    releaseReference(address);
  }
  unlock(self + Slot.mutex);
  finishLeaving();
}

function isLeaving(address: number): boolean {
  return classOf(address)?.leave !== undefined;
}

/** Gives back all handles of a dead thread's slot. */
export function releaseHoldsOf(slot: number): void {
  const vector = words[slot + Slot.holds];
  const capacity = words[slot + Slot.holdsCapacity];
  if (vector === 0) return;
  lock(self + Slot.mutex);
  words[slot + Slot.holds] = 0;
  words[slot + Slot.holdsCapacity] = 0;
  for (let i = 0; i < capacity; i++) {
    if (words[vector + i] !== 0) releaseReference(words[vector + i]);
  }
  deallocate(vector);
  unlock(self + Slot.mutex);
}

/**
 * Finishes a critical section that a thread has left in the middle, because it
 * ran out of memory or stack in there. Killed threads leave none, see
 * `mutex.ts`. The allocator's lists are made anew, and an object is marked as
 * damaged. Does no harm if it is done twice.
 *
 * Waiters of a damaged object are woken with an error: its mutex is closed
 * first, so nobody begins to wait any more and nobody else wakes them. Then the
 * count of damages grows and each thread is made to look at what it waits for.
 * A thread reads its event word before it looks, so the wake-up is not lost.
 *
 * @param mutex The mutex of the section.
 * @param slot The thread.
 */
export function finishSection(mutex: number, slot: number = self): void {
  // It may have been in the middle of giving objects back.
  if (slot === self) destroying = false;
  const isHeld = holderOf(mutex) === slot;
  if (mutex < SLOTS_END) {
    if (!isHeld) return;
    if (mutex === Header.allocatorMutex) rebuild();
    breakMutex(mutex);
    return;
  }
  // An object may have other mutexes besides the one that all have.
  const object = addressAround(mutex);
  if (!isHeld && words[object + Field.damaged] === 0) return;
  store(object + Field.damaged, 1);
  const main = object + Field.mutex;
  if (mutex !== main) closeMutex(mutex);
  takeToClose(main, slot);
  closeMutex(main);
  add(Header.damages, 1);
  wakeAllSlots();
  // This thread's event loop might end before it looks.
  callbacks.ownWake();
  words[self + Slot.ground] = 0;
}

callbacks.unfinished = finishSection;

/**
 * Takes over a mutex whose holder is gone, see `lockSlow`. This thread holds it
 * now, and may be inside another section.
 *
 * @returns Whether it can go on; not with an object, which is damaged.
 */
callbacks.inherit = (mutex) => {
  if (mutex === Header.allocatorMutex) rebuild();
  if (mutex < SLOTS_END) return true;
  // What `addressAround` does is not this section's end.
  const inner = words[self + Slot.innerGround];
  words[self + Slot.innerGround] = 0;
  const object = addressAround(mutex);
  words[self + Slot.innerGround] = inner;
  store(object + Field.damaged, 1);
  closeMutex(mutex);
  return false;
};
