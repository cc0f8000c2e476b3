/**
 * Processes that this thread blocks for: those of `popen2Sync` and `spawnSync`, and
 * the one that stands in for this program.
 *
 * @module
 */

import { cancelling, type WakeWord } from "../../_internal/cancelling.ts";
import { makeFifos, mayReadProc } from "../_system/descriptors.ts";
import { plainOptions } from "./sent.ts";
import { showProcess } from "../_command/result.ts";
import { ask, sleepUntilChanged, wakeAsker } from "./helper.ts";
import { type End, type FileEnd, type Part, wrap } from "../_command/launch.ts";
import type { SpawnOptions } from "../_command/child_process.ts";

/**
 * Runs a program in place of this one, and blocks the thread meanwhile.
 *
 * @param argv The program and its arguments.
 * @param options Where it runs, with which streams.
 * @returns Its status.
 */
export function standInSync(
  argv: readonly string[],
  options: SpawnOptions,
): number {
  return ask({ type: "exec", argv, options: plainOptions(options) }) as number;
}

const DONE = 0;
const STATUS = 1;

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
    if (Atomics.load(this.#state, DONE) === 0) return undefined;
    const status = Atomics.load(this.#state, STATUS);
    this.#told?.(status);
    this.#told = undefined;
    return status;
  }

  /** Its status, waited for; or `undefined` if the time passes first. */
  wait(timeout: number): number | undefined {
    cancelling.check();
    sleepUntilChanged(this.#state, DONE, 0, timeout, true);
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
    `/proc/${process.pid}/fd/${FD[name]}`;
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

/** Says that the process of this state ended; for the helper. */
export function settle(
  buffer: SharedArrayBuffer,
  status: number,
  wake: WakeWord | undefined,
): void {
  const state = new Int32Array(buffer);
  Atomics.store(state, STATUS, status);
  Atomics.store(state, DONE, 1);
  wakeAsker(state, DONE, wake);
}
