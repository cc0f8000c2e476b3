/**
 * Processes that run beside this one.
 *
 * @module
 */

import { cancelling } from "../_internal/cancelling.ts";
import { sendSignal } from "./_command/child_process.ts";
import type { Command } from "./_command/command_line.ts";
import { endOf, showProcess } from "./_command/result.ts";
import type { HelpedProcess } from "./_blocking/helped_process.ts";
import {
  timeoutError,
  timeoutOf,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/options.ts";
import { nameOf, numberOf, type Signum } from "../_internal/signum.ts";

const WAIT = "wait for a process";
const KILL = "kill a process";

// `deadline` of @std/async throws an error that does not say what was waited for,
// and knows nothing of threads that are cancelled.
/**
 * Waits for a promise for a limited time. The promise goes on after that.
 *
 * @throws {DOMException} `TimeoutError`, if the time passes first.
 */
async function within<T>(
  promise: Promise<T>,
  { timeout, signal }: { timeout: number; signal?: AbortSignal },
  what: string,
): Promise<T> {
  signal?.throwIfAborted();
  cancelling.check();
  const isForEver = timeout === Infinity && signal === undefined;
  if (isForEver && !cancelling.isPossible()) return await promise;
  const { promise: end, reject } = Promise.withResolvers<never>();
  const timer = timeout === Infinity
    ? undefined
    : setTimeout(() => reject(timeoutError(what, timeout)), timeout);
  const abort = () => reject(signal!.reason);
  signal?.addEventListener("abort", abort);
  const unsubscribe = cancelling.subscribe(reject);
  try {
    return await Promise.race([promise, end]);
  } finally {
    clearTimeout(timer);
    unsubscribe();
    signal?.removeEventListener("abort", abort);
  }
}

/** Watches a process, which runs this command. */
export let createChild: (child: Deno.ChildProcess, cmd: Command) => Child;

/**
 * A process that {@linkcode popen2} or one of its relatives started.
 *
 * @example
 * ```ts
 * import { popen2 } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * const { process } = popen2("exit 3");
 * assertEquals(await process.wait(), 3);
 * ```
 */
export class Child {
  readonly #child: Deno.ChildProcess;
  readonly #ended: Promise<number>;
  #status?: number;

  static {
    createChild = (child, cmd) => new Child(child, cmd);
  }

  private constructor(child: Deno.ChildProcess, cmd: Command) {
    this.#child = child;
    const told = showProcess(cmd);
    this.#ended = endOf(child).then((status) => {
      told?.(status);
      return this.#status = status;
    });
  }

  /** Its number. */
  get pid(): number {
    return this.#child.pid;
  }

  /**
   * Its status, without waiting.
   *
   * @returns The exit status, or minus the number of the signal that ended it;
   * `undefined` as long as it runs.
   *
   * @example
   * ```ts
   * import { popen2 } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const { process, stdin } = popen2(["cat"]);
   * assertEquals(process.poll(), undefined);
   * await stdin.close();
   * await process.wait();
   * assertEquals(process.poll(), 0);
   * ```
   */
  poll(): number | undefined {
    return this.#status;
  }

  /**
   * Waits for its end. A wait that is given up leaves the process alone.
   *
   * @param options A timeout, a signal that ends the wait.
   * @returns The exit status, or minus the number of the signal that ended it.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   *
   * @example
   * ```ts
   * import { popen2 } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(await popen2("exit 2").process.wait({ timeout: 5000 }), 2);
   * ```
   */
  async wait(options: WaitOptions = {}): Promise<number> {
    const timeout = timeoutOf(options, WAIT);
    return await within(this.#ended, { ...options, timeout }, WAIT);
  }

  /**
   * Sends it a signal; does nothing when it has ended. Needs no permission.
   *
   * @param signum The signal, by number or name.
   * @throws {TypeError} If it is neither a number nor a string.
   * @throws {RangeError} If this platform has no such signal.
   *
   * @example
   * ```ts
   * import { popen2 } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * const { process } = popen2(["sleep", "60"]);
   * process.kill();
   * assertEquals(await process.wait(), -15);
   * ```
   */
  kill(signum: Signum = "SIGTERM"): void {
    const signal = nameOf(numberOf(signum, KILL));
    sendSignal(this.#child, signal);
  }
}

/** Watches a process of the helper thread. */
export let createChildSync: (child: HelpedProcess) => ChildSync;

/**
 * A process that {@linkcode popen2Sync} or one of its relatives started.
 *
 * @example
 * ```ts
 * import { popen2Sync } from "@skein/std/process";
 * import { assertEquals } from "@std/assert";
 *
 * using child = popen2Sync("exit 3");
 * assertEquals(child.process.waitSync(), 3);
 * ```
 */
export class ChildSync {
  readonly #child: HelpedProcess;

  static {
    createChildSync = (child) => new ChildSync(child);
  }

  private constructor(child: HelpedProcess) {
    this.#child = child;
  }

  /** Its number. */
  get pid(): number {
    return this.#child.pid;
  }

  /**
   * Its status, without waiting.
   *
   * @returns The exit status, or minus the number of the signal that ended it;
   * `undefined` as long as it runs.
   *
   * @example
   * ```ts
   * import { popen2Sync } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * using child = popen2Sync(["cat"]);
   * assertEquals(child.process.poll(), undefined);
   * ```
   */
  poll(): number | undefined {
    return this.#child.poll();
  }

  /**
   * Waits for its end, blocking the thread. A wait that is given up leaves the
   * process alone.
   *
   * @param options A timeout.
   * @returns The exit status, or minus the number of the signal that ended it.
   * @throws {DOMException} `TimeoutError`, if the timeout passes first.
   *
   * @example
   * ```ts
   * import { popen2Sync } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * using child = popen2Sync("exit 2");
   * assertEquals(child.process.waitSync(), 2);
   * ```
   */
  waitSync(options: WaitSyncOptions = {}): number {
    const timeout = timeoutOf(options, WAIT);
    const status = this.#child.wait(timeout);
    if (status === undefined) throw timeoutError(WAIT, timeout);
    return status;
  }

  /**
   * Sends it a signal; does nothing when it has ended. Needs no permission.
   *
   * @param signum The signal, by number or name.
   * @throws {TypeError} If it is neither a number nor a string.
   * @throws {RangeError} If this platform has no such signal.
   *
   * @example
   * ```ts
   * import { popen2Sync } from "@skein/std/process";
   * import { assertEquals } from "@std/assert";
   *
   * using child = popen2Sync(["sleep", "60"]);
   * child.process.kill();
   * assertEquals(child.process.waitSync(), -15);
   * ```
   */
  kill(signum: Signum = "SIGTERM"): void {
    const signal = nameOf(numberOf(signum, KILL));
    if (this.poll() === undefined) this.#child.kill(signal);
  }
}
