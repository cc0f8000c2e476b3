/**
 * Claims: one thread at a time makes the value of a key.
 *
 * A claim is a node of the thread's (see `wait_queue.ts`) that is in no queue:
 * from the section in which the thread gets the entry to the one in which it
 * lets go of it, the node names the map and the entry. So whoever cleans up
 * after a dead thread finds its claims among its nodes and passes them on.
 *
 * Who finds the entry claimed waits in the map's queue, with a node that names
 * a claim that is still free but names the entry. Whoever lets go of the entry
 * gives it to the first of them, by that claim. Those who only want a value are
 * sent to look for it instead, once there is one.
 *
 * A free claim outlives the node that waits for it: it is older, and a dead
 * thread's nodes are dealt with newest first.
 *
 * @module
 */

import { ThreadingError } from "./errors.ts";
import { deallocate, discard } from "./_memory/allocator.ts";
import type { Encoded } from "./_memory/codec/encode.ts";
import { addDraft, referenceDraft, removeDraft } from "./_memory/draft.ts";
import { add, words } from "./_memory/heap.ts";
import { lock, unlock } from "./_memory/mutex.ts";
import { glance, readShared, shareRecord, UNREAD } from "./_memory/record.ts";
import { Field, giveBack } from "./_memory/shared_object.ts";
import { isLiveTid, tid } from "./_memory/slot.ts";
import {
  allocateNode,
  dequeue,
  firstOf,
  freeNode,
  MAIN_QUEUE,
  Node,
  type Protocol,
  type Surrender,
  waitEpoch,
  waitPromise,
  waitSync,
  Wake,
  wake,
} from "./_memory/wait_queue.ts";
import {
  encodeKey,
  Entry,
  find,
  hashOf,
  lockEntry,
  putValue,
  removeIfUnused,
} from "./_map_table.ts";

/** Flags of a node: it is a claim; it waits for a value, whoever makes it. */
const CLAIM = 1 << 8;
const WANTS_VALUE = 1 << 9;
/** In a claim, and in the free claim of a thread that waits: the entry. */
const ENTRY = Node.value;
/** In a node that waits: the claim by which it is to be given the entry. */
const CLAIM_OF = Node.value;

/** What is asked for. */
export interface Request {
  /** The map. */
  map: number;
  /** The key. */
  key: unknown;
  /** Whether a value that is there will do. */
  wantsValue: boolean;
  /** For messages. */
  what: string;
}

/** What the wait that is about to begin looks for, when `take` is called. */
let sought: { key: Encoded; hash: number; claim: number; wantsValue: boolean };

/** How a map lets wait for an entry that is claimed. */
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
}

/**
 * Under the mutex: lets go of an entry. The claim's reference to the map is
 * this thread's then, to be given back.
 */
function letGo(map: number, claim: number): void {
  const entry = words[claim + ENTRY];
  words[claim + Node.object] = 0;
  addDraft(referenceDraft(map));
  words[entry + Entry.claim] = 0;
  for (let node = firstOf(map); node !== 0;) {
    const next = words[node + Node.next];
    if (
      entryOf(node) === entry &&
      isLiveTid(words[node + Node.tid])
    ) passOn(map, entry, node);
    node = next;
  }
  unpin(map, entry);
}

function passOn(map: number, entry: number, node: number): void {
  const hasValue = words[entry + Entry.value] !== 0;
  if (hasValue && words[node + Node.flags] & WANTS_VALUE) {
    dequeue(node);
    wake(node, Wake.refused);
  } else if (words[entry + Entry.claim] === 0) {
    dequeue(node);
    grant(map, entry, words[node + CLAIM_OF]);
    wake(node, Wake.granted);
  } else {
    return;
  }
  words[entry + Entry.pins]--;
}

/** Passes on what a dead thread had claimed. */
export function abandonClaim(map: number, node: number): void {
  if (!(words[node + Node.flags] & CLAIM)) return;
  lock(map + Field.mutex);
  letGo(map, node);
  unlock(map + Field.mutex);
  giveBack(map);
}

const Outcome = { claimed: 0, hasValue: 1, busy: 2, own: 3 } as const;

/** Claims the key if that can be done without waiting. */
function tryClaim({ map, key, wantsValue }: Request, claim: number): number {
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
    outcome = words[owner + Node.tid] === tid ? Outcome.own : Outcome.busy;
  }
  unlock(map + Field.mutex);
  sought = { key: encoded, hash, claim, wantsValue };
  return outcome;
}

function newClaim(): number {
  return allocateNode(CLAIM);
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
  timeoutError: () => unknown,
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
        if (end === Wake.waiting) throw timeoutError();
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

function ownKey(what: string): ThreadingError {
  return new ThreadingError(
    `Cannot ${what}: this thread is making the value of the key itself, and could never end that while it waits for it`,
  );
}
