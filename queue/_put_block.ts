/**
 * Putting the items of a block in, and waiting for room with it.
 *
 * @module
 */

import { giveBack } from "../threading/_memory/shared_object.ts";
import { waitPromise } from "../threading/_memory/wait_promise.ts";
import { waitSync } from "../threading/_memory/wait_sync.ts";
import { countOf } from "./_block.ts";
import { enter, leave } from "./_ends.ts";
import { QueueField } from "./_fields.ts";
import { failure, full, prepare, PUT } from "./_prepare.ts";
import { Put } from "./_serve.ts";
import { tryPutBlock } from "./_try_put.ts";
import { putProtocol, waiting } from "./_waiting.ts";

/**
 * Puts the items of a block in if there is room for all.
 *
 * @returns Whether they are in; if not it is still this thread's.
 */
export function putBlock(
  queue: number,
  block: number,
  items: unknown,
): boolean {
  for (;;) {
    enter(queue);
    const end = tryPutBlock(queue, block);
    leave(queue);
    if (end === Put.done) return true;
    if (end === Put.full) return false;
    prepareBlock(queue, end, block, items);
  }
}

/** Like {@linkcode prepare}, and gives the block back if that throws. */
function prepareBlock(
  queue: number,
  end: number,
  block: number,
  items: unknown,
): void {
  try {
    prepare(queue, end, countOf(block), items);
  } catch (error) {
    giveBack(block);
    throw error;
  }
}

function announce(block: number): void {
  waiting.block = block;
  waiting.linked = false;
}

/**
 * Blocks until the items of a block are in.
 *
 * @param item The items, or the only one, for messages.
 */
export function waitSyncToPut(
  queue: number,
  block: number,
  timeout: number,
  item: unknown,
): void {
  for (;;) {
    announce(block);
    let end: number;
    try {
      end = waitSync(putProtocol, queue, QueueField.putters, timeout, PUT);
    } catch (error) {
      if (!waiting.linked) giveBack(block);
      throw error;
    }
    if (waiting.linked) {
      if (end === Put.done) return;
      throw end === Put.full ? full(queue, timeout) : failure(queue, end, item);
    }
    if (end === Put.done) return;
    prepareBlock(queue, end, block, item);
  }
}

/** The same, without blocking the thread. */
export async function waitToPut(
  queue: number,
  block: number,
  timeout: number,
  signal: AbortSignal | undefined,
  item: unknown,
): Promise<void> {
  for (;;) {
    announce(block);
    let linked = false;
    let end: number;
    try {
      const ending = waitPromise(putProtocol, queue, QueueField.putters, {
        timeout,
        signal,
        timeoutError: () => full(queue, timeout),
      });
      linked = waiting.linked;
      end = await ending;
    } catch (error) {
      if (!linked) giveBack(block);
      throw error;
    }
    if (linked) {
      if (end === Put.done) return;
      throw failure(queue, end, item);
    }
    if (end === Put.done) return;
    prepareBlock(queue, end, block, item);
  }
}
