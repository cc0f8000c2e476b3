/** A program that is run with few permissions. */
import { Lock, sendable, Thread } from "../../threading/mod.ts";

export const add = sendable(import.meta, function add(a: number, b: number) {
  return a + b;
});

if (import.meta.main) {
  const lock = new Lock();
  lock.acquireSync();
  try {
    lock.acquireSync({ timeout: 5 });
  } catch (error) {
    console.log((error as Error).name);
  }
  lock.release();
  (await lock.acquire()).release();
  try {
    const thread = new Thread({ target: add, args: [1, 2] });
    thread.start();
    console.log(thread.joinSync());
  } catch (error) {
    console.log(error instanceof Deno.errors.NotCapable);
    console.log((error as Error).message);
  }
}
