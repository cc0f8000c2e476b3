/**
 * Making the value of a key: for as long as it takes, under a claim, see
 * `_map_claim.ts`.
 *
 * @module
 */

import { ThreadingError } from "./errors.ts";
import { deallocate, discard, removeDraft } from "./_memory/allocator.ts";
import { Field, words } from "./_memory/heap.ts";
import { lock, unlock } from "./_memory/mutex.ts";
import { timeoutError } from "../_internal/options.ts";
import {
  draftRecord,
  glance,
  readShared,
  shareRecord,
  UNREAD,
} from "./_codec/record.ts";
import { giveBack } from "./_memory/shared_object.ts";
import {
  type Surrender,
  waitEpoch,
  waitPromise,
  waitSync,
} from "./_memory/wait.ts";
import { freeNode, MAIN_QUEUE, Wake } from "./_memory/wait_queue.ts";
import {
  claimProtocol,
  ENTRY,
  letGo,
  newClaim,
  Outcome,
  type Request,
  tryClaim,
} from "./_map_claim.ts";
import { Entry, putValue } from "./_map_table.ts";

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

function ownKey(what: string): ThreadingError {
  return new ThreadingError(
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
