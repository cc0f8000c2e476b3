/**
 * The rounds of a barrier: who has come, who runs the action, who goes on.
 *
 *     filling ──── the last party comes ────▶ filling (next round), all wake
 *        │  with an action:
 *        └───────▶ acting ── action done ───▶ filling (next round), all wake
 *                    └────── action failed ─▶ broken, all are sent away
 *
 * Who runs the action has the turn: a node of its thread (see `wait_queue.ts`)
 * that is in no queue and names the barrier from the section in which the round
 * became complete to the one in which it ends. So whoever cleans up after a
 * thread that died in its action finds the turn, and breaks the barrier.
 *
 * Wake-ups: the queue changes under the barrier's mutex only, and whoever makes
 * a round complete, ends it or breaks the barrier wakes all whom that concerns
 * in the same section.
 *
 * @module
 */

import { BrokenBarrierError } from "./errors.ts";
import { Field, words } from "./_memory/heap.ts";
import { lock, unlock } from "./_memory/mutex.ts";
import { pin, type Pins, unpin } from "./_memory/shared_object.ts";
import { waitEpoch } from "./_memory/wait.ts";
import {
  allocateNode,
  dequeue,
  firstOf,
  freeNode,
  MAIN_QUEUE,
  Node,
  NodeFlag,
  type Protocol,
  Wake,
  wake,
  wakeAll,
  wakeFirst,
} from "./_memory/wait_queue.ts";

/** The words of a barrier. */
export const BarrierField = {
  parties: Field.own,
  /** Nodes in the queue. */
  waiting: Field.own + 1,
  /** A `Phase`. */
  phase: Field.own + 2,
  /** Counts the resets, which an action that runs meanwhile must notice. */
  generation: Field.own + 3,
  /** Number of the marked action, 0 for none, -1 for one that is not marked. */
  action: Field.own + 4,
  /** The default timeout in milliseconds, negative for none. */
  timeout: Field.own + 5,
} as const;
/** Size of a barrier in words. */
export const BARRIER_WORDS = Field.own + 6;

/** Where in a round a barrier is. */
export const Phase = { filling: 0, acting: 1, broken: 2 } as const;

/** How a wait ends for the one that all others wait for. */
export const COMPLETE = 4;

/** Flags of a node: it is a turn; `Node.value` has the turn it would take. */
const TURN = 1 << 8;
const ENTERED = 1 << 9;

/** The turn that the wait that is about to begin would take. */
let offered = 0;

/** How a barrier lets wait. */
export const barrierProtocol: Protocol = {
  take(object, node) {
    if (!(words[node + Node.flags] & ENTERED)) {
      words[node + Node.flags] |= ENTERED;
      words[node + Node.value] = offered;
    }
    const phase = words[object + BarrierField.phase];
    if (phase === Phase.broken) return Wake.refused;
    const parties = words[object + BarrierField.parties];
    const others = words[object + BarrierField.waiting];
    // Whoever comes while the action runs is an early one of the next round.
    if (phase === Phase.filling && others >= parties - 1) {
      const turn = words[node + Node.value];
      words[node + Node.value] = parties - 1;
      bindOthers(object);
      if (turn === 0) {
        open(object);
        return Wake.granted;
      }
      words[turn + Node.value] = words[object + BarrierField.generation];
      words[turn + Node.state] = Wake.granted;
      words[turn + Node.object] = object;
      words[object + BarrierField.phase] = Phase.acting;
      return COMPLETE;
    }
    words[object + BarrierField.waiting] = others + 1;
    return Wake.waiting;
  },
  withdraw(object) {
    words[object + BarrierField.waiting]--;
  },
};

/**
 * Makes those who wait parties of this round: from now on none can give up and
 * so make the round one too small. In the critical section.
 */
function bindOthers(address: number): void {
  const parties = words[address + BarrierField.parties];
  let node = firstOf(address);
  for (let index = 0; index < parties - 1; index++) {
    words[node + Node.value] = index;
    words[node + Node.flags] |= NodeFlag.bound;
    node = words[node + Node.next];
  }
}

/** Lets the parties of this round go on. In the critical section. */
function open(address: number): void {
  for (let node = firstOf(address); node !== 0;) {
    const next = words[node + Node.next];
    // Others are early ones of the next round.
    if (words[node + Node.flags] & NodeFlag.bound) {
      dequeue(node);
      // Before the wake-up: `nWaiting()` looks without the mutex.
      words[address + BarrierField.waiting]--;
      wake(node, Wake.granted);
    }
    node = next;
  }
  words[address + BarrierField.phase] = Phase.filling;
  completeNext(address);
}

/** More early ones than a round takes: one of them is sent to complete it. */
function completeNext(address: number): void {
  if (
    words[address + BarrierField.phase] !== Phase.filling ||
    words[address + BarrierField.waiting] <
      words[address + BarrierField.parties]
  ) return;
  words[address + BarrierField.waiting]--;
  wakeFirst(address, MAIN_QUEUE, Wake.retry);
}

/** Sends all away that wait. In the critical section. */
function refuseAll(address: number, phase: number): void {
  words[address + BarrierField.phase] = phase;
  words[address + BarrierField.waiting] = 0;
  words[address + BarrierField.generation]++;
  wakeAll(address, MAIN_QUEUE, Wake.refused);
}

/** Sends all away that wait, and leaves the barrier in a phase. */
export function clear(address: number, phase: number): void {
  lock(address + Field.mutex);
  refuseAll(address, phase);
  unlock(address + Field.mutex);
}

/** The error of waiting at a barrier that is broken. */
export function broken(): BrokenBarrierError {
  return new BrokenBarrierError(
    "Cannot wait at a Barrier: it was broken or reset; reset() makes it usable again",
  );
}

/** What a dead thread leaves behind: its turn, or the completing of a round. */
export function abandonRound(
  address: number,
  node: number,
  state: number,
): void {
  lock(address + Field.mutex);
  if (words[node + Node.flags] & TURN) {
    if (isCurrent(address, node)) refuseAll(address, Phase.broken);
  } else if (state === Wake.retry) {
    completeNext(address);
  }
  unlock(address + Field.mutex);
}

/** Whether the barrier has not been reset or broken since a turn was taken. */
function isCurrent(address: number, turn: number): boolean {
  return words[turn + Node.value] === words[address + BarrierField.generation];
}

/** The next wait of this thread is at a barrier without an action. */
export function noTurn(): undefined {
  offered = 0;
}

/** The right to run the action of a round that this thread may complete. */
export class Turn {
  readonly #address: number;
  readonly #node: number;
  readonly #pins: Pins;
  /** With the thread its turns end, though its code may run on. */
  readonly #epoch = waitEpoch;

  /** The next wait of this thread, to begin at once, may take it. */
  constructor(address: number) {
    this.#address = address;
    this.#node = offered = allocateNode(TURN);
    // The action must not free the barrier under its own round.
    this.#pins = pin(address);
  }

  /**
   * The action is done: lets the parties go on.
   *
   * @throws {BrokenBarrierError} If the barrier was reset or broken meanwhile.
   */
  finish(): void {
    if (!this.#close(open)) throw broken();
  }

  /** The action failed: breaks the barrier. */
  fail(): void {
    this.#close((address) => refuseAll(address, Phase.broken));
  }

  #close(end: (address: number) => void): boolean {
    if (this.#epoch !== waitEpoch) return false;
    const address = this.#address;
    const turn = this.#node;
    lock(address + Field.mutex);
    const same = isCurrent(address, turn);
    if (same) end(address);
    words[turn + Node.object] = 0;
    unlock(address + Field.mutex);
    return same;
  }

  /** Gives the turn back, whether it was taken or not. */
  [Symbol.dispose](): void {
    unpin(this.#address, this.#pins);
    if (this.#epoch === waitEpoch) freeNode(this.#node);
  }
}
