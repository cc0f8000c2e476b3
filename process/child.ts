/**
 * Processes that run beside this one, and how this thread blocks for them: those
 * of `popen2` and `spawn`, in both forms.
 *
 * @module
 */

import { cancelling } from "../_internal/hooks.ts";
import { sendSignal } from "./_command/child_process.ts";
import type { Command } from "./_command/command_line.ts";
import { endOf, showProcess } from "./_command/result.ts";
import {
  timeoutError,
  timeoutOf,
  timeoutOfSync,
  type WaitOptions,
  type WaitSyncOptions,
} from "../_internal/check.ts";
import { nameOf, numberOf, type Signum } from "../_internal/platform.ts";
import { kernelPipes, makeFifos, mayReadProc } from "./_command/descriptors.ts";
import {
  ask,
  plainOptions,
  sleepUntilChanged,
  State,
} from "./_blocking/helper.ts";
import { type End, type FileEnd, type Part, wrap } from "./_command/launch.ts";

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

  /** @ignore */
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

  /** @ignore */
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
    const timeout = timeoutOfSync(options, WAIT);
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

/** A process that this thread can block for. */
export class HelpedProcess {
  readonly #state = new Int32Array(new SharedArrayBuffer(8));
  /** Called when its end is seen. */
  #told: ((status: number) => void) | undefined;
  /** Its number. */
  readonly pid: number;

  /**
   * Starts a process.
   *
   * @param part What it is.
   * @param fifos The named pipes among its streams, or that it is to wait
   * until its pipes were opened here.
   */
  constructor(part: Part, fifos: readonly string[] | "handover" = []) {
    this.pid = ask({
      type: "spawn",
      part: { ...part, stage: plainOptions(part.stage) },
      fifos,
      state: this.#state.buffer,
    }) as number;
    if (this.pid >= 0) this.#told = showProcess(part.stage.cmd);
  }

  /**
   * Tells the helper that this thread has opened the pipes, or that it will not
   * open all of them.
   */
  opened(all: boolean): void {
    ask({ type: "opened", pid: this.pid, all });
  }

  /** Its status, or `undefined` as long as it runs. */
  poll(): number | undefined {
    if (Atomics.load(this.#state, State.done) === 0) return undefined;
    const status = Atomics.load(this.#state, State.status);
    this.#told?.(status);
    this.#told = undefined;
    return status;
  }

  /** Its status, waited for; or `undefined` if the time passes first. */
  wait(timeout: number): number | undefined {
    cancelling.check();
    sleepUntilChanged(this.#state, State.done, 0, timeout, true);
    cancelling.check();
    return this.poll();
  }

  /** Sends a signal, unless it has ended. */
  kill(signal: Deno.Signal): void {
    ask({ type: "kill", pid: this.pid, signal });
  }
}

/** A process with the ends of its pipes that this thread has. */
interface PipedProcess {
  readonly process: HelpedProcess;
  readonly stdin?: Deno.FsFile;
  readonly stdout?: Deno.FsFile;
  readonly stderr?: Deno.FsFile;
}

/** The order in which both sides open pipes, so that neither waits for ever. */
const ORDER = ["stdin", "stderr", "stdout"] as const;

type Streams = Readonly<Record<(typeof ORDER)[number], End>>;

/**
 * Starts a process with pipes that this thread reads and writes at once,
 * blocking. No number of a descriptor leaves its thread.
 *
 * @param stage The command.
 * @param streams What its streams are; "piped" is a pipe to this thread.
 * @returns The process and the ends.
 */
export function startPiped(
  stage: Part["stage"],
  streams: Streams,
): PipedProcess {
  const part = { stage, ...streams };
  return mayReadProc() && wrap([part], { gate: true }) !== undefined
    ? startAtGate(part) ?? startWithFifos(part)
    : startWithFifos(part);
}

/**
 * The pipes are the helper's. While the process waits at its gate, it has them
 * at /proc/<its number>/fd, and this thread opens them there.
 */
function startAtGate(part: Part): PipedProcess | undefined {
  const process = new HelpedProcess(part, "handover");
  if (process.pid < 0) return undefined;
  const path = (name: (typeof ORDER)[number]) =>
    `${kernelPipes.proc}/${process.pid}/fd/${FD[name]}`;
  try {
    return openEnds(process, part, path);
  } catch (error) {
    // A shell that does not like the command never comes to its gate.
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

const FD = { stdin: 0, stdout: 1, stderr: 2 } as const;

/**
 * The pipes have names for a moment. Opening one end waits for the other; if the
 * process ends before it has opened them, the helper does it in its place.
 */
function startWithFifos(part: Part): PipedProcess {
  // Before there are files, since that takes long.
  ask({ type: "ready" });
  const names = ORDER.filter((name) => part[name] === "piped");
  const { paths, remove } = makeFifos(names.length);
  const path = (name: string) => paths[names.findIndex((n) => n === name)];
  try {
    const ends = names.map((name): [string, FileEnd] => [name, {
      path: path(name),
      how: name === "stdin" ? "r" : "w",
    }]);
    const own = { ...part, ...Object.fromEntries(ends) };
    return openEnds(new HelpedProcess(own, paths), part, path);
  } finally {
    remove();
  }
}

function openEnds(
  process: HelpedProcess,
  part: Part,
  path: (name: (typeof ORDER)[number]) => string,
): PipedProcess {
  const own: { -readonly [Name in (typeof ORDER)[number]]?: Deno.FsFile } = {};
  let all = false;
  try {
    for (const name of ORDER) {
      if (part[name] !== "piped") continue;
      const write = name === "stdin";
      own[name] = Deno.openSync(path(name), { read: !write, write });
    }
    all = true;
    return { process, ...own };
  } finally {
    if (!all) { for (const name of ORDER) own[name]?.close(); }
    process.opened(all);
  }
}
