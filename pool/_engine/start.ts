/**
 * Starting the workers of a pool, from whichever thread finds that one is
 * needed.
 *
 * @module
 */

import {
  ADDRESS,
  addressOf,
  allocateZeroed,
  discard,
  doWholly,
  MAIN_QUEUE,
  Node,
  Wake,
  words,
} from "../../threading/_ground.ts";
import { launchThread, requirePermissions } from "../../threading/_threads.ts";
import { readRecord } from "../../threading/_values.ts";
import { Thread } from "../../threading/thread.ts";
import {
  addWorker,
  failPending,
  hooks,
  PoolCore,
  removeWorker,
} from "./core.ts";
import { Core, Worker, WORKER_FLAG, WORKER_WORDS } from "./layout.ts";

const SERVE_URL = new URL("./serve.ts", import.meta.url).href;

/** What a worker runs. */
let servePool: ((core: PoolCore) => Promise<void>) | undefined;

/**
 * Sets what workers run. `serve.ts` does so, since it needs this file in its
 * turn: a worker that dies starts the next one, as its last act.
 */
export function setServe(serve: (core: PoolCore) => Promise<void>): void {
  servePool = serve;
}

/**
 * Makes sure that workers can be started.
 *
 * @param moduleUrl The module of a task, if it is known.
 * @throws {Deno.errors.NotCapable} If what they import may not be read.
 */
export function checkWorkers(moduleUrl: string | undefined): void {
  requirePermissions(SERVE_URL);
  if (moduleUrl !== undefined) requirePermissions(moduleUrl);
}

/** A handle to be sent and not kept: this thread holds nothing by it. */
function standIn(core: number): PoolCore {
  const handle = Object.create(PoolCore.prototype) as PoolCore;
  handle[ADDRESS] = core;
  return handle;
}

/** Starts a worker if the core needs one. */
function startWorker(core: number): void {
  // Killed in the middle, this thread would leave a worker that is counted but
  // not there.
  doWholly(() => {
    const number = addWorker(core);
    if (number !== 0) launch(core, number);
  });
}

function launch(core: number, number: number): void {
  let node = 0;
  try {
    const name = `${readRecord(words[core + Core.name])}-${number}`;
    const args = [standIn(core)];
    const thread = new Thread({ name, daemon: true });
    node = allocateZeroed(WORKER_WORDS);
    words[node + Node.object] = core;
    words[node + Node.queue] = MAIN_QUEUE;
    words[node + Node.state] = Wake.granted;
    words[node + Node.flags] = WORKER_FLAG;
    words[node + Worker.number] = number;
    launchThread(
      addressOf(thread),
      { target: servePool, args },
      SERVE_URL,
      node,
    );
    thread.free();
  } catch (error) {
    if (node !== 0) discard(node);
    if (removeWorker(core) === 0) failPending(core, error);
  }
}

hooks.startWorker = startWorker;
