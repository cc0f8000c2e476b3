/**
 * One child: starting it with an error that names it, ending it (and its children,
 * as far as the system tells them), and passing on the signals that this program
 * gets.
 *
 * @module
 */

import {
  checkPlace,
  type CommandSyncOptions,
  type PopenOptions,
} from "./options.ts";
import { delay } from "@std/async/delay";
import { durationOf } from "../../_internal/check.ts";
import { kernelPipes, mayReadProc } from "./descriptors.ts";
import {
  killSignalOf,
  nameOf,
  numberOf,
  NUMBERS,
  passedOn,
  sentByTerminal,
} from "../../_internal/platform.ts";
import { endOf } from "./result.ts";
import { HERE, type Platform } from "../../_internal/built_in.ts";
import { explain } from "./program.ts";

/** What a standard stream of a child is; a number is a descriptor. */
export type Stdio = "inherit" | "null" | "piped" | number;

/** How a child is started. */
export interface SpawnOptions {
  cwd?: string | URL;
  env?: Record<string, string>;
  clearEnv?: boolean;
  detached?: boolean;
  uid?: number;
  gid?: number;
  stdin: Stdio;
  stdout: Stdio;
  stderr: Stdio;
}

/**
 * Where a child runs, with the standard streams of this program.
 *
 * @throws {TypeError} If an option is of the wrong kind.
 */
export function inheriting(options: PopenOptions): SpawnOptions {
  const inherit = "inherit";
  const streams = { stdin: inherit, stdout: inherit, stderr: inherit } as const;
  return { ...checkPlace(options), ...streams };
}

/**
 * Starts a process.
 *
 * @param argv The program and its arguments.
 * @param options Where, and with which streams.
 * @param name The program as the caller knows it, for messages.
 * @returns The child.
 * @throws {Deno.errors.NotFound} If there is no such program, or no such
 * working directory.
 * @throws {Deno.errors.PermissionDenied} If the program cannot be executed.
 * @throws {Deno.errors.NotCapable} Without permission to run it.
 */
export function startChild(
  argv: readonly string[],
  options: SpawnOptions,
  name = argv[0],
): Deno.ChildProcess {
  const [file, ...args] = argv;
  try {
    // Deno takes descriptors too; only its types do not say so.
    return new Deno.Command(file, {
      ...options as Deno.CommandOptions,
      args,
    }).spawn();
  } catch (error) {
    throw explain(error, name, options);
  }
}

/** How processes are ended. */
export interface Ending {
  readonly signal: Deno.Signal;
  readonly grace: number;
  /** Whether the process leads a group, which is ended. */
  readonly tree: boolean;
  /** Whether what it has started is looked for, and ended. */
  readonly attached: boolean;
}

const WHAT = "run a command";
const STEP = 10;
const LONGEST_PAUSE = 320;

/**
 * How processes are ended by these options.
 *
 * @throws {Deno.errors.NotSupported} If children of children shall be ended on
 * Windows.
 * @throws {RangeError} If this platform has no such killSignal.
 * @throws {Deno.errors.NotCapable} If children of children shall be ended and
 * there is no permission for it.
 */
export function endingOf(
  options: CommandSyncOptions,
  platform: Platform = HERE,
): Ending {
  const { killTree } = options;
  if (killTree && platform === "windows") {
    throw new Deno.errors.NotSupported(
      "Cannot run a command with killTree: Windows has no groups of processes, and does not stop one",
    );
  }
  // Checked now: later, when the group must be ended, it would be too late.
  if (
    killTree && Deno.permissions.querySync({ name: "run" }).state !== "granted"
  ) {
    throw new Deno.errors.NotCapable(
      "Cannot run a command with killTree: signals to other processes than children need --allow-run without a list",
    );
  }
  return {
    signal: killSignalOf(
      nameOf(numberOf(options.killSignal ?? "SIGTERM", WHAT)),
      platform,
    ),
    grace: durationOf(options.killGrace ?? 1000, WHAT, "killGrace"),
    tree: killTree === true,
    attached: killTree === "attached",
  };
}

/**
 * Ends a process: first asks by the signal, then kills.
 *
 * @param child The process; with `tree` it leads a group.
 * @param ending How.
 * @returns A promise for the end of the process (and of its group), or for
 * nothing if it may not be signalled.
 */
export async function end(
  child: Deno.ChildProcess,
  ending: Ending,
): Promise<void> {
  const { signal, grace, tree } = ending;
  const attached = ending.attached
    ? new ProcessTree(child.pid, (signal) => sendSignal(child, signal))
    : undefined;
  const send = attached !== undefined
    ? (signal: Deno.Signal) => attached.signal(signal)
    : tree
    ? (signal: Deno.Signal) => killGroup(child.pid, signal)
    : (signal: Deno.Signal) => sendSignal(child, signal);
  const ended = endOf(child);
  let left = ended.then(() => false);
  try {
    if (!await send(signal)) return void await left;
  } catch (error) {
    // It runs as somebody else, so nobody can end it. It may end by itself when
    // its streams are closed.
    if (error instanceof Deno.errors.PermissionDenied) return;
    throw error;
  }
  // The others live on, whether the one that started them does or not.
  if (tree) left = left.then(() => waitForGroup(child.pid, grace));
  if (attached !== undefined) {
    left = left.then(() => waitWhile(() => attached.lives(), grace));
  }
  if (signal !== "SIGKILL" && await outlives(left, grace)) {
    await send("SIGKILL");
  }
  await ended;
}

// `deadline` of @std/async does it, too, and is three more modules to load.
/** Whether the promise is still open, or says `true`, after the grace. */
async function outlives(
  left: Promise<boolean>,
  grace: number,
): Promise<boolean> {
  if (grace === Infinity) return await left;
  const over = new AbortController();
  const timer = delay(grace, { signal: over.signal }).then(() => true);
  timer.catch(() => {});
  try {
    return await Promise.race([left, timer]);
  } finally {
    over.abort();
  }
}

/** Waits for the end of a group; says whether it lives on after the grace. */
function waitForGroup(pid: number, grace: number): Promise<boolean> {
  return waitWhile(
    () => someoneLives(pid),
    grace,
    () => groupExists(pid),
  );
}

/**
 * Waits for the end of processes.
 *
 * @param live Whether they live. It takes some milliseconds to know it, so it is
 * asked less and less often.
 * @param grace The milliseconds it waits.
 * @param exist What takes less to know, and is `true` as long as they live.
 * @returns Whether they live on after the grace.
 */
async function waitWhile(
  live: () => Promise<boolean>,
  grace: number,
  exist = () => true,
): Promise<boolean> {
  const last = performance.now() + grace;
  let pause = 2 * STEP;
  let look = 0;
  while (exist()) {
    const now = performance.now();
    if (now > last) return true;
    if (now >= look) {
      if (!await live()) return false;
      look = performance.now() + pause;
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    }
    await delay(STEP);
  }
  return false;
}

/**
 * Whether a process of this group lives. Processes that have ended belong to it
 * until their parents have reaped them; the parent of an orphan is process 1, and
 * may take its time.
 */
async function someoneLives(group: number): Promise<boolean> {
  const processes = await listProcesses();
  // Where there is no way to know it is waited for.
  return processes === undefined ||
    processes.some((one) => one.group === group && isAlive(one));
}

function groupExists(pid: number): boolean {
  // Signal 0 reaches nobody, and fails when there is nobody.
  return killGroup(pid, 0 as unknown as Deno.Signal);
}

function killGroup(pid: number, signal: Deno.Signal): boolean {
  try {
    Deno.kill(-pid, signal);
    return true;
  } catch (error) {
    // Some systems refuse it when all processes of the group have ended.
    if (
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.PermissionDenied
    ) return false;
    throw error;
  }
}

/** Sends a signal to a child, and to its children if those are ended with it. */
export function signalTo(
  child: Deno.ChildProcess,
  signal: Deno.Signal,
  { tree, attached }: Ending,
): void {
  if (attached) {
    const processes = new ProcessTree(
      child.pid,
      (signal) => sendSignal(child, signal),
    );
    // It takes a moment to find them. Those of somebody else are left out.
    processes.signal(signal).catch(() => {});
  } else if (tree) killGroup(child.pid, signal);
  else sendSignal(child, signal);
}

/**
 * Sends a signal to a child.
 *
 * @returns Whether it runs; if it has ended, nothing happens.
 */
export function sendSignal(
  child: Deno.ChildProcess,
  signal: Deno.Signal,
): boolean {
  try {
    child.kill(signal);
    return true;
  } catch (error) {
    // It has ended, whether Deno knows that already (TypeError) or not.
    if (error instanceof TypeError || error instanceof Deno.errors.NotFound) {
      return false;
    }
    throw error;
  }
}

/**
 * Starts a program and passes on to it the signals that this one gets, until it
 * has ended. A signal that this program ignores since it was started, as under
 * nohup, is ignored by the other one, too; to know that takes all permissions.
 *
 * @param argv The program and its arguments.
 * @param options Where it runs, with which streams.
 * @returns Its status.
 */
export async function standIn(
  argv: readonly string[],
  options: SpawnOptions,
): Promise<number> {
  const atTerminal = Deno.stdin.isTerminal();
  const byTerminal = sentByTerminal();
  const ignored = ignoredSignals();
  let child: Deno.ChildProcess | undefined;
  // A program inherits what is ignored, and when Deno listens to the first signal
  // nothing is ignored any more. If there is nothing to inherit it listens first,
  // so that no signal is lost.
  if (ignored.length > 0) child = startChild(argv, options);
  const listeners = passedOn().map((signal) => {
    const pass = () => {
      if (ignored.includes(signal)) return;
      if (atTerminal && byTerminal.includes(signal)) return;
      // If it has ended, so does this program in a moment.
      if (child !== undefined) sendSignal(child, signal);
    };
    Deno.addSignalListener(signal, pass);
    return () => Deno.removeSignalListener(signal, pass);
  });
  try {
    child ??= startChild(argv, options);
    return await endOf(child);
  } finally {
    for (const remove of listeners) remove();
  }
}

/** The signals that this process ignores, if that is known. */
function ignoredSignals(): readonly Deno.Signal[] {
  if (!mayReadProc()) return [];
  try {
    const status = Deno.readTextFileSync(`${kernelPipes.proc}/self/status`);
    const [, digits] = /^SigIgn:\s*([\da-f]+)/m.exec(status)!;
    const mask = BigInt(`0x${digits}`);
    return passedOn().filter((signal) =>
      (mask >> BigInt(NUMBERS[signal] - 1) & 1n) === 1n
    );
  } catch {
    return [];
  }
}

/** A process, as the system shows it. */
interface SystemProcess {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** What it does; `Z` and `X` are those that have ended. */
  readonly state: string;
  /** When it started: a number may come back, but not with the same time. */
  readonly started: string;
}

/**
 * The processes of this machine. A zombie, which was not reaped yet, is one.
 *
 * @returns The processes; `undefined` if this program cannot know.
 */
async function listProcesses(): Promise<SystemProcess[] | undefined> {
  return (mayReadProc() ? listProc() : undefined) ?? await listByPs();
}

/** Whether a process has not ended. */
export function isAlive({ state }: SystemProcess): boolean {
  return !/^[ZX]/.test(state);
}

/** As Linux tells them. */
function listProc(): SystemProcess[] | undefined {
  try {
    return Array.from(Deno.readDirSync(kernelPipes.proc), ({ name }) => name)
      .filter((name) => /^\d+$/.test(name))
      .flatMap(readStat);
  } catch {
    return undefined;
  }
}

function readStat(pid: string): SystemProcess[] {
  try {
    const stat = Deno.readTextFileSync(`${kernelPipes.proc}/${pid}/stat`);
    // `pid (name) state parent group ...`; there may be anything in the name.
    const words = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, parent, group] = words;
    return [{
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      state,
      started: words[19],
    }];
  } catch {
    return []; // It is gone by now.
  }
}

/** As a program tells them, for which there must be the permission. */
async function listByPs(): Promise<SystemProcess[] | undefined> {
  try {
    const names = ["pid", "ppid", "pgid", "stat", "lstart"];
    const { success, stdout } = await new Deno.Command("ps", {
      args: ["-A", ...names.flatMap((name) => ["-o", `${name}=`])],
      cwd: "/",
      stdin: "null",
      stderr: "null",
    }).output();
    if (!success) return undefined;
    return new TextDecoder().decode(stdout).trimEnd().split("\n")
      .map((line): SystemProcess => {
        const [pid, parent, group, state, ...started] = line.trim()
          .split(/\s+/);
        return {
          pid: Number(pid),
          parent: Number(parent),
          group: Number(group),
          state,
          started: started.join(" "),
        };
      });
  } catch {
    return undefined; // There is no ps.
  }
}

/**
 * A child of this program and what it has started. Who belongs to it is seen by
 * following the parents; one whose parent has ended before is not found.
 */
class ProcessTree {
  readonly #root: number;
  readonly #toRoot: (signal: Deno.Signal) => boolean;
  /** Those that were found, by their numbers, with their starts. */
  readonly #found = new Map<number, string>();

  /**
   * Takes a child.
   *
   * @param root Its number.
   * @param toRoot Sends it a signal, and says whether it runs: when it has ended,
   * its number may soon be another one's.
   */
  constructor(root: number, toRoot: (signal: Deno.Signal) => boolean) {
    this.#root = root;
    this.#toRoot = toRoot;
  }

  /**
   * Sends all of them a signal. They are stopped first, so that none starts
   * another one while they are looked for.
   *
   * @returns Whether one of them runs.
   * @throws {Deno.errors.PermissionDenied} If the child may not be signalled.
   */
  async signal(signal: Deno.Signal): Promise<boolean> {
    // At once: all stages of a pipeline are stopped before one of them ends.
    const runs = this.#toRoot("SIGSTOP");
    const stopped = new Set<number>();
    for (let before = -1; stopped.size > before;) {
      before = stopped.size;
      for (const { pid } of await this.#look()) {
        if (pid !== this.#root && !stopped.has(pid)) send(pid, "SIGSTOP");
        stopped.add(pid);
      }
    }
    stopped.delete(this.#root);
    const toAll = (signal: Deno.Signal) => {
      this.#toRoot(signal);
      for (const pid of stopped) send(pid, signal);
    };
    toAll(signal);
    if (signal !== "SIGKILL") toAll("SIGCONT");
    return runs || stopped.size > 0;
  }

  /** Whether one of those that were found lives, but for the child. */
  async lives(): Promise<boolean> {
    return (await this.#look()).some(({ pid }) => pid !== this.#root);
  }

  /** Those that live. What is found once is known, whoever its parent is then. */
  async #look(): Promise<SystemProcess[]> {
    const alive = (await listProcesses() ?? []).filter(isAlive);
    const tree = alive.filter(({ pid, parent, started }) =>
      this.#found.has(pid)
        ? this.#found.get(pid) === started
        : pid === this.#root && parent === Deno.pid
    );
    // It grows while it is read.
    for (const { pid } of tree) {
      tree.push(
        ...alive.filter((one) => one.parent === pid && !tree.includes(one)),
      );
    }
    for (const { pid, started } of tree) this.#found.set(pid, started);
    return tree;
  }
}

/** Sends a signal to a process, which may have ended or be somebody else's. */
function send(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    const { NotFound, PermissionDenied } = Deno.errors;
    if (error instanceof NotFound || error instanceof PermissionDenied) return;
    throw error;
  }
}
