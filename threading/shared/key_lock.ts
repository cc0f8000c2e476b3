/**
 * Claims: one thread at a time makes the value of a key.
 *
 * A claim is a node of the thread's (see `wait_queue.ts`) that is in no queue:
 * from the section in which the thread gets the entry to the one in which it
 * lets go of it, the node names the map and the entry. So whoever cleans up
 * after a dead thread finds its claims among its nodes and passes them on.
 *
 * A thread that finds the entry claimed waits in the map's queue, with a node
 * that names a claim that is still free but names the entry. Whoever lets go of
 * the entry gives it to the first of them, by that claim. Waiters that only
 * want a value read it instead, once there is one.
 *
 * A promise-form wait whose thread blocks cannot use the entry it is given, see
 * `wait_queue.ts`: it lets go of it, and tries again when the thread goes on.
 *
 * A free claim outlives the node that waits for it: it is older, and a dead
 * thread's nodes are dealt with newest first.
 *
 * @module
 */

import type { Encoded } from "../_codec/encode.ts";
import {
  addDraft,
  deallocate,
  discard,
  referenceDraft,
  removeDraft,
} from "../_memory/allocator.ts";
import { add, Field, isLiveTid, tid, words } from "../_memory/heap.ts";
import { lock, unlock } from "../_memory/mutex.ts";
import { giveBack } from "../_memory/shared_object.ts";
import { noteReleased, noteTaken, TRACING } from "../_memory/trace.ts";
import {
  allocateNode,
  dequeue,
  firstOf,
  freeNode,
  isOwnTask,
  isUnseen,
  MAIN_QUEUE,
  Node,
  type Protocol,
  Wake,
  wake,
} from "../_memory/wait_queue.ts";
import {
  dropSnapshot,
  encodeKey,
  Entry,
  find,
  hashOf,
  lockEntry,
  putValue,
  removeIfUnused,
  removeValue,
} from "./hash_table.ts";
import { DeadlockError, ThreadingError } from "../errors.ts";
import { timeoutError } from "../../_internal/check.ts";
import {
  draftRecord,
  glance,
  readShared,
  shareRecord,
  UNREAD,
} from "../_codec/record.ts";
import {
  type Surrender,
  waitEpoch,
  waitPromise,
  waitSync,
} from "../_memory/wait.ts";

/** Flags of a node: it is a claim; it waits for a value, whoever makes it. */
const CLAIM = 1 << 8;
const WANTS_VALUE = 1 << 9;
/** In a claim, and in the free claim of a thread that waits: the entry. */
const ENTRY = Node.value;
/** In a node that waits: the claim through which it gets the entry. */
const CLAIM_OF = Node.value;

/** What a claim is asked for. */
export interface Request {
  /** The map. */
  map: number;
  /** The key. */
  key: unknown;
  /** Whether an existing value is enough. */
  wantsValue: boolean;
  /** For messages. */
  what: string;
}

/** What the wait that is about to begin looks for, when `take` is called. */
let sought: { key: Encoded; hash: number; claim: number; wantsValue: boolean };

/** How threads wait for an entry that is claimed. */
export const claimProtocol: Protocol = {
  take(map, node) {
    const entry = find(map, sought.hash, sought.key);
    if (
      entry === 0 || words[entry + Entry.claim] === 0 ||
      (sought.wantsValue && words[entry + Entry.value] !== 0)
    ) return Wake.refused;
    words[entry + Entry.pins]++;
    words[node + CLAIM_OF] = sought.claim;
    words[sought.claim + ENTRY] = entry;
    if (sought.wantsValue) words[node + Node.flags] |= WANTS_VALUE;
    return Wake.waiting;
  },
  withdraw(map, node) {
    unpin(map, entryOf(node));
  },
  undo(map, node, state) {
    if (state !== Wake.granted) return true;
    lock(map + Field.mutex);
    letGo(map, words[node + CLAIM_OF]);
    unlock(map + Field.mutex);
    giveBack(map);
    return true;
  },
  decline(map, node) {
    let stuck = node;
    while (stuck !== 0 && words[stuck + Node.state] === Wake.granted) {
      lock(map + Field.mutex);
      // It looks again when its thread goes on.
      words[stuck + Node.state] = Wake.refused;
      stuck = letGo(map, words[stuck + CLAIM_OF]);
      unlock(map + Field.mutex);
      giveBack(map);
    }
  },
};

/** The entry that a node waits for. */
function entryOf(node: number): number {
  return words[words[node + CLAIM_OF] + ENTRY];
}

function unpin(map: number, entry: number): void {
  words[entry + Entry.pins]--;
  removeIfUnused(map, entry);
}

/** Under the mutex: gives an entry to the thread whose claim this is. */
function grant(map: number, entry: number, claim: number): void {
  words[entry + Entry.claim] = claim;
  words[entry + Entry.touched] = 0;
  words[entry + Entry.pins]++;
  words[claim + Node.object] = map;
  words[claim + Node.state] = Wake.granted;
  words[claim + ENTRY] = entry;
  add(map + Field.references, 1);
  if (words[TRACING] !== 0) noteTaken(map, words[claim + Node.tid], claim);
}

/**
 * Under the mutex: lets go of an entry. The claim's reference to the map is
 * this thread's then, to be given back.
 *
 * @returns The node of the wait that has been given the entry, if that is one of
 * this thread's in the promise form, or 0.
 */
function letGo(map: number, claim: number): number {
  const entry = words[claim + ENTRY];
  if (words[TRACING] !== 0) noteReleased(map, words[claim + Node.tid], claim);
  words[claim + Node.object] = 0;
  addDraft(referenceDraft(map));
  words[entry + Entry.claim] = 0;
  let given = 0;
  for (let node = firstOf(map); node !== 0;) {
    const next = words[node + Node.next];
    if (entryOf(node) === entry && isLiveTid(words[node + Node.tid])) {
      const isOwn = isOwnTask(node);
      if (passOn(map, entry, node) && isOwn) given = node;
    }
    node = next;
  }
  unpin(map, entry);
  return given;
}

/** Returns whether the node has been given the entry. */
function passOn(map: number, entry: number, node: number): boolean {
  const wantsThis = words[entry + Entry.value] !== 0 &&
    (words[node + Node.flags] & WANTS_VALUE) !== 0;
  const isFree = words[entry + Entry.claim] === 0;
  if (!wantsThis && !isFree) return false;
  dequeue(node);
  words[entry + Entry.pins]--;
  if (wantsThis) {
    wake(node, Wake.refused);
    return false;
  }
  grant(map, entry, words[node + CLAIM_OF]);
  wake(node, Wake.granted);
  return true;
}

/** The thread that makes the value a node waits for, see `deadlock.ts`. */
export function makerOf(_map: number, node: number): number[] {
  // Any of these words may be something else by now.
  const maker = words[words[entryOf(node) + Entry.claim] + Node.tid];
  return maker > 0 ? [maker] : [];
}

/** Passes on what a dead thread had claimed. */
export function abandonClaim(map: number, node: number): void {
  if (dropSnapshot(node)) return;
  if (!(words[node + Node.flags] & CLAIM)) return;
  lock(map + Field.mutex);
  letGo(map, node);
  unlock(map + Field.mutex);
  giveBack(map);
}

/** What became of {@linkcode tryClaim}. */
const Outcome = { claimed: 0, hasValue: 1, busy: 2, own: 3 } as const;

/** Claims the key if that can be done without waiting. */
function tryClaim(
  { map, key, wantsValue }: Request,
  claim: number,
): number {
  const encoded = encodeKey(key);
  const hash = hashOf(encoded);
  const entry = lockEntry(map, hash, encoded);
  const owner = words[entry + Entry.claim];
  let outcome: number = Outcome.claimed;
  if (wantsValue && words[entry + Entry.value] !== 0) {
    outcome = Outcome.hasValue;
  } else if (owner === 0) {
    grant(map, entry, claim);
  } else {
    // What a task was given just now, this thread passes on when it blocks.
    const isOwn = words[owner + Node.tid] === tid && !isUnseen(map, owner);
    outcome = isOwn ? Outcome.own : Outcome.busy;
  }
  unlock(map + Field.mutex);
  sought = { key: encoded, hash, claim, wantsValue };
  return outcome;
}

/** A free claim; `freeNode` gives it back. */
function newClaim(): number {
  return allocateNode(CLAIM);
}

// Making the value of a key: for as long as that takes, the maker has a claim.

/** An entry that this thread alone may make the value of. */
export class Claim {
  readonly #map: number;
  readonly #node: number;
  /** With the thread its claims end, though its code may run on. */
  readonly #epoch = waitEpoch;

  constructor(map: number, node: number) {
    this.#map = map;
    this.#node = node;
  }

  /** The value that the new one is made of, undefined if there is none. */
  read(): unknown {
    this.#check();
    const entry = words[this.#node + ENTRY];
    lock(this.#map + Field.mutex);
    words[entry + Entry.touched] = 0;
    const record = words[entry + Entry.value];
    const value = record === 0 ? undefined : glance(record);
    if (value === UNREAD) shareRecord(record);
    unlock(this.#map + Field.mutex);
    return value === UNREAD ? readShared(record) : value;
  }

  /**
   * Lets go of the key, with a value for it. If the key was set or deleted
   * since {@linkcode read}, that stays: the value counts as made before.
   *
   * @param record The value, a draft.
   * @returns Whether it was put into the map.
   */
  settle(record: number): boolean {
    try {
      this.#check();
    } catch (error) {
      discard(record);
      throw error;
    }
    const map = this.#map;
    const entry = words[this.#node + ENTRY];
    lock(map + Field.mutex);
    const isLate = words[entry + Entry.touched] !== 0;
    if (isLate) {
      removeDraft(record);
      deallocate(record);
    } else {
      putValue(map, entry, record);
    }
    letGo(map, this.#node);
    unlock(map + Field.mutex);
    this.#end();
    return !isLate;
  }

  /** Lets go of the key without a value, unless it was set since. */
  remove(): void {
    this.#check();
    const map = this.#map;
    const entry = words[this.#node + ENTRY];
    lock(map + Field.mutex);
    const isLate = words[entry + Entry.touched] !== 0;
    if (!isLate && words[entry + Entry.value] !== 0) removeValue(map, entry);
    letGo(map, this.#node);
    unlock(map + Field.mutex);
    this.#end();
  }

  /** Lets go of the key as it is. */
  giveUp(): void {
    if (this.#epoch !== waitEpoch) return;
    lock(this.#map + Field.mutex);
    letGo(this.#map, this.#node);
    unlock(this.#map + Field.mutex);
    this.#end();
  }

  #check(): void {
    if (this.#epoch === waitEpoch) return;
    throw new ThreadingError(
      "Cannot make a value for a SharedMap: the thread that began it has ended",
    );
  }

  #end(): void {
    freeNode(this.#node);
    giveBack(this.#map);
  }
}

/**
 * Claims a key, and blocks the thread while another one has it.
 *
 * @param timeout Milliseconds.
 * @returns The claim, or undefined if there is a value and that will do.
 */
export function claimSync(
  request: Request,
  timeout: number,
): Claim | undefined {
  const { map, what } = request;
  const deadline = performance.now() + timeout;
  const node = newClaim();
  let claimed = false;
  try {
    for (;;) {
      const outcome = tryClaim(request, node);
      if (outcome === Outcome.hasValue) return undefined;
      if (outcome === Outcome.own) throw ownKey(what);
      claimed = outcome === Outcome.claimed;
      if (!claimed) {
        const left = Math.max(deadline - performance.now(), 0);
        const end = waitSync(claimProtocol, map, MAIN_QUEUE, left, what);
        if (end === Wake.waiting) throw timeoutError(what, timeout);
        claimed = end === Wake.granted;
      }
      if (claimed) return new Claim(map, node);
    }
  } finally {
    if (!claimed) freeNode(node);
  }
}

/** Like {@linkcode claimSync}, without blocking the thread. */
export async function claimAsync(
  request: Request,
  surrender: Surrender,
): Promise<Claim | undefined> {
  const deadline = performance.now() + surrender.timeout;
  const epoch = waitEpoch;
  const node = newClaim();
  let claimed = false;
  try {
    for (;;) {
      const outcome = tryClaim(request, node);
      if (outcome === Outcome.hasValue) return undefined;
      claimed = outcome === Outcome.claimed;
      if (!claimed) {
        const timeout = Math.max(deadline - performance.now(), 0);
        const end = await waitPromise(claimProtocol, request.map, MAIN_QUEUE, {
          ...surrender,
          timeout,
        });
        claimed = end === Wake.granted;
      }
      if (claimed) return new Claim(request.map, node);
    }
  } finally {
    if (!claimed && epoch === waitEpoch) freeNode(node);
  }
}

function ownKey(what: string): DeadlockError {
  return new DeadlockError(
    `Cannot ${what}: this thread is making the value of the key itself, and could never end that while it waits for it`,
  );
}

/** Makes a value; if that throws, the next one has its turn. */
export function attempt<V>(claim: Claim, make: () => V): V {
  try {
    return make();
  } catch (error) {
    claim.giveUp();
    throw error;
  }
}

/** Like {@linkcode attempt}, of a value that may be promised. */
export async function attemptAsync<V>(
  claim: Claim,
  make: () => V | PromiseLike<V>,
): Promise<V> {
  try {
    return await make();
  } catch (error) {
    claim.giveUp();
    throw error;
  }
}

/** Puts a value into the map; false if another one has come there meanwhile. */
export function settle(claim: Claim, value: unknown): boolean {
  return claim.settle(attempt(claim, () => draftRecord(value)));
}
