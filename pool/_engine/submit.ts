/**
 * Giving tasks to a pool.
 *
 * @module
 */

import {
  discard,
  doWholly,
  holdObject,
  isMain,
  type Protocol,
  releaseHold,
  waitPromise,
  waitSync,
  Wake,
  words,
} from "../../threading/_ground.ts";
import {
  refuseWhileLoading,
  settleKeepAlive,
} from "../../threading/_threads.ts";
import {
  checkMarks,
  draftEncoded,
  encode,
  readRecord,
  sendableEntry,
  type SendableFunction,
} from "../../threading/_values.ts";
import { Full, ShutDown } from "../../queue/errors.ts";
import { createTask } from "../future.ts";
import { hooks } from "./core.ts";
import { helperFor, runNested } from "./help.ts";
import { Core, Offer, Task } from "./layout.ts";
import { accept, acceptHere, offer } from "./line.ts";
import { aside, currentIn } from "./run.ts";
import { checkWorkers } from "./start.ts";
import "./serve.ts";

const WHAT = "run a task";

/** What a task is, checked. */
export interface Order {
  fn: SendableFunction;
  args: readonly unknown[];
  /** Milliseconds, -1 for none. */
  timeout: number;
  grace: number;
  attempts: number;
  signal: AbortSignal | undefined;
}

/**
 * Checks a function that tasks of the core are to call, before any does.
 *
 * @throws {NotSendableError} If it cannot be sent.
 */
export function checkTask(core: number, fn: SendableFunction): void {
  if (words[core + Core.closed] !== 0) throw closedError(core);
  refuseWhileLoading(() => WHAT);
  checkWorkers(sendableEntry(fn)?.url);
  checkMarks(encode({ fn }, "").sendables, WHAT);
}

/** The record of what a task is to run, a draft. */
function draftJob({ fn, args }: Order): number {
  refuseWhileLoading(() => WHAT);
  checkWorkers(sendableEntry(fn)?.url);
  const encoded = encode({ fn, args }, "");
  checkMarks(encoded.sendables, WHAT);
  return draftEncoded(encoded);
}

/** The error of a task that is not accepted any more. */
export function closedError(core: number): unknown {
  const record = words[core + Core.error];
  if (record !== 0) return readRecord(record);
  return new ShutDown(`Cannot ${WHAT}: the pool was shut down`);
}

function full(core: number): Full {
  return new Full(
    `Cannot ${WHAT}: the pool is full with its maxPending of ${
      words[core + Core.maxPending]
    }`,
  );
}

/**
 * Offers a new task that this thread holds.
 *
 * @returns Whether it was accepted; if not, there is no room.
 */
function propose(core: number, task: number, order: Order): boolean {
  const job = draftJob(order);
  words[task + Task.attempts] = order.attempts;
  words[task + Task.timeout] = order.timeout;
  words[task + Task.grace] = order.grace;
  const parent = currentIn(core);
  let end: number = Offer.wholly;
  try {
    end = offer(core, task, job, parent, false);
    if (end !== Offer.wholly) return isAccepted(core, end);
    doWholly(() => {
      end = offer(core, task, job, parent, true);
      if (end === Offer.acceptedFirst) hooks.startWorker(core);
    });
  } catch (error) {
    if (end === Offer.wholly) discard(job);
    throw error;
  }
  return isAccepted(core, end);
}

function isAccepted(core: number, end: number): boolean {
  if (end === Offer.closed) throw closedError(core);
  if (end === Offer.full) return false;
  if (isMain) settleKeepAlive();
  return true;
}

/** How a submitter waits for room: its task goes in when there is some. */
function roomProtocol(
  task: number,
  parent: number,
): Protocol & { end: number } {
  return {
    end: Offer.full,
    take(core) {
      this.end = accept(core, task, parent);
      return this.end === Offer.full ? Wake.waiting : Wake.granted;
    },
  };
}

/**
 * Gives a task to the core.
 *
 * @param task The task, which this thread holds.
 * @throws {Full} If there is no room.
 * @throws {ShutDown} If the pool was shut down.
 */
export function submitNowait(core: number, task: number, order: Order): void {
  if (!propose(core, task, order)) throw full(core);
}

/** The same, and waits for room; blocks the thread. */
export function submitSync(core: number, task: number, order: Order): void {
  if (propose(core, task, order)) return;
  const helper = helperFor(core);
  if (helper !== undefined) {
    // All workers could wait for room like this, and nobody would make any.
    const { place } = helper;
    isAccepted(core, acceptHere(core, task, helper.task, place.worker));
    return runNested(helper, task, WHAT);
  }
  const protocol = roomProtocol(task, currentIn(core));
  waitSync(protocol, core, Core.room, Infinity, WHAT);
  if (protocol.end === Offer.acceptedFirst) hooks.startWorker(core);
  isAccepted(core, protocol.end);
}

/** The same without blocking the thread. */
export async function submit(
  core: number,
  task: number,
  order: Order,
): Promise<void> {
  if (propose(core, task, order)) return;
  const protocol = roomProtocol(task, currentIn(core));
  const surrender = {
    timeout: Infinity,
    signal: order.signal,
    timeoutError: () => undefined,
  };
  await aside(
    core,
    () => waitPromise(protocol, core, Core.room, surrender),
  );
  if (protocol.end === Offer.acceptedFirst) hooks.startWorker(core);
  isAccepted(core, protocol.end);
}

/** A task without a Future, of which this thread has a reference. */
export interface Held {
  task: number;
  hold: number;
}

/** Makes a task without a Future. */
export function holdTask(): Held {
  const task = createTask();
  // Nobody else can ask for its result.
  words[task + Task.asked] = 1;
  return { task, hold: holdObject(task, true) };
}

/** Gives it back. */
export function letGo({ hold }: Held): void {
  releaseHold(hold);
}
